//! The client's connections and stamps over real sockets: which read brought an event, and when.

use std::time::{Duration, Instant};

use futures::future::join;
use llmlab::client::Answer;
use llmlab::timeline::{Stamped, Timeline};
use llmlab::wire::Dialect;

use crate::support::{
    LAST_CHUNK, PAUSE, RawServer, Step, chunk, client, openai_answer, openai_end, openai_says, send,
    stream_head, text,
};

/// The answer of a server that follows `steps`.
async fn answer(steps: impl Fn() -> Vec<Step> + Send + Sync + 'static) -> Answer {
    let server = RawServer::start(move |_| steps());
    send(&client(Dialect::OpenAi, &server.url())).await.outcome.expect("the script is a whole answer")
}

fn said(text: &str) -> Step {
    Step::Write(chunk(&openai_says(text)))
}

fn end() -> Step {
    Step::Write(chunk(&openai_end()) + LAST_CHUNK)
}

fn content(timeline: &Timeline) -> Vec<&Stamped> {
    timeline.events.iter().filter(|stamped| stamped.event.is_content()).collect()
}

#[tokio::test]
async fn a_connection_is_opened_once_and_says_what_it_served() {
    // Given a server
    let server = RawServer::start(|_| openai_answer());
    let client = client(Dialect::OpenAi, &server.url());
    // When it is asked twice
    let (first, second) = (send(&client).await.connection.unwrap(), send(&client).await.connection.unwrap());
    // Then the first exchange paid for the connection and the second did not
    let opened = first.opened.expect("it was opened for this exchange");
    assert!(opened.tcp_ns > 0 && opened.tls_ns.is_none());
    assert_eq!((first.served_before, second.served_before), (0, 1));
    assert_eq!((second.id, second.opened), (first.id, None));
    assert_eq!((server.connections(), client.connections_opened()), (1, 1));
}

#[tokio::test]
async fn a_refusal_leaves_its_connection_open() {
    // Given a server that refuses the first request
    let refusal = || vec![Step::Write(crate::support::plain(429, "", "slow down"))];
    let server = RawServer::once(refusal);
    let client = client(Dialect::OpenAi, &server.url());
    // When it is asked again
    assert!(send(&client).await.outcome.is_err());
    let again = send(&client).await;
    // Then no second connection was needed
    assert!(again.outcome.is_ok());
    assert_eq!((again.connection.unwrap().served_before, server.connections()), (1, 1));
}

#[tokio::test]
async fn a_connection_that_the_server_closed_while_idle_is_replaced() {
    // Given a server that closes after each answer without having said so
    let close = || [Step::Pause(PAUSE), Step::Close];
    let server = RawServer::start(move |_| openai_answer().into_iter().chain(close()).collect());
    let client = client(Dialect::OpenAi, &server.url());
    assert_eq!(text(&client).await, "Hello");
    // And a runtime that did not run meanwhile, so that it cannot know
    server.wait_for_close();
    std::thread::sleep(2 * PAUSE);
    // When it is asked again
    let exchange = send(&client).await;
    // Then nothing failed, and the exchange paid for a new connection
    exchange.outcome.unwrap();
    assert_eq!(exchange.connection.map(|facts| (facts.id, facts.served_before)), Some((2, 0)));
    assert_eq!(server.requests().len(), 2, "no request was sent twice");
}

#[tokio::test]
async fn events_with_pauses_between_them_come_in_reads_of_their_own() {
    // Given a server that pauses between its events
    let start = Instant::now();
    let steps = || {
        vec![
            Step::Write(stream_head()),
            said("a"),
            Step::Pause(PAUSE),
            said("b"),
            Step::Pause(PAUSE),
            said("c"),
            end(),
        ]
    };
    // When it is read
    let answer = answer(steps).await;
    // Then each event has its read, and the stamps follow the clock
    let timeline = &answer.timeline;
    let content = content(timeline);
    assert_eq!(content.len(), 3);
    assert!(content.windows(2).all(|pair| pair[0].read < pair[1].read && pair[0].at < pair[1].at));
    assert!(content[2].at - content[0].at >= PAUSE, "a stamp never comes before its bytes");
    let mut clock = vec![
        start,
        timeline.intended,
        timeline.send,
        timeline.headers.unwrap(),
        timeline.first_byte.unwrap(),
    ];
    clock.extend(timeline.events.iter().map(|stamped| stamped.at));
    clock.extend([timeline.end, Instant::now()]);
    assert!(clock.is_sorted(), "{clock:?}");
}

