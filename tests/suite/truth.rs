//! The instrument against known truth: how far are the client's times from those of the server?
//!
//! The server is a process of its own that shares nothing with the client, neither code nor runtime: the
//! standard library's blocking sockets, one thread for each connection. It notes when a request's first byte
//! arrived and writes into each token how much later, in nanoseconds, that token was written. What the
//! client reports beyond that is the error: the way there and back through loopback, and the instrument.
//!
//! The figures are printed (`cargo test --test suite truth -- --nocapture`). On a machine that does other
//! things as well they say little, so that the bound on them, 0.3 ms for half of the values and 2 ms for 99
//! of 100, is only held to with `LLMLAB_TEST_STRICT=1`. What the machine itself adds is seen beside them: a
//! plain blocking socket asks the same server in turn with the client, and its errors are the floor. What does not depend on the machine is always
//! asserted: every token came, in order, and no time is shorter than the truth.

use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures::future::join_all;
use http::HeaderMap;
use llmlab::client::{Answer, Client};
use llmlab::stats::{quantile, sorted};
use llmlab::timeline::Timeline;
use llmlab::wire::{Ask, Dialect, Event};

use crate::support;

const TOKENS: usize = 20;
const FIRST_TOKEN: Duration = Duration::from_millis(30);
const EACH_TOKEN: Duration = Duration::from_millis(5);
const GREETING: &str = "truth server at ";

/// The bounds under `LLMLAB_TEST_STRICT=1`, in milliseconds.
const STRICT_P50: f64 = 0.3;
const STRICT_P99: f64 = 2.0;

/// The server. It ends when its standard input does, with the process that started it.
#[test]
#[ignore = "a process of its own, started by the other tests of this file"]
fn truth_server_process() {
    if std::io::stdin().is_terminal() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    writeln!(std::io::stdout(), "\n{GREETING}{}", listener.local_addr().unwrap()).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || drop(serve(stream)));
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// Answers every request of a connection.
fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    static REQUESTS: AtomicU64 = AtomicU64::new(0);
    stream.set_nodelay(true)?;
    while let Some(began) = take_request(&mut stream)? {
        let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
        stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        )?;
        // Concurrent answers of a real server do not beat in step: each request has a phase of its own.
        let phase = Duration::from_micros(number * 1_237 % 5_000);
        for token in 0..TOKENS {
            sleep_until(began + FIRST_TOKEN + phase + EACH_TOKEN * token as u32);
            let offset = began.elapsed().as_nanos();
            let event = format!(
                "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{offset:012} \"}}}}]}}\n\n"
            );
            stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())?;
        }
        let end =
            "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        stream.write_all(format!("{:x}\r\n{end}\r\n0\r\n\r\n", end.len()).as_bytes())?;
    }
    Ok(())
}

/// Reads a request and says when its first byte came; `None` once the client has hung up.
fn take_request(stream: &mut TcpStream) -> std::io::Result<Option<Instant>> {
    let mut raw = Vec::new();
    let mut buffer = [0; 4096];
    let mut began = None;
    loop {
        let read = stream.read(&mut buffer)?;
        let now = Instant::now();
        if read == 0 {
            return Ok(None);
        }
        let began = *began.get_or_insert(now);
        raw.extend_from_slice(&buffer[..read]);
        let Some(head) = raw.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&raw[..head]).to_ascii_lowercase();
        let length: usize =
            text.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        if raw.len() >= head + 4 + length {
            return Ok(Some(began));
        }
    }
}

fn sleep_until(deadline: Instant) {
    thread::sleep(deadline.saturating_duration_since(Instant::now()));
}

/// The server's process, ended with this value.
struct TruthServer {
    process: Child,
    url: String,
    /// Its end would be an error to the test harness in that process.
    _output: Box<dyn Iterator<Item = String>>,
}

impl TruthServer {
    fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().expect("a test binary knows where it is"))
            .args(["--exact", "truth::truth_server_process", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test binary can be started again");
        let output = process.stdout.take().expect("its output is piped");
        let mut output = BufReader::new(output).lines().map_while(Result::ok);
        let address = output.find_map(|line| line.strip_prefix(GREETING).map(str::to_owned));
        let url = format!("http://{}", address.expect("the server says where it listens"));
        Self { process, url, _output: Box::new(output) }
    }
}

impl Drop for TruthServer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // It ends by itself; this only keeps it from becoming a zombie.
        let _ = self.process.wait();
    }
}

/// What the client reported beyond the truth, in milliseconds.
#[derive(Default)]
struct Errors {
    ttft: Vec<f64>,
    gaps: Vec<f64>,
    coalesced: usize,
    lag: Duration,
}

impl Errors {
    /// Compares one answer with the truth that its text carries.
    fn add(&mut self, timeline: &Timeline) {
        let tokens: Vec<(Instant, Duration)> = timeline
            .events
            .iter()
            .filter_map(|stamped| {
                let Event::Delta { text, .. } = &stamped.event else { return None };
                let offset = text.trim().parse().expect("each token is its own offset");
                Some((stamped.at, Duration::from_nanos(offset)))
            })
            .collect();
        assert_eq!(tokens.len(), TOKENS, "every token came");
        assert!(tokens.is_sorted(), "in its order");
        for (at, truth) in &tokens {
            assert!(*at - timeline.send >= *truth, "no time is shorter than the truth");
        }
        let (at, truth) = tokens[0];
        self.ttft.push(milliseconds(at - timeline.send) - milliseconds(truth));
        self.gaps.extend(
            tokens.windows(2).map(|pair| {
                (milliseconds(pair[1].0 - pair[0].0) - milliseconds(pair[1].1 - pair[0].1)).abs()
            }),
        );
        self.coalesced += timeline.coalesced();
    }

