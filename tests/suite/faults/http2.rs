//! Faults of a server of HTTP/2, whose connection carries other requests too.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::future::join_all;
use h2::server::{Connection, SendResponse};
use h2::{Reason, SendStream};
use llmlab::client::{Auth, Client, ErrorClass, HttpVersion, Road};
use llmlab::wire::Dialect;
use tokio::net::{TcpListener, TcpStream};

use super::table::{Bound, MOMENT};
use super::{SOON, next, within};
use crate::support::{openai_end, openai_says, send, target};

/// What becomes of the first request.
#[derive(Debug, Clone, Copy)]
enum Fault {
    RefusedStream,
    ResetBeforeHead,
    ResetInBody,
    EndedWithoutTerminal,
    SilentBeforeHead,
    SilentInBody,
    ClosedInBody,
    GoneAway,
}

/// What a request does to its connection.
enum After {
    GoOn,
    Close,
    GoAway,
}

fn head() -> http::Response<()> {
    http::Response::builder().header("content-type", "text/event-stream").body(()).expect("a response")
}

fn begin(respond: &mut SendResponse<Bytes>) -> SendStream<Bytes> {
    let mut stream = respond.send_response(head(), false).expect("the head is sent");
    stream.send_data(Bytes::from(openai_says("Hel")), false).expect("an event is sent");
    stream
}

/// Answers, or does what the fault says; what must not be dropped yet is kept.
fn respond(
    mut respond: SendResponse<Bytes>,
    fault: Option<Fault>,
    kept: &mut Vec<Box<dyn Any + Send>>,
) -> After {
    match fault {
        None => {
            let mut stream = respond.send_response(head(), false).expect("the head is sent");
            stream.send_data(Bytes::from(openai_says("Hello") + &openai_end()), true).expect("it is sent");
        }
        Some(Fault::RefusedStream) => respond.send_reset(Reason::REFUSED_STREAM),
        Some(Fault::ResetBeforeHead) => respond.send_reset(Reason::INTERNAL_ERROR),
        Some(Fault::ResetInBody) => {
            let mut stream = begin(&mut respond);
            // A reset takes with it what was not written yet.
            tokio::spawn(async move {
                tokio::time::sleep(MOMENT).await;
                stream.send_reset(Reason::INTERNAL_ERROR);
            });
        }
        Some(Fault::EndedWithoutTerminal) => {
            begin(&mut respond).send_data(Bytes::new(), true).expect("the end is sent");
        }
        Some(Fault::SilentBeforeHead) => kept.push(Box::new(respond)),
        Some(Fault::SilentInBody) => kept.push(Box::new(begin(&mut respond))),
        Some(Fault::ClosedInBody) => {
            kept.push(Box::new(begin(&mut respond)));
            return After::Close;
        }
        Some(Fault::GoneAway) => return After::GoAway,
    }
    After::GoOn
}

async fn serve(mut connection: Connection<TcpStream, Bytes>, requests: &AtomicUsize, fault: Fault) {
    let mut kept: Vec<Box<dyn Any + Send>> = Vec::new();
    while let Some(Ok((_, answer))) = connection.accept().await {
        let number = requests.fetch_add(1, Ordering::SeqCst);
        match respond(answer, (number == 0).then_some(fault), &mut kept) {
            After::GoOn => {}
            After::GoAway => connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM),
            After::Close => {
                // What was begun is written before the connection is gone.
                let _ = tokio::time::timeout(MOMENT, connection.accept()).await;
                return;
            }
        }
    }
}

/// A client of HTTP/2, and how many requests its server has seen.
async fn client(fault: Fault, bound: Bound) -> (Client, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                if let Ok(connection) = h2::server::handshake(stream).await {
                    serve(connection, &seen, fault).await;
                }
            });
        }
    });
    let road = Road { http: HttpVersion::Http2, ..Road::default() };
    let target = target(Dialect::OpenAi, &url, &Auth::None);
    (Client::over(&road, target, bound.timeouts()), requests)
}

#[test]
fn every_fault_of_an_http_2_stream_ends_in_its_class() {
    use ErrorClass::{Disconnect, Timeout, Truncated};
    let cases = [
        (Fault::RefusedStream, Disconnect, Bound::None),
        (Fault::ResetBeforeHead, Disconnect, Bound::None),
        (Fault::ResetInBody, Truncated, Bound::None),
        (Fault::EndedWithoutTerminal, Truncated, Bound::None),
        (Fault::SilentBeforeHead, Timeout, Bound::FirstByte),
        (Fault::SilentInBody, Timeout, Bound::Silence),
        (Fault::ClosedInBody, Truncated, Bound::None),
        (Fault::GoneAway, Disconnect, Bound::None),
    ];
    within(join_all(cases.map(async |(fault, class, bound)| {
        // Given a server that does this to the first request
        let (client, requests) = client(fault, bound).await;
        // When it is asked
        let exchange = send(&client).await;
        // Then the failure is of its class, within its bound
        let failure = exchange.outcome.map(drop).expect_err("it is no answer");
        assert_eq!(failure.class, class, "{fault:?}: {failure}");
        assert!(failure.message.contains(bound.phase()), "{fault:?}: {failure}");
        assert!(exchange.ended - exchange.intended < SOON, "{fault:?}");
        // And the next is answered, on the same connection if that is as good as before
        assert_eq!(next(&client).await, "Hello", "{fault:?}");
        let broken = matches!(fault, Fault::ClosedInBody | Fault::GoneAway);
        assert_eq!(client.connections_opened(), 1 + u64::from(broken), "{fault:?}");
        assert_eq!(requests.load(Ordering::SeqCst), 2, "{fault:?}: nothing was sent twice");
    })));
}

#[test]
fn a_stream_that_is_reset_harms_none_of_its_neighbours() {
    within(async {
        let (client, _) = client(Fault::ResetInBody, Bound::None).await;
        client.connect().await.unwrap();
        // When ten ask at once on one connection, of which the first is reset
        let answers = join_all((0..10).map(|_| next(&client))).await;
        // Then the others have their answers
        assert_eq!(answers.iter().filter(|text| *text == "Hello").count(), 9, "{answers:?}");
        assert_eq!(client.connections_opened(), 1);
    });
}
