//! Roads to the simulator: how far, how often connections are opened, and what is spoken on them. Times are held
//! to lower bounds and to wide ratios only.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use http::HeaderMap;
use llmlab::client::{Auth, Client, ErrorClass, Exchange, HttpVersion, Road, Timeouts, TlsVersion};
use llmlab::experiment::{Arm, Group, GroupSummary, compare};
use llmlab::metric::Metric;
use llmlab::mock::{Defect, Mock, MockConfig};
use llmlab::optimization::connection;
use llmlab::session::Session;
use llmlab::settings::{Environment, Settings, TargetFile, TargetKind};
use llmlab::wire::{Ask, Dialect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support;

const RTT: Duration = Duration::from_millis(40);

fn mock() -> Mock {
    Mock::start(MockConfig::default()).expect("the mock starts")
}

/// A client of `mock` over `road`, trusting its certificate.
fn client(mock: &Mock, road: &Road) -> Client {
    let entrance = mock.entrance(road.tls.is_some(), road.rtt).expect("an entrance");
    let target = support::target(Dialect::OpenAi, &entrance.url, &Auth::None);
    let target = match entrance.certificate {
        Some(certificate) => target.trusting(certificate),
        None => target,
    };
    Client::over(road, target, Timeouts::default())
}

/// Asks and expects an answer.
async fn ask(client: &Client) -> Exchange {
    let exchange = support::send(client).await;
    assert!(exchange.outcome.is_ok(), "{:?}", exchange.outcome);
    exchange
}

async fn ask_at_once(client: &Client, n: usize) -> Vec<Exchange> {
    join_all((0..n).map(|_| ask(client))).await
}

fn resumed(exchange: &Exchange) -> (TlsVersion, bool) {
    let tls = exchange.connection.and_then(|connection| connection.tls).expect("facts of TLS");
    (tls.version, tls.resumed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_adds_a_round_trip_to_a_reused_connection_and_two_to_a_new_one() {
    // Given a server behind a link
    let mock = mock();
    let client = client(&mock, &Road::default().rtt(RTT));
    // When two questions are asked
    let took = async || {
        let exchange = ask(&client).await;
        exchange.ended - exchange.intended
    };
    let (first, second) = (took().await, took().await);
    // Then the first waited for TCP's handshake too, and nothing arrived early
    assert!(first >= 2 * RTT, "{first:?}");
    assert!(second >= RTT, "{second:?}");
    assert_eq!((client.connections_opened(), mock.state().connections), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_keeps_the_order_of_what_is_written_without_waiting() {
    // Given a plain socket behind a link
    let mock = mock();
    let entrance = mock.entrance(false, RTT).unwrap();
    let addr: SocketAddr = entrance.url.strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = TcpStream::connect(addr).await.unwrap();
    // When two requests are written a moment apart, without waiting for an answer between
    let requests = ["/health", "/v1/models"].map(|path| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"));
    let start = Instant::now();
    for request in &requests {
        stream.write_all(request.as_bytes()).await.unwrap();
        tokio::time::sleep(RTT / 8).await;
    }
    let mut received = Vec::new();
    while !String::from_utf8_lossy(&received).contains("claude-") {
        assert!(stream.read_buf(&mut received).await.unwrap() > 0);
    }
    // Then both answers are there, in order, and not before two round trips
    let text = String::from_utf8_lossy(&received);
    assert!(text.find("\"ok\"").unwrap() < text.find("claude-").unwrap(), "{text}");
    assert!(start.elapsed() >= 2 * RTT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_carries_a_long_prompt_whole() {
    let mock = mock();
    let client = client(&mock, &Road::fresh().tls(TlsVersion::Tls13).rtt(Duration::from_millis(5)));
    let question = Ask::question("word ".repeat(100_000), 4);
    let exchange = client.send(&question, Instant::now(), &HeaderMap::new()).await;
    exchange.outcome.unwrap();
    assert_eq!(mock.requests()[0].body_bytes as u64, exchange.request_bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_reused_keeps_the_count_of_connections_down() {
    for (road, connections) in [(Road::default(), 1), (Road::fresh(), 4)] {
        // Given a server that counts its connections
        let mock = mock();
        let client = client(&mock, &road.tls(TlsVersion::Tls13));
        // When four questions are asked in turn
        for served in 0..4 {
            let facts = ask(&client).await.connection.unwrap();
            assert_eq!((facts.served_before > 0, facts.shared), (road.reuse && served > 0, false));
        }
        // Then one connection was opened, or four
        assert_eq!(mock.state().connections, connections, "{road:?}");
        assert_eq!(client.connections_opened(), connections);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_version_of_tls_is_spoken_and_resumed_only_when_told() {
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        for resumption in [false, true] {
            let mock = mock();
            let client = client(&mock, &Road { resumption, ..Road::fresh() }.tls(version));
            let exchanges = [ask(&client).await, ask(&client).await, ask(&client).await];
            // The first cannot resume anything
            let seen = exchanges.each_ref().map(resumed);
            assert_eq!(seen, [(version, false), (version, resumption), (version, resumption)]);
            // And the server counts the same
            let state = mock.state();
            let expected = if resumption { (1, 2) } else { (3, 0) };
            assert_eq!((state.tls_full, state.tls_resumed), expected, "{version:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let mock = mock();
    let other = Mock::start(MockConfig::default()).unwrap().entrance(true, Duration::ZERO).unwrap();
    let url = mock.entrance(true, Duration::ZERO).unwrap().url;
    let target = support::target(Dialect::OpenAi, &url, &Auth::None).trusting(other.certificate.unwrap());
    let client = Client::over(&Road::fresh().tls(TlsVersion::Tls13), target, Timeouts::default());
    assert_eq!(support::failure(&client).await.class, ErrorClass::Tls);
    assert_eq!(mock.state().requests.values().sum::<u64>(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_carries_all_requests_on_one_connection_and_says_so() {
    for tls in [None, Some(TlsVersion::Tls13)] {
        // Given a client of HTTP/2
        let mock = mock();
        let client = client(&mock, &Road { tls, http: HttpVersion::Http2, ..Road::default() });
        // When ten questions are asked at once, and one more
        let mut exchanges = ask_at_once(&client, 10).await;
        exchanges.push(ask(&client).await);
        // Then all of them shared a connection
        assert_eq!((mock.state().connections, client.connections_opened()), (1, 1), "{tls:?}");
        let opened = exchanges.iter().filter(|exchange| exchange.connection.unwrap().opened.is_some());
        assert_eq!(opened.count(), 1);
        assert!(exchanges.iter().all(|exchange| exchange.connection.unwrap().shared));
        // And each has its times in order
        for exchange in exchanges {
            let timeline = exchange.outcome.unwrap().timeline;
            let stamps = [timeline.intended, timeline.send, timeline.headers.unwrap()];
            let stamps = [&stamps[..], &[timeline.first_content().unwrap().at, timeline.end]].concat();
            assert!(stamps.is_sorted(), "{stamps:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_opens_a_connection_for_each_of_many_at_once() {
    let mock = mock();
    let client = client(&mock, &Road::default().tls(TlsVersion::Tls13));
    ask_at_once(&client, 10).await;
    ask_at_once(&client, 10).await;
    assert!((5..=10).contains(&mock.state().connections), "{}", mock.state().connections);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_opened_ahead_is_the_next_ones() {
    let mock = mock();
    let client = client(&mock, &Road::fresh().tls(TlsVersion::Tls13).rtt(RTT));
    client.connect().await.unwrap();
    let exchange = ask(&client).await;
    assert_eq!((client.connections_opened(), mock.state().connections), (1, 1));
    let facts = exchange.connection.unwrap();
    assert!(facts.opened.is_some() && facts.served_before == 0);
    // And it is not kept
    ask(&client).await;
    assert_eq!(client.connections_opened(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_http_2_is_no_http_2_target() {
    // Given a server that hangs up on whatever it does not understand
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let road = Road { http: HttpVersion::Http2, ..Road::default() };
    let client =
        Client::over(&road, support::target(Dialect::OpenAi, &url, &Auth::None), Timeouts::default());
    // Then the failure is one of the connection, and no latency
    let class = support::failure(&client).await.class;
    assert!(matches!(class, ErrorClass::Disconnect | ErrorClass::Connect), "{class:?}");
}

async fn simulated(defect: Option<Defect>) -> Arc<Session> {
    let mut settings = Settings::simulated();
    let TargetKind::Mock(mock) = &mut settings.target else { panic!("the mock") };
    mock.defect = defect;
    Arc::new(Session::start(settings).await.expect("the mock starts"))
}

/// Saved in milliseconds, as measured and as predicted, and whether the two agree.
fn saved(summary: &GroupSummary, name: &str, x: Option<f64>) -> (f64, f64, bool) {
    let arm = summary.arms.iter().find(|arm| arm.name == name && arm.x == x).expect("the arm");
    let metric = &arm.metrics[summary.primary.as_str()];
    let predicted = metric.predicted.as_ref().expect("a prediction");
    let measured = metric.versus_control.expect("a control").difference.estimate;
    (measured / 1e6, predicted.saving / 1e6, predicted.agrees)
}

/// The saving is at least nine tenths of the prediction; a loaded machine only ever adds.
#[track_caller]
fn assert_saved(summary: &GroupSummary, name: &str, x: Option<f64>, expected_ms: f64) {
    let (measured, predicted, _) = saved(summary, name, x);
    assert_eq!(predicted, expected_ms, "{name}");
    assert!((0.75..1.5).contains(&(measured / predicted)), "{name}: {measured} of {predicted} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn reuse_saves_the_round_trips_that_are_predicted() {
    let session = simulated(None).await;
    let summary = compare(&session, connection::reuse(&[25, 75]), 5).await.unwrap();
    assert_saved(&summary, "reused", Some(25.0), 50.0);
    assert_saved(&summary, "reused", Some(75.0), 150.0);
    // One connection for each distance, and one for each request that has its own
    assert_eq!(session.connections(), 2 + 2 * 6);
    assert!(summary.remarks[0].contains("25 to 75 ms"), "{:?}", summary.remarks);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_closes_each_connection_proves_the_prediction_wrong() {
    let session = simulated(Some(Defect::Closing)).await;
    let summary = compare(&session, connection::reuse(&[75]), 5).await.unwrap();
    let (measured, predicted, agrees) = saved(&summary, "reused", Some(75.0));
    assert!(!agrees && measured < 0.5 * predicted, "{measured} of {predicted} ms");
    assert_eq!(session.connections(), 2 * 6, "what is to be reused is opened anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_of_opening_saves_its_round_trips() {
    let session = simulated(None).await;
    let summary = compare(&session, connection::tls(), 4).await.unwrap();
    let expected = [
        ("tls12_resumed", 25.0),
        ("tls13_full", 25.0),
        ("tls13_resumed", 25.0),
        ("plain", 50.0),
        ("opened_ahead", 75.0),
        ("reused", 75.0),
    ];
    for (name, ms) in expected {
        let (measured, predicted, _) = saved(&summary, name, None);
        assert_eq!(predicted, ms, "{name}");
        assert!(measured > 0.6 * ms, "{name}: {measured} of {ms} ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_prompts_and_many_at_once_wait_longer_on_new_connections() {
    let session = simulated(None).await;
    let summary = compare(&session, connection::prompt(&[1, 400]), 3).await.unwrap();
    let of = |kb| saved(&summary, "reused", Some(kb));
    assert_eq!((of(1.0).1, of(400.0).1), (20.0, 60.0));
    assert!(of(400.0).0 > 1.5 * of(1.0).0, "{:?} and {:?}", of(1.0), of(400.0));
    let summary = compare(&session, connection::http(), 3).await.unwrap();
    for name in ["http1_pool", "http2"] {
        let (measured, predicted, _) = saved(&summary, name, None);
        assert!(predicted == 80.0 && measured > 0.6 * predicted, "{name}: {measured} of {predicted} ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_target_is_asked_over_its_own_distance_alone() {
    // Given a mock that is asked as if it were a live target
    let mock = mock();
    let target = format!("openai+{}", mock.url());
    let settings = Settings::new(&Environment::of(&[("LLMLAB_TARGET", &target)]), &TargetFile::default());
    let session = Arc::new(Session::start(settings.unwrap()).await.unwrap());
    let able = |group: &Group| {
        let obstacle = |arm: &&Arm| arm.obstacle(&session, Dialect::OpenAi).is_none();
        group.arms.iter().filter(obstacle).map(Arm::label).collect::<Vec<_>>()
    };
    // Then only reuse itself is left of the groups
    assert_eq!(able(&connection::reuse(&connection::RTT_MS)), ["fresh/0", "reused/0"]);
    assert!(able(&connection::tls()).is_empty() && able(&connection::http()).is_empty());
    // And it is what happens
    let before = mock.state().connections;
    compare(&session, connection::reuse(&[0]), 3).await.unwrap();
    assert_eq!(mock.state().connections - before, 1 + 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_is_in_no_ttft() {
    let summary = compare(&simulated(None).await, connection::reuse(&[25]), 3).await.unwrap();
    let metric = |arm: usize, metric: Metric| summary.arms[arm].metrics[metric.name()].summary.p50 / 1e6;
    assert!(metric(0, Metric::TTFT_RESPONSE) - metric(0, Metric::TTFT) >= 50.0);
}