    /// Prints a line for each metric, and holds it to its bound.
    fn report(&self, streams: usize) {
        for (name, errors) in [("ttft", sorted(&self.ttft)), ("gap", sorted(&self.gaps))] {
            let at = |q| quantile(&errors, q).expect("there are errors");
            let (p50, p99, max) = (at(0.5), at(0.99), at(1.0));
            writeln!(
                std::io::stderr(),
                "{name:>5} error at {streams:>2} streams, n = {:>4}: p50 {p50:.3} ms, p99 {p99:.3} ms, max {max:.3} ms; {} coalesced, lag {:?}",
                errors.len(), self.coalesced, self.lag
            ).expect("standard error is open");
            assert!(p50 < 1_000.0, "{name} is off by {p50} ms at {streams} streams");
            if support::is_strict() && name == "ttft" {
                assert!(p50 <= STRICT_P50 && p99 <= STRICT_P99, "{name}: p50 {p50} ms, p99 {p99} ms");
            }
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

async fn answer(client: &Client) -> Answer {
    let ask = Ask::question("Tell me the truth.", 20);
    client.send(&ask, Instant::now(), &HeaderMap::new()).await.outcome.expect("the server answers")
}

/// The answers of a stream that asks again as soon as it is answered, the first one left out: it opened the
/// connection.
async fn stream(client: Client, requests: usize) -> Vec<Answer> {
    answer(&client).await;
    let mut answers = Vec::with_capacity(requests);
    for _ in 0..requests {
        answers.push(answer(&client).await);
    }
    answers
}

/// What a plain blocking socket reports beyond the truth for the first token, in milliseconds.
struct Floor(BufReader<TcpStream>);

impl Floor {
    fn connect(url: &str) -> Self {
        let stream = TcpStream::connect(url.trim_start_matches("http://")).expect("the server listens");
        stream.set_nodelay(true).expect("a socket takes its options");
        Self(BufReader::new(stream))
    }

    fn ask(&mut self) -> f64 {
        let sent = Instant::now();
        self.0.get_mut().write_all(b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n").expect("it is written");
        let mut first = None;
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).expect("the server answers");
            let now = Instant::now();
            if let Some(offset) = line.split("\"content\":\"").nth(1).and_then(|rest| rest.split(' ').next())
            {
                let truth = Duration::from_nanos(offset.parse().expect("each token is its own offset"));
                first.get_or_insert_with(|| milliseconds(now - sent) - milliseconds(truth));
            }
            if line == "0\r\n" {
                self.0.read_line(&mut String::new()).expect("the body ends");
                return first.expect("a token came");
            }
        }
    }
}

/// The client's errors over one stream, and those of a plain socket that asks in turn with it.
async fn in_turn(requests: usize) -> (Errors, Vec<f64>) {
    let server = TruthServer::start();
    let client = support::client(Dialect::OpenAi, &server.url);
    let mut floor = Floor::connect(&server.url);
    let (mut errors, mut floors) = (Errors::default(), Vec::new());
    answer(&client).await;
    for _ in 0..requests {
        let asked = tokio::task::spawn_blocking(move || {
            let error = floor.ask();
            (floor, error)
        });
        let (again, error) = asked.await.expect("no thread panics");
        floor = again;
        floors.push(error);
        let answer = answer(&client).await;
        errors.add(&answer.timeline);
        errors.lag = errors.lag.max(answer.client_lag);
    }
    (errors, floors)
}

/// The errors of `requests` requests in each of `streams` streams at a time.
async fn measure(streams: usize, requests: usize) -> Errors {
    let server = TruthServer::start();
    let client = support::client(Dialect::OpenAi, &server.url);
    let tasks: Vec<_> = (0..streams).map(|_| tokio::spawn(stream(client.clone(), requests))).collect();
    let mut errors = Errors::default();
    for answers in join_all(tasks).await {
        for answer in answers.expect("no task panics") {
            errors.add(&answer.timeline);
            errors.lag = errors.lag.max(answer.client_lag);
        }
    }
    assert_eq!(errors.ttft.len(), streams * requests);
    assert_eq!(client.connections_opened(), streams as u64, "each stream keeps its connection");
    errors
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_reports_what_the_server_did() {
    measure(64, 5).await.report(64);
    let (errors, floors) = in_turn(if support::is_strict() { 300 } else { 30 }).await;
    let floors = sorted(&floors);
    let at = |q| quantile(&floors, q).expect("there are errors");
    let (p50, p99, max) = (at(0.5), at(0.99), at(1.0));
    writeln!(
        std::io::stderr(),
        "floor error at  1 streams, n = {:>4}: p50 {p50:.3} ms, p99 {p99:.3} ms, max {max:.3} ms (a plain socket)",
        floors.len()
    )
    .expect("standard error is open");
    errors.report(1);
}
