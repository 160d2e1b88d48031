//! Every case of `fixtures/conformance`, answered by a server over real sockets and read by the client, over
//! everything that carries it: the right answer for every metric, whatever the server does.

mod carrier;
pub(crate) mod corpus;
mod large;
mod server;
mod stated;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::{StreamExt, stream};
use http::HeaderMap;
use llmlab::client::{Auth, Client, HttpVersion, Road, Timeouts};
use llmlab::wire::Event;

use self::carrier::Carrier;
use self::corpus::{Fixture, fixtures};
use self::server::serve;
use self::stated::{Disagreement, Figures, Seen};
use crate::support;
use crate::tls::Identity;

/// Pauses between pieces, each try's longer: a machine with other work may read two pieces at once.
const PAUSES_MS: [u64; 4] = [1, 4, 20, 100];

/// Exchanges under way at once. They share a thread with their servers, so that a server that goes on after a pause
/// finds what it wrote before read.
const AT_ONCE: usize = 12;

/// A client of the server at `port`.
fn client(case: &Fixture, carrier: Carrier, port: u16, identity: &Identity) -> Client {
    let scheme = if carrier == Carrier::Tls { "https" } else { "http" };
    let target = support::target(case.dialect, &format!("{scheme}://127.0.0.1:{port}"), &Auth::None);
    let target = target.trusting(identity.certificate.clone());
    let http = if carrier == Carrier::Http2 { HttpVersion::Http2 } else { HttpVersion::Http1 };
    let long = Duration::from_secs(20);
    let timeouts = Timeouts { connect: long, first_byte: long, silence: long, total: long };
    Client::over(&Road { http, ..Road::default() }, target, timeouts)
}

/// One exchange with a server that answers with `case`, watched or not, and whether it agrees with what the case states.
async fn exchange(
    case: &Fixture,
    carrier: Carrier,
    is_watched: bool,
    pause: Duration,
    identity: &Identity,
) -> Result<(), Disagreement> {
    let (port, written, serving) = serve(case, carrier, pause, identity).await;
    let client = client(case, carrier, port, identity);
    // Some servers ignore `stream`: over one carrier an answer that came whole was asked for as a stream.
    let stream = case.streamed || carrier == Carrier::Length;
    let ask = llmlab::wire::Ask { stream, ..support::question() };
    let mut watched: Vec<Event> = Vec::new();
    let mut watch = |event: &Event| watched.push(event.clone());
    let headers = HeaderMap::new();
    let exchange = match is_watched {
        true => client.send_watched(&ask, Instant::now(), &headers, &mut watch).await,
        false => client.send(&ask, Instant::now(), &headers).await,
    };
    serving.abort();
    let stated = match carrier {
        Carrier::OneWrite => case.stated.in_one_read(),
        Carrier::Bytes => case.stated.byte_by_byte(),
        _ => case.stated.clone(),
    };
    let seen = Seen {
        exchange: &exchange,
        watched: is_watched.then_some(&watched),
        written: &written.times(),
        one_byte_reads: carrier == Carrier::Bytes,
    };
    stated.check(case, &seen)?;
    check_reads(case, carrier, &exchange)
}

/// A server that wrote byte by byte was read byte by byte, or nearly so: the carrier is what it says.
fn check_reads(
    case: &Fixture,
    carrier: Carrier,
    exchange: &llmlab::client::Exchange,
) -> Result<(), Disagreement> {
    let Ok(answer) = &exchange.outcome else { return Ok(()) };
    let reads = answer.timeline.events.last().map_or(usize::MAX, |stamped| stamped.read as usize);
    if carrier == Carrier::Bytes && reads < case.body.len() / 2 {
        let length = case.body.len();
        return Err(Disagreement::Late(format!("{reads} reads of a body of {length} bytes")));
    }
    Ok(())
}

/// Whether a case is seen as stated by those who watch, whose events are decoded as they come, and by those who do not.
async fn conforms(case: &Fixture, carrier: Carrier, identity: &Identity) -> Result<(), String> {
    conforms_when(true, case, carrier, identity).await?;
    conforms_when(false, case, carrier, identity).await.map_err(|what| format!("unwatched, {what}"))
}

