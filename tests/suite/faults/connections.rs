//! Connections that must not be used again, requests that nobody reads, and ends without a goodbye or before their time.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use llmlab::client::{Auth, Client, ErrorClass, Failure, Timeouts};
use llmlab::wire::{Ask, Dialect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::places::answer;
use super::table::Bound;
use super::{SOON, next, within};
use crate::support::{chunk, client_within, openai_end, openai_says, stream_head, target};
use crate::tls::Identity;

/// More than the kernel buffers of a connection hold.
const LARGE_PROMPT: usize = 16 * 1024 * 1024;

/// A server that does `first` with its first connection and answers on all others; its address, and how many
/// connections it had.
async fn server<F: Future<Output = ()> + Send>(
    first: impl Fn(TcpStream) -> F + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let (connections, first) = (Arc::new(AtomicUsize::new(0)), Arc::new(first));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (number, first) = (counted.fetch_add(1, Ordering::SeqCst), Arc::clone(&first));
            tokio::spawn(async move { if number == 0 { first(stream).await } else { answer(stream).await } });
        }
    });
    (address, connections)
}

/// Reads the head of a request, and no more of it than came along.
async fn read_head<S: AsyncReadExt + Unpin>(stream: &mut S) {
    let mut raw = Vec::new();
    while !raw.windows(4).any(|four| four == b"\r\n\r\n") {
        assert!(stream.read_buf(&mut raw).await.expect("a request") > 0);
    }
}

/// Keeps a connection open without a word until the client is gone.
async fn keep(mut stream: TcpStream) {
    while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
}

/// How a question with a long prompt fails.
async fn ask_at_length(client: &Client) -> Failure {
    let ask = Ask::question("word ".repeat(LARGE_PROMPT / 5), 16);
    let start = Instant::now();
    let exchange = client.send(&ask, Instant::now(), &HeaderMap::new()).await;
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert!(exchange.sent.is_some());
    exchange.outcome.map(drop).expect_err("it is no answer")
}

#[test]
fn a_connection_that_its_server_is_done_with_is_not_used_again() {
    let body = openai_says("Hello") + &openai_end();
    let length = format!("content-length: {}\r\n", body.len());
    let heads = [
        format!("HTTP/1.1 200 OK\r\n{length}connection: close\r\n"),
        format!("HTTP/1.1 200 OK\r\n{length}Connection: Keep-Alive, Close\r\n"),
        format!("HTTP/1.0 200 OK\r\n{length}"),
    ];
    for head in heads {
        let response = format!("{head}content-type: text/event-stream\r\n\r\n{body}");
        within(async move {
            // Given a server that says so, and yet keeps the connection open, where it answers no more
            let (address, connections) = server(move |mut stream| {
                let response = response.clone();
                async move {
                    read_head(&mut stream).await;
                    stream.write_all(response.as_bytes()).await.expect("it is taken");
                    keep(stream).await;
                }
            })
            .await;
            let url = format!("http://{address}");
            let client = client_within(Dialect::OpenAi, &url, Bound::FirstByte.timeouts());
            // When it is asked twice, then each question has a connection of its own
            assert_eq!([next(&client).await, next(&client).await], ["Hello", "Hello"], "{head}");
            assert_eq!(connections.load(Ordering::SeqCst), 2, "{head}");
        });
    }
}

