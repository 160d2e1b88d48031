//! The instrument against known truth: how far are the client's times from those of the server?
//!
//! The server is a process of its own that shares nothing with the client. What the client reports beyond the truth is
//! the error: the way there and back through loopback, and the instrument. The figures are printed
//! (`cargo test --test suite truth -- --nocapture`). On a machine that does other things as well they say little, so
//! that the bounds on them are only held to with `LLMLAB_TEST_STRICT=1`; the raw reader beside the client shows what the
//! machine itself adds. What does not depend on the machine is always asserted: every token came, and no time is
//! shorter than the truth.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::Duration;

use llmlab::instrument::bounds::{MEAN_GAP, SELFTEST, STALL};
use llmlab::instrument::check::{Beside, CheckError, Turns, beside, client};
use llmlab::instrument::raw::{Asking, Keep, read};
use llmlab::instrument::{Errors, Plan, Spread, TruthCheck, TruthError, TruthServer};

use crate::support;

const PACED: Plan = Plan::paced(Duration::from_millis(30), Duration::from_millis(5), 20);

fn server(plan: &Plan) -> TruthServer {
    TruthServer::start_from(Path::new(env!("CARGO_BIN_EXE_llmlab")), plan).expect("the command serves")
}

/// What every token of `streams` streams is compared with.
fn asking(server: &TruthServer, streams: usize, requests: usize) -> Asking {
    let over = server.plan().answer();
    Asking { requests, over, keep: Keep::All, ..Asking::new(server.address(), streams) }
}

/// Prints the errors of one reader, and holds them to what no machine excuses.
fn report(reader: &str, streams: usize, errors: &Errors) {
    for (what, errors) in [("ttft", &errors.first), ("gap", &errors.gaps)] {
        let Spread { n, p50_ms, p99_ms, max_ms } = Spread::of(errors).expect("there are errors");
        let line = format!(
            "{reader:>6} {what:>4} error at {streams:>4} streams, n = {n:>5}: p50 {p50_ms:.3} ms, p99 {p99_ms:.3} ms, max {max_ms:.3} ms"
        );
        writeln!(std::io::stderr(), "{line}").expect("standard error is open");
        assert!(p50_ms < 1_000.0, "{line}");
    }
    assert_eq!(errors.early, 0, "no time is shorter than the truth");
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_reports_what_the_server_did() {
    for (streams, requests) in [(64, 5), (1, if support::is_strict() { 300 } else { 10 })] {
        // Given a server that knows the truth, when both ask it
        let server = server(&PACED);
        let Beside { client, raw } =
            beside(&server, &asking(&server, streams, requests), Turns::One).await.unwrap();
        // Then every token was compared
        for (reader, errors) in [("client", &client.errors), ("raw", &raw.errors)] {
            report(reader, streams, errors);
            assert_eq!(errors.first.len(), streams * requests);
            assert_eq!(errors.gaps.len(), streams * requests * 19);
        }
        assert_eq!((client.answers, client.events), (raw.answers, raw.events));
        if support::is_strict() {
            let ttft = Spread::of(&client.errors.first).unwrap();
            assert!(ttft.p50_ms <= ms(SELFTEST.p50) && ttft.p99_ms <= ms(SELFTEST.p99), "{ttft:?}");
            assert!(client.errors.mean_gap().unwrap() <= MEAN_GAP, "{:?}", client.errors.mean_gap());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stall_is_shown_as_long_as_it_was() {
    let server = server(&PACED.with_stall(10, Duration::from_millis(300)));
    let Beside { client, .. } = beside(&server, &asking(&server, 4, 1), Turns::Both).await.unwrap();
    assert_eq!(client.errors.longest.len(), 4);
    // The truth holds the stall: four answers of 18 gaps of 5 ms and one of 300 ms
    assert!(client.errors.truth >= 4 * Duration::from_millis(385), "{:?}", client.errors.truth);
    let longest = client.errors.longest.iter().max().unwrap();
    assert!(*longest < Duration::from_secs(1), "{longest:?}");
    assert!(!support::is_strict() || *longest <= STALL, "{longest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_as_fast_as_it_is_read_is_read_to_its_end() {
    // More than a write, a socket and a buffer hold
    let server = server(&Plan::flat_out(30_000));
    let all = Asking { requests: 2, ..Asking::new(server.address(), 3) };
    let Beside { client, raw } = beside(&server, &all, Turns::Both).await.unwrap();
    assert_eq!((client.events, raw.events), (6 * 30_002, 6 * 30_002));
    assert_eq!(raw.answers, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_one_token_are_one_read() {
    let server = server(&Plan::flat_out(1));
    let all = Asking { requests: 50, ..Asking::new(server.address(), 4) };
    let Beside { client, raw } = beside(&server, &all, Turns::One).await.unwrap();
    assert_eq!((client.answers, raw.answers, raw.reads), (200, 200, 200));
}

#[test]
fn hundreds_of_connections_are_served_at_once() {
    let server = server(&Plan::paced(Duration::from_millis(50), Duration::ZERO, 2));
    let reading = read(&asking(&server, 400, 1)).unwrap();
    assert_eq!((reading.answers, reading.events), (400, 1_600));
    assert_eq!(reading.errors.early, 0);
}

#[test]
fn a_caller_that_hangs_up_harms_no_other() {
    let server = server(&PACED);
    // Half a request, a whole one whose answer nobody reads, and a farewell
    for (text, read) in [("POST / HT", 0), ("POST / HTTP/1.1\r\n\r\n", 20), ("POST / HTTP/1.1\r\n\r\n", 200)]
    {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream.read_exact(&mut vec![0; read]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
    }
    assert_eq!(read(&asking(&server, 2, 2)).unwrap().answers, 4);
}

#[test]
fn a_request_that_comes_in_pieces_began_with_the_first_one() {
    let server = server(&Plan::paced(Duration::ZERO, Duration::from_millis(1), 2));
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\na").unwrap();
    std::thread::sleep(Duration::from_millis(20));
    stream.write_all(b"b").unwrap();
    let mut answer = String::new();
    while !answer.ends_with("0\r\n\r\n") {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "{answer}");
        answer.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    let offset = answer.split("\"content\":\"").nth(1).and_then(|rest| rest.split(' ').next());
    let offset: u64 = offset.unwrap().parse().unwrap();
    assert!(offset >= 19_000_000, "{offset} ns");
}

#[tokio::test]
async fn a_server_that_is_gone_is_an_error_and_no_figure() {
    let server = server(&PACED);
    let asking = asking(&server, 1, 1);
    drop(server);
    assert!(matches!(client(&asking).await, Err(CheckError::Failed(_))));
    assert!(read(&asking).is_err());
}

#[test]
fn a_program_that_does_not_serve_is_not_started_for_it() {
    // This test binary's main is the harness's
    assert!(matches!(TruthServer::start(&PACED), Err(TruthError::NotServed)));
    // One that says something else is named
    let other =
        TruthServer::start_from(Path::new(env!("CARGO_BIN_EXE_llmlab")), &PACED.on_core(Some(99_999)));
    assert!(matches!(other, Err(TruthError::Greeting(_))), "{other:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_check_before_a_result_says_how_many_answers_it_rests_on() {
    let server = server(&Plan::paced(Duration::from_millis(20), Duration::from_millis(5), 16));
    let check = TruthCheck::against(&server).await.unwrap();
    assert_eq!((check.client.ttft.n, check.raw.ttft.n, check.client.gap.n), (32, 32, 32 * 15));
    assert!(check.timer.n > 0 && check.client.ttft.p50_ms > 0.0);
}