/// Tries until what is stated is seen, or something is wrong for certain.
async fn conforms_when(
    is_watched: bool,
    case: &Fixture,
    carrier: Carrier,
    identity: &Identity,
) -> Result<(), String> {
    let mut tries = Vec::new();
    for pause in PAUSES_MS.map(Duration::from_millis) {
        match exchange(case, carrier, is_watched, pause, identity).await {
            Ok(()) => return Ok(()),
            Err(Disagreement::Wrong(what)) => return Err(format!("{}: {what}", case.name)),
            Err(Disagreement::Late(what)) => tries.push(what),
        }
    }
    Err(format!("{}: in every try, at last: {}", case.name, tries.pop().unwrap_or_default()))
}

/// All cases over one carrier, and all that is wrong with them.
async fn all_conform(cases: Vec<Fixture>, carrier: Carrier) {
    let identity = Identity::of("127.0.0.1");
    let wrong = Arc::new(Mutex::new(Vec::new()));
    stream::iter(&cases)
        .for_each_concurrent(AT_ONCE, |case| {
            let (wrong, identity) = (Arc::clone(&wrong), &identity);
            async move {
                if let Err(what) = conforms(case, carrier, identity).await {
                    wrong.lock().expect("nobody panics").push(what);
                }
            }
        })
        .await;
    let mut wrong = wrong.lock().expect("nobody panics").clone();
    wrong.sort();
    assert!(
        wrong.is_empty(),
        "{} of {} cases over {carrier:?}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_case_has_the_pieces_that_it_states() {
    let cases = fixtures();
    assert!(cases.len() > 100, "only {} cases were found", cases.len());
    for case in cases {
        let pieces = case.pieces();
        assert_eq!(pieces.len(), case.stated.pieces, "{}", case.name);
        assert_eq!(pieces.concat(), case.body, "{}", case.name);
    }
}

#[tokio::test]
async fn a_case_that_states_another_piece_is_found_out() {
    type Change = fn(&mut Figures);
    let changes: [(&str, Change); 9] = [
        ("ttft", |figures| figures.ttft = Some(1)),
        ("ttfot", |figures| figures.ttfot = Some(3)),
        ("ttf_tool", |figures| figures.ttf_tool = Some(4)),
        ("total", |figures| figures.total = Some(4)),
        ("max_gap", |figures| figures.max_gap = Some([2, 2])),
        ("tokens", |figures| figures.tokens = Some(11)),
        ("content event", |figures| figures.content = vec![2, 4]),
        ("single_read", |figures| figures.single_read = true),
        ("reasoning_hidden", |figures| figures.reasoning_hidden = true),
    ];
    let identity = Identity::of("127.0.0.1");
    let case = fixtures().into_iter().find(|case| case.name == "openai-text").expect("a plain answer");
    let tried = join_all(changes.map(|(what, change)| {
        // Given a case that states one thing wrong
        let mut wrong = case.clone();
        change(wrong.stated.answer.as_mut().expect("an answer"));
        let identity = &identity;
        async move { (what, conforms(&wrong, Carrier::Chunked, identity).await) }
    }));
    for (what, complaint) in tried.await {
        // When it is tried, then that is what is complained about
        let complaint = complaint.expect_err(what);
        assert!(complaint.contains(what), "{what}: {complaint}");
    }
}

#[tokio::test]
async fn every_case_gives_its_metrics_over_http_chunks() {
    all_conform(fixtures(), Carrier::Chunked).await;
}

#[tokio::test]
async fn every_case_gives_its_metrics_in_one_write() {
    all_conform(fixtures(), Carrier::OneWrite).await;
}

#[tokio::test]
async fn every_case_gives_its_metrics_byte_by_byte() {
    all_conform(fixtures(), Carrier::Bytes).await;
}

#[tokio::test]
async fn every_case_gives_its_metrics_with_a_length() {
    all_conform(fixtures(), Carrier::Length).await;
}

#[tokio::test]
async fn every_case_gives_its_metrics_from_a_server_that_ends_by_closing() {
    all_conform(fixtures(), Carrier::Close).await;
}

#[tokio::test]
async fn every_case_gives_its_metrics_with_trailers_and_chunk_extensions() {
    all_conform(fixtures(), Carrier::Trailers).await;
}

#[tokio::test]
async fn every_case_gives_its_metrics_after_informational_responses() {
    all_conform(fixtures(), Carrier::Informational).await;
}

#[tokio::test]
async fn every_case_gives_its_metrics_compressed_though_nobody_asked() {
    all_conform(fixtures(), Carrier::Gzip).await;
}

#[tokio::test]
async fn every_case_gives_its_metrics_over_tls() {
    all_conform(fixtures(), Carrier::Tls).await;
}

#[tokio::test]
async fn every_case_gives_its_metrics_over_http_2() {
    all_conform(fixtures(), Carrier::Http2).await;
}
