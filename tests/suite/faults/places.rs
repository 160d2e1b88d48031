//! What goes wrong before a request is sent, or between two of them.

use std::net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream};
use std::time::{Duration, Instant};

use llmlab::client::{Auth, Client, ErrorClass, Timeouts};
use llmlab::wire::Dialect;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{SHORT, SOON, next, within};
use crate::support::{
    LAST_CHUNK, RawServer, Step, chunk, client, client_within, openai_answer, openai_end, openai_says, plain,
    send, stream_head, target,
};
use crate::tls::{Authority, Identity};

fn quick_to_connect() -> Timeouts {
    let long = Duration::from_secs(20);
    Timeouts { connect: SHORT, first_byte: long, silence: long, total: long }
}

/// An exchange that failed before it was sent, with its class.
async fn unsent(client: &Client) -> ErrorClass {
    let start = Instant::now();
    let exchange = send(client).await;
    let failure = exchange.outcome.map(drop).expect_err("it cannot succeed");
    assert!(start.elapsed() < SOON, "{failure} took {:?}", start.elapsed());
    assert_eq!((exchange.sent, exchange.status), (None, None), "{failure}");
    failure.class
}

/// Answers one request after the other on a stream.
pub(super) async fn answer<S: AsyncReadExt + AsyncWriteExt + Unpin>(mut stream: S) {
    let mut raw = Vec::new();
    while stream.read_buf(&mut raw).await.is_ok_and(|read| read > 0) {
        if raw.ends_with(b"}") {
            raw.clear();
            let events = openai_says("Hello") + &openai_end();
            let answer = stream_head() + &chunk(&events) + LAST_CHUNK;
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

#[test]
fn a_refused_connection_is_tried_anew_by_the_next_request() {
    within(async {
        // Given a port on which nobody listens
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let client = client(Dialect::OpenAi, &format!("http://{address}"));
        assert_eq!(unsent(&client).await, ErrorClass::Connect);
        // When somebody does
        let listener = TcpListener::bind(address).await.unwrap();
        tokio::spawn(async move { answer(listener.accept().await.unwrap().0).await });
        // Then the same client gets its answer
        assert_eq!(next(&client).await, "Hello");
    });
}

#[test]
fn a_name_that_nobody_knows_is_a_failed_connection_each_time() {
    within(async {
        let client = client(Dialect::OpenAi, "http://no-such-host.invalid");
        for _ in 0..2 {
            assert_eq!(unsent(&client).await, ErrorClass::Connect);
        }
    });
}

/// A listener whose queue is full, with those who wait in it; absent where the kernel lets more in.
fn black_hole() -> Option<(StdListener, Vec<StdStream>)> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
    socket.listen(0).expect("it listens");
    let listener = StdListener::from(socket);
    let address = listener.local_addr().expect("it is bound");
    let mut queue = Vec::new();
    while queue.len() < 16 {
        match StdStream::connect_timeout(&address, Duration::from_millis(200)) {
            Ok(stream) => queue.push(stream),
            Err(_) => return Some((listener, queue)),
        }
    }
    None
}

#[test]
fn a_black_hole_is_a_timeout_of_the_connection() {
    // Given a server whose kernel drops what it cannot queue; one that answers for it leaves nothing to test
    let Some((listener, queue)) = black_hole() else { return };
    within(async move {
        let address = listener.local_addr().unwrap();
        let client = client_within(Dialect::OpenAi, &format!("http://{address}"), quick_to_connect());
        // When it is asked, then the bound on connecting ends it
        assert_eq!(unsent(&client).await, ErrorClass::Timeout);
        // And the next request is answered, once there is room
        drop(queue);
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
        let patient = Timeouts { connect: Duration::from_secs(20), ..quick_to_connect() };
        assert_eq!(
            next(&client_within(Dialect::OpenAi, &format!("http://{address}"), patient)).await,
            "Hello"
        );
        assert_eq!(next(&client).await, "Hello");
    });
}

#[test]
fn a_listener_that_never_accepts_is_a_timeout_of_the_first_byte() {
    within(async {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = client_within(Dialect::OpenAi, &url, super::Bound::FirstByte.timeouts());
        // When its kernel takes a request that nobody reads
        let exchange = send(&client).await;
        // Then that was sent, and is given up in time
        let failure = exchange.outcome.map(drop).unwrap_err();
        assert_eq!(failure.class, ErrorClass::Timeout, "{failure}");
        assert!(failure.message.contains("first byte") && exchange.sent.is_some(), "{failure}");
        assert!(exchange.ended - exchange.intended < SOON);
        // And the next is answered, once somebody accepts
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
        assert_eq!(next(&client).await, "Hello");
    });
}

/// What a server does with the first connection instead of a proper handshake.
#[derive(Debug, Clone, Copy)]
enum Handshake {
    PlainHttp,
    Garbage,
    Closed,
    Silent,
    Untrusted,
    WrongName,
}

/// Serves TLS on the second connection, and does this to the first.
async fn serve_tls(listener: TcpListener, first: Handshake, authority: Authority) {
    let (stream, _) = listener.accept().await.expect("a first connection");
    let kept = spoil(stream, first, &authority).await;
    let (stream, _) = listener.accept().await.expect("a second connection");
    drop(kept);
    let proper = authority.issue("127.0.0.1");
    if let Ok(stream) = proper.accept(stream).await {
        answer(stream).await;
    }
}

async fn spoil(mut stream: TcpStream, first: Handshake, authority: &Authority) -> Option<TcpStream> {
    let acceptor = match first {
        Handshake::PlainHttp | Handshake::Garbage => {
            let _ = stream.read(&mut [0; 16]).await;
            let text = if matches!(first, Handshake::Garbage) {
                "\x16\x03 what?".into()
            } else {
                plain(400, "", "")
            };
            let _ = stream.write_all(text.as_bytes()).await;
            return Some(stream);
        }
        Handshake::Closed => return None,
        Handshake::Silent => return Some(stream),
        Handshake::Untrusted => Identity::of("127.0.0.1").acceptor,
        Handshake::WrongName => authority.issue("elsewhere.test"),
    };
    // It is the client that refuses.
    let _ = acceptor.accept(stream).await;
    None
}

#[test]
fn every_failed_handshake_is_one_of_tls_and_no_request() {
    let cases = [
        (Handshake::PlainHttp, ErrorClass::Tls),
        (Handshake::Garbage, ErrorClass::Tls),
        (Handshake::Closed, ErrorClass::Tls),
        (Handshake::Silent, ErrorClass::Timeout),
        (Handshake::Untrusted, ErrorClass::Tls),
        (Handshake::WrongName, ErrorClass::Tls),
    ];
    for (handshake, class) in cases {
        within(async move {
            // Given a server whose first handshake goes wrong
            let authority = Authority::new();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("https://{}", listener.local_addr().unwrap());
            let target = target(Dialect::OpenAi, &url, &Auth::None).trusting(authority.certificate.clone());
            tokio::spawn(serve_tls(listener, handshake, authority));
            let bounds = Timeouts { connect: 5 * SHORT, ..quick_to_connect() };
            let client = Client::new(target, bounds);
            // When it is asked twice, then the first fails as what it is, and the second is answered
            assert_eq!(unsent(&client).await, class, "{handshake:?}");
            assert_eq!(next(&client).await, "Hello", "{handshake:?}");
        });
    }
}

#[test]
fn a_second_response_that_nobody_asked_for_is_nobodys_answer() {
    for pause in [Duration::ZERO, Duration::from_millis(20)] {
        within(async move {
            // Given a server that answers the first request twice, at once or a moment later
            let stale = || {
                let events = openai_says("stale") + &openai_end();
                stream_head() + &chunk(&events) + LAST_CHUNK
            };
            let server = RawServer::start(move |request| {
                let mut steps = openai_answer();
                match (request.number, &mut steps[0]) {
                    (0, Step::Write(text)) if pause.is_zero() => text.push_str(&stale()),
                    (0, _) => steps.extend([Step::Pause(pause), Step::Write(stale())]),
                    _ => {}
                }
                steps
            });
            let client = client(Dialect::OpenAi, &server.url());
            // When it is asked twice
            assert_eq!(next(&client).await, "Hello");
            tokio::time::sleep(3 * pause).await;
            // Then the second request gets its own answer, on a connection that can be trusted
            assert_eq!(next(&client).await, "Hello", "{pause:?}");
            assert_eq!(server.connections(), 2, "{pause:?}");
        });
    }
}