#[tokio::test]
async fn events_of_one_write_share_a_read() {
    // Given a server that writes two events at once, as two HTTP chunks
    let both = || chunk(&openai_says("a")) + &chunk(&openai_says("b"));
    let steps = move || {
        vec![Step::Write(stream_head()), Step::Pause(PAUSE), Step::Write(both()), Step::Pause(PAUSE), end()]
    };
    // When it is read
    let timeline = answer(steps).await.timeline;
    // Then they are known to be coalesced
    let content = content(&timeline);
    assert_eq!((content[0].read, content[0].at), (content[1].read, content[1].at));
    assert_eq!((timeline.coalesced(), timeline.single_read()), (1, true));
}

#[tokio::test]
async fn an_event_in_two_writes_is_stamped_when_it_is_complete() {
    // Given a server that pauses inside an event
    let whole = chunk(&openai_says("a"));
    let (head, tail) = whole.split_at(whole.len() / 2);
    let (head, tail) = (head.to_owned(), tail.to_owned());
    let steps = move || {
        vec![Step::Write(stream_head() + &head), Step::Pause(PAUSE), Step::Write(tail.clone()), end()]
    };
    // When it is read
    let timeline = answer(steps).await.timeline;
    // Then its stamp is that of the second half
    let first_byte = timeline.first_byte.unwrap();
    assert!(content(&timeline)[0].at - first_byte >= PAUSE / 2, "{timeline:?}");
    assert_eq!(content(&timeline)[0].read, 1);
}

#[tokio::test]
async fn a_process_that_reads_late_moves_no_stamp() {
    // Given a server that answers soon, and a thread that does something else for a long time once it has asked
    const BUSY: Duration = Duration::from_secs(3);
    let answer = || vec![Step::Pause(PAUSE), Step::Write(stream_head()), said("a"), end()];
    let server = RawServer::start(move |_| answer());
    let client = client(Dialect::OpenAi, &server.url());
    let busy = async {
        while server.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        std::thread::sleep(BUSY);
    };
    // When it reads
    let begin = Instant::now();
    let (exchange, ()) = join(send(&client), busy).await;
    assert!(begin.elapsed() >= BUSY);
    let answer = exchange.outcome.expect("an answer");
    // Then the stamps are of when the bytes came, where the kernel says so, and the lag of when they were read
    if cfg!(target_os = "linux") {
        let ttft = content(&answer.timeline)[0].at - answer.timeline.send;
        assert!(ttft >= PAUSE / 2 && ttft < BUSY / 2, "{ttft:?}");
        assert!(answer.client_lag >= BUSY / 2, "{:?}", answer.client_lag);
    }
}

/// The answer of a server that writes eight events, one every 60 ms, to a task that is busy most of the time.
async fn answer_to_a_slow_reader() -> Answer {
    let events = || (0..8).flat_map(|_| [Step::Pause(PAUSE), said("x")]);
    let server = RawServer::start(move |_| {
        [Step::Write(stream_head())].into_iter().chain(events()).chain([end()]).collect()
    });
    let client = client(Dialect::OpenAi, &server.url());
    let busy = async {
        for _ in 0..5 {
            std::thread::sleep(Duration::from_millis(400));
            tokio::task::yield_now().await;
        }
    };
    let (exchange, ()) =
        tokio::spawn(async move { join(send(&client), busy).await }).await.expect("no panic");
    exchange.outcome.expect("an answer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_moves_no_stamp() {
    // Given a busy machine, which may hold up any thread: a reader that moved stamps would move them always
    let mut tries = Vec::new();
    while tries.len() < 8 {
        let answer = answer_to_a_slow_reader().await;
        assert_eq!(content(&answer.timeline).len(), 8);
        // Whoever asked went on late, and that is known
        assert!(answer.client_lag >= Duration::from_millis(100), "{:?}", answer.client_lag);
        // Then each event has the stamp of a read of its own, at its own time
        if answer.timeline.coalesced() == 0 {
            return;
        }
        tries.push(answer.timeline.gaps());
    }
    panic!("events were coalesced in every try: {tries:?}");
}
