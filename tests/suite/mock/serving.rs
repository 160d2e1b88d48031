//! A request may say how the simulated engine serves it.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue};
use llmlab::mock::{BATCH_SIZE, Mock, MockConfig};
use llmlab::wire::{Ask, Batching, Dialect, Reply, SERVING_HEADER, Serving};

use crate::support;

async fn served(mock: &Mock, dialect: Dialect, serving: Serving) -> Reply {
    let ask = Ask { temperature: Some(1.0), ..Ask::question("Go on", 4) };
    let ask = Ask { stream: dialect != Dialect::Generate, ..ask };
    let value = HeaderValue::try_from(serving.to_header()).expect("ASCII");
    let headers = HeaderMap::from_iter([(SERVING_HEADER.parse().expect("a name"), value)]);
    let exchange = support::client(dialect, &mock.url()).send(&ask, Instant::now(), &headers).await;
    exchange.outcome.expect("an answer").reply
}

fn batches_of(size: usize) -> Serving {
    let batching = Batching { size: NonZeroUsize::new(size).expect("a size"), window_us: 60_000_000 };
    Serving { batching: Some(batching), ..Serving::default() }
}

#[tokio::test]
async fn requests_share_a_batch_with_those_that_are_served_alike() {
    // Given a mock whose batches would wait a minute for a request that does not come
    let mock = Mock::start(MockConfig::default()).unwrap();
    // When two kinds of requests arrive together
    let sizes = [2, 3, 2, 3, 3].map(|size| served(&mock, Dialect::Generate, batches_of(size)));
    let replies = futures::future::join_all(sizes).await;
    // Then each kind fills a batch of its own
    let sizes: Vec<_> = replies.iter().map(|reply| reply.extra[BATCH_SIZE].as_u64().unwrap()).collect();
    assert_eq!((sizes, mock.state().generate.batches), (vec![2, 3, 2, 3, 3], 2));
}

#[tokio::test]
async fn requests_wait_for_a_slot_of_their_own_kind_alone() {
    // Given an engine of one slot beside the mock's own
    let mut config = MockConfig::default();
    config.profile.overhead = Duration::from_millis(400);
    let mock = Mock::start(config).unwrap();
    let one = Serving { slots: NonZeroUsize::new(1), ..Serving::default() };
    let start = Instant::now();
    // When each is asked three times at once
    let limited = futures::future::join_all([one; 3].map(|one| served(&mock, Dialect::OpenAi, one)));
    let plain = async {
        let three = [Serving::default(); 3].map(|own| served(&mock, Dialect::OpenAi, own));
        futures::future::join_all(three).await;
        start.elapsed()
    };
    let (_, plain) = futures::join!(limited, plain);
    // Then only the one of one slot lets its requests wait
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert!(plain < start.elapsed());
}

#[tokio::test]
async fn a_way_of_serving_that_is_none_is_refused() {
    let mock = Mock::start(MockConfig::default()).unwrap();
    for wrong in [r#"{"slots":0}"#, r#"{"batching":{"size":0,"window_us":1}}"#, r#"{"speed":2}"#, "{"] {
        let headers =
            HeaderMap::from_iter([(SERVING_HEADER.parse().unwrap(), HeaderValue::from_static(wrong))]);
        let client = support::client(Dialect::OpenAi, &mock.url());
        let exchange = client.send(&Ask::question("?", 2), Instant::now(), &headers).await;
        assert_eq!(exchange.status, Some(400), "{wrong}");
    }
}