#[test]
fn an_http_1_0_connection_that_is_kept_alive_is_used_again() {
    within(async {
        let body = openai_says("Hello") + &openai_end();
        let length = body.len();
        let head = "HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\nconnection: keep-alive\r\n";
        let response = format!("{head}content-length: {length}\r\n\r\n{body}");
        let (address, connections) = server(move |mut stream| {
            let response = response.clone();
            async move {
                for _ in 0..2 {
                    read_head(&mut stream).await;
                    stream.write_all(response.as_bytes()).await.expect("it is taken");
                }
            }
        })
        .await;
        let client = client_within(Dialect::OpenAi, &format!("http://{address}"), Bound::None.timeouts());
        assert_eq!([next(&client).await, next(&client).await], ["Hello", "Hello"]);
        assert_eq!(connections.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_refusal_that_comes_while_the_request_is_written_is_heard() {
    within(async {
        // Given a server that refuses a prompt of which it has seen the head alone, and reads no more
        let (address, _) = server(|mut stream| async move {
            read_head(&mut stream).await;
            let refusal = "HTTP/1.1 413 x\r\nconnection: close\r\ncontent-length: 8\r\n\r\ntoo long";
            stream.write_all(refusal.as_bytes()).await.expect("it is taken");
            std::future::pending::<()>().await;
        })
        .await;
        let client = client_within(Dialect::OpenAi, &format!("http://{address}"), Bound::Total.timeouts());
        // When it gets a prompt that no buffer holds, then its refusal is what counts
        let failure = ask_at_length(&client).await;
        assert_eq!(failure.class, ErrorClass::Http4xx, "{failure}");
        assert!(failure.message.contains("too long"), "{failure}");
        // And a shorter question is answered
        assert_eq!(next(&client).await, "Hello");
    });
}

#[test]
fn a_request_that_nobody_reads_is_a_timeout_of_the_first_byte() {
    within(async {
        let (address, _) = server(|stream| async move {
            let _open = stream;
            std::future::pending::<()>().await;
        })
        .await;
        let client =
            client_within(Dialect::OpenAi, &format!("http://{address}"), Bound::FirstByte.timeouts());
        let failure = ask_at_length(&client).await;
        assert_eq!(failure.class, ErrorClass::Timeout, "{failure}");
        assert!(failure.message.contains("first byte"), "{failure}");
        assert_eq!(next(&client).await, "Hello");
    });
}

#[test]
fn a_compressed_answer_that_ends_before_its_time_is_cut() {
    within(async {
        // Given a compressed stream that stops after its first event, in a body that is whole
        let (address, _) = server(|mut stream| async move {
            read_head(&mut stream).await;
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(openai_says("Hel").as_bytes()).and_then(|()| encoder.flush()).expect("memory");
            let body = encoder.get_ref();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n";
            let head = format!("{head}content-length: {}\r\n\r\n", body.len());
            stream.write_all(&[head.as_bytes(), body].concat()).await.expect("it is taken");
            answer(stream).await;
        })
        .await;
        let client = client_within(Dialect::OpenAi, &format!("http://{address}"), Bound::None.timeouts());
        // When it is asked, then the answer is not whole
        let failure = crate::support::failure(&client).await;
        assert_eq!(failure.class, ErrorClass::Truncated, "{failure}");
        assert_eq!(next(&client).await, "Hello");
    });
}

#[test]
fn a_tls_connection_that_ends_without_a_goodbye_ends_what_was_sent_and_no_more() {
    let (said, end) = (openai_says("Hello"), openai_end());
    let close = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let cases = [
        ("in a chunked body", stream_head() + &chunk(&said), None),
        ("in a body up to the close", format!("{close}{said}"), None),
        ("after the terminal event", format!("{close}{said}{end}"), Some("Hello")),
    ];
    for (place, response, text) in cases {
        within(async move {
            // Given a server whose connection is cut there, below TLS
            let identity = Identity::of("127.0.0.1");
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("https://{}", listener.local_addr().unwrap());
            let target = target(Dialect::OpenAi, &url, &Auth::None).trusting(identity.certificate);
            tokio::spawn(async move {
                for number in 0..2 {
                    let (stream, _) = listener.accept().await.expect("a connection");
                    let mut stream = identity.acceptor.accept(stream).await.expect("a handshake");
                    if number > 0 {
                        return answer(stream).await;
                    }
                    read_head(&mut stream).await;
                    stream.write_all(response.as_bytes()).await.expect("it is taken");
                    stream.flush().await.expect("it is taken");
                    stream.get_mut().0.shutdown().await.expect("it is closed");
                    drop(stream);
                }
            });
            let long = Bound::None.timeouts();
            let client = Client::new(target, Timeouts { total: SOON, ..long });
            // When it is asked, then what is whole is an answer, and what is not is cut
            let outcome = crate::support::send(&client).await.outcome;
            let found = outcome.map(|answer| answer.reply.text()).map_err(|failure| failure.class);
            assert_eq!(found, text.map(str::to_owned).ok_or(ErrorClass::Truncated), "{place}");
            assert_eq!(next(&client).await, "Hello", "{place}");
        });
    }
}
