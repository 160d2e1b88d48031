//! Recordings: what the recorder takes, what gets into a file, and what the mock makes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use llmlab::cassette::{Cassette, Chunk, Ending, Recorded, Recording, Taken};
use llmlab::client::{Auth, Client, ErrorClass, Target, Timeouts};
use llmlab::mock::{FaultKind, Mock, MockConfig, Replay};
use llmlab::recorder::{Recorder, RecorderConfig, check};
use llmlab::seed::{DRAW_HEADER, DrawId};
use llmlab::wire::{Ask, Dialect, Event};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{self, PAUSE, RawServer, Step, chunk, openai_says, plain, stream_head};

/// A recorder in front of a server, with a directory of its own.
struct Fixture {
    recorder: Recorder,
    directory: TempDir,
}

impl Fixture {
    fn new(upstream: &str, upstream_is_mock: bool) -> Self {
        let upstream = Target::new("upstream", Dialect::OpenAi, upstream, "", &Auth::None).expect("a URL");
        Self::before(upstream, upstream_is_mock)
    }

    fn before(upstream: Target, upstream_is_mock: bool) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let config = RecorderConfig {
            upstream,
            port: 0,
            directory: directory.path().join("tape"),
            engine: None,
            upstream_is_mock,
        };
        Self { recorder: Recorder::start(config).expect("a free port"), directory }
    }

    fn client(&self, dialect: Dialect) -> Client {
        support::client(dialect, &self.recorder.url())
    }

    fn tape(&self) -> PathBuf {
        self.directory.path().join("tape")
    }

    /// What was recorded, once it is written.
    fn cassette(&self) -> Arc<Cassette> {
        self.recorder.report();
        Arc::new(Cassette::read(&self.tape()).expect("a cassette"))
    }

    /// All files in one text.
    fn text(&self) -> String {
        self.recorder.report();
        files(&self.tape()).into_iter().map(|path| fs::read_to_string(path).expect("text")).collect()
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(directory).expect("a directory").flatten().map(|file| file.path()).collect();
    files.sort();
    files
}

fn player(cassette: &Arc<Cassette>, next: bool) -> Mock {
    let replay = Some(Replay { cassette: Arc::clone(cassette), next });
    Mock::start(MockConfig { replay, ..MockConfig::default() }).expect("a free port")
}

fn question(prompt: &str) -> Ask {
    Ask { model: "gpt-4o".into(), ..Ask::question(prompt, 12) }
}

/// Asks, and returns the events of the answer, or its text if it has none, or the class of the failure.
async fn ask(client: &Client, ask: &Ask) -> Result<(Vec<Event>, String), (ErrorClass, String)> {
    let exchange = client.send(ask, Instant::now(), &HeaderMap::new()).await;
    let answer = exchange.outcome.map_err(|failure| (failure.class, failure.message))?;
    let events = answer.timeline.events.into_iter().map(|stamped| stamped.event).collect();
    Ok((events, answer.reply.text()))
}

#[tokio::test]
async fn what_was_recorded_is_replayed_event_for_event_in_every_dialect() {
    // Given answers of a mock, taken by a recorder on their way
    let mock = Mock::start(MockConfig::default()).unwrap();
    let fixture = Fixture::new(&mock.url(), true);
    let asks = [(Dialect::OpenAi, true), (Dialect::OpenAi, false), (Dialect::Anthropic, true)];
    let asks = asks.into_iter().chain([(Dialect::Anthropic, false), (Dialect::Generate, false)]);
    let asks = asks.map(|(dialect, stream)| (dialect, Ask { stream, ..question("What is it?") }));
    let asks: Vec<_> = asks.collect();
    let mut recorded = Vec::new();
    for (dialect, wanted) in &asks {
        recorded.push(ask(&fixture.client(*dialect), wanted).await.unwrap());
    }
    // When the recordings are asked in their place
    let cassette = fixture.cassette();
    let player = player(&cassette, false);
    for ((dialect, wanted), recorded) in asks.iter().zip(recorded) {
        // Then the same comes back
        assert_eq!(ask(&support::client(*dialect, &player.url()), wanted).await.unwrap(), recorded);
    }
    assert_eq!(cassette.recordings().len(), 5);
    assert_eq!(cassette.label(), "tape, recorded simulated");
}

#[tokio::test]
async fn chunks_come_near_their_recorded_offsets() {
    // Given an answer with long pauses
    let server = RawServer::start(|_| {
        let says = |text| Step::Write(chunk(&openai_says(text)));
        let end = chunk(&support::openai_end()) + support::LAST_CHUNK;
        vec![
            Step::Write(stream_head()),
            Step::Pause(PAUSE),
            says("a"),
            Step::Pause(3 * PAUSE),
            says("b"),
            Step::Pause(PAUSE),
            Step::Write(end),
        ]
    });
    let fixture = Fixture::new(&server.url(), false);
    let exchange = support::send(&fixture.client(Dialect::OpenAi)).await;
    // Then the proxy passed each piece on as it came
    let events = exchange.outcome.unwrap().timeline.events;
    let content: Vec<_> = events.iter().filter(|stamped| stamped.event.is_content()).collect();
    assert!(content[1].at - content[0].at > PAUSE, "the proxy held the first piece back");
    // And the recording has the pauses, and its replay too
    let cassette = fixture.cassette();
    let at: Vec<_> = cassette.recordings()[0].response.chunks.iter().map(|chunk| chunk.at_ns).collect();
    assert!(at.len() == 3 && at[1] - at[0] > PAUSE.as_nanos() as u64, "{at:?}");
    assert_eq!(cassette.recordings()[0].ttft_ns(), Some(at[0]));
    let fidelity = check(Arc::clone(&cassette), 1.0, 3).await.unwrap();
    let p50 = fidelity.median(|run| Some(run.p50_ns)).unwrap();
    assert!(p50 < PAUSE.as_nanos() as f64, "{fidelity:?}");
    let slowed = check(cassette, 3.0, 1).await.unwrap();
    assert!(slowed.runs[0].p50_ns < 3.0 * PAUSE.as_nanos() as f64, "{slowed:?}");
}

#[tokio::test]
async fn recordings_of_one_request_take_turns() {
    let server = RawServer::start(|request| {
        let body =
            format!(r#"{{"choices":[{{"message":{{"role":"assistant","content":"{}"}}}}]}}"#, request.number);
        vec![Step::Write(plain(200, "content-type: application/json\r\n", &body))]
    });
    let fixture = Fixture::new(&server.url(), false);
    let client = fixture.client(Dialect::OpenAi);
    let whole = Ask { stream: false, ..question("What?") };
    for _ in 0..3 {
        ask(&client, &whole).await.unwrap();
    }
    let player = player(&fixture.cassette(), false);
    let client = support::client(Dialect::OpenAi, &player.url());
    let mut texts = String::new();
    for _ in 0..5 {
        texts += &ask(&client, &whole).await.unwrap().1;
    }
    assert_eq!(texts, "01201");
}

#[tokio::test]
async fn the_same_prompt_is_found_with_other_settings_and_another_one_is_refused_with_what_there_is() {
    let mock = Mock::start(MockConfig::default()).unwrap();
    let fixture = Fixture::new(&mock.url(), true);
    let wanted = question("id 0123456789abcdef0123456789abcdef\nWhat is it?");
    let recorded = ask(&fixture.client(Dialect::OpenAi), &wanted).await.unwrap();
    let cassette = fixture.cassette();
    let replaying = player(&cassette, false);
    let client = support::client(Dialect::OpenAi, &replaying.url());
    // Other settings, and another id in the prompt
    let like = question("id ffffffffffffffffffffffffffffffff\nWhat is it?");
    let like = Ask { max_tokens: Some(99), temperature: Some(0.5), ..like };
    assert_eq!(ask(&client, &like).await.unwrap(), recorded);
    // Another prompt, another model, another way
    let others = [
        question("What else?"),
        Ask { model: "gpt-5".into(), ..wanted.clone() },
        Ask { stream: false, include_usage: false, ..wanted.clone() },
    ];
    for other in &others {
        let (class, message) = ask(&client, other).await.unwrap_err();
        assert_eq!(class, ErrorClass::Http4xx);
        assert!(message.contains("cassette tape") && message.contains("it holds 1: openai"), "{message}");
    }
    // But for whoever takes whatever comes next
    let lenient = player(&cassette, true);
    let client = support::client(Dialect::OpenAi, &lenient.url());
    assert_eq!(ask(&client, &others[0]).await.unwrap(), recorded);
}

#[tokio::test]
async fn a_draw_of_the_lab_gets_its_own_recording_and_no_live_server_hears_of_it() {
    // Given two arms that ask the same but for an id, recorded from a server that is not the lab's
    let server = RawServer::start(|request| {
        let body =
            format!(r#"{{"choices":[{{"message":{{"role":"assistant","content":"{}"}}}}]}}"#, request.number);
        vec![Step::Write(plain(200, "content-type: application/json\r\n", &body))]
    });
    let fixture = Fixture::new(&server.url(), false);
    let draw = |stream: &str, round| {
        let draw = DrawId { scenario: "g".into(), stream: stream.into(), round, step: 0 };
        HeaderMap::from_iter([(DRAW_HEADER.parse().unwrap(), draw.to_string().parse().unwrap())])
    };
    let whole = |id: u128| Ask { stream: false, ..question(&format!("{id:032x} What?")) };
    let client = fixture.client(Dialect::OpenAi);
    for (number, arm) in (1..).zip(["a", "b", "a"]) {
        let round = number / 3;
        let sent = client.send(&whole(number.into()), Instant::now(), &draw(arm, round)).await;
        assert!(sent.outcome.is_ok(), "{:?}", sent.outcome);
    }
    assert!(server.requests().iter().all(|request| !request.head.contains("x-llmlab")));
    // When a later run asks with other ids, in another order
    let cassette = fixture.cassette();
    let replaying = player(&cassette, false);
    let client = support::client(Dialect::OpenAi, &replaying.url());
    let mut texts = String::new();
    for (arm, round) in [("b", 0), ("a", 1), ("a", 0)] {
        let sent = client.send(&whole(77), Instant::now(), &draw(arm, round)).await;
        texts += &sent.outcome.unwrap().reply.text();
    }
    // Then each arm and round gets its own
    assert_eq!(texts, "120");
    // One of a group that was not recorded is found by its prompt
    let other = HeaderMap::from_iter([(DRAW_HEADER.parse().unwrap(), "other/a/0/0".parse().unwrap())]);
    assert!(client.send(&whole(77), Instant::now(), &other).await.outcome.is_ok());
    // And a round that was not recorded gets none
    let beyond = client.send(&whole(77), Instant::now(), &draw("a", 2)).await;
    assert!(beyond.outcome.is_err());
    assert_eq!(cassette.rounds(), Some(1), "of arm b there is one round");
    assert!(cassette.has_arm("g", "a") && !cassette.has_arm("g", "c"));
}

#[tokio::test]
async fn no_secret_gets_into_a_file_even_if_the_server_repeats_it() {
    const KEY: &str = "very-secret-key-of-mine";
    // Given a server that repeats the key in two writes, and an organisation and a user
    let server = RawServer::start(|request| {
        let repeated = request.head.split("bearer ").nth(1).unwrap_or_default();
        let key = repeated.lines().next().unwrap_or_default().trim().to_owned();
        let (half, rest) = key.split_at(7);
        let headers = "HTTP/1.1 401 x\r\ncontent-type: text/plain\r\nopenai-organization: acme-inc\r\n\
                       set-cookie: session=abc\r\ntransfer-encoding: chunked\r\n\r\n";
        vec![
            Step::Write(headers.to_owned() + &chunk(&format!("wrong key {half}"))),
            Step::Pause(PAUSE),
            Step::Write(chunk(&format!("{rest} of org-AbCdEf0123456789")) + support::LAST_CHUNK),
        ]
    });
    let fixture = Fixture::new(&server.url(), false);
    let url = format!("{}/v1/chat/completions?key=query-secret-1", fixture.recorder.url());
    // When it is asked with the key in the header and in the body
    let body = json!({"model": "m", "user": "user-of-mine", "metadata": {"user_id": "someone"},
                      "messages": [{"role": "user", "content": format!("my key is {KEY}, and sk-proj-0123456789abcdefgh")}]});
    let _chosen = rustls::crypto::ring::default_provider().install_default();
    let request = reqwest::Client::new().post(url).bearer_auth(KEY).header("x-stainless-os", "Linux");
    let response = request.header("openai-organization", "acme-inc").json(&body).send().await.unwrap();
    // Then the client gets all of it
    assert_eq!(response.headers()["openai-organization"], "acme-inc");
    assert!(response.text().await.unwrap().contains(&format!("wrong key {KEY} of org-")));
    // And the file none
    let text = fixture.text();
    for secret in [
        KEY,
        "y-of-mine",
        "acme-inc",
        "AbCdEf0123456789",
        "query-secret",
        "sk-proj",
        "someone",
        "session=abc",
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(!text.contains("x-stainless-os"), "{text}");
    let cassette = fixture.cassette();
    let response = &cassette.recordings()[0].response;
    let body: Vec<u8> = response.chunks.iter().flat_map(|chunk| chunk.bytes.to_vec()).collect();
    assert_eq!(String::from_utf8(body).unwrap(), "wrong key [removed] of [removed]");
    assert_eq!(response.headers.keys().collect::<Vec<_>>(), ["content-type"]);
}

#[tokio::test]
async fn the_way_upstream_may_be_tls_and_have_a_path() {
    let mock = Mock::start(MockConfig::default()).unwrap();
    let entrance = mock.entrance(true, Duration::ZERO).unwrap();
    let upstream = Target::new("upstream", Dialect::OpenAi, &entrance.url, "", &Auth::None).unwrap();
    let fixture = Fixture::before(upstream.trusting(entrance.certificate.unwrap()), true);
    ask(&fixture.client(Dialect::OpenAi), &question("What is it?")).await.unwrap();
    let cassette = fixture.cassette();
    assert!(cassette.recordings()[0].recorded.upstream.starts_with("https://127.0.0.1:"));
    // And a server behind a path
    let server = RawServer::start(|_| support::openai_answer());
    let fixture = Fixture::new(&format!("{}/gateway/v1", server.url()), false);
    ask(&fixture.client(Dialect::OpenAi), &question("What is it?")).await.unwrap();
    let head = &server.requests()[0].head;
    assert!(head.starts_with("post /gateway/v1/chat/completions "), "{head}");
    assert!(!head.contains("accept-encoding") && head.contains(&server.url()["http://".len()..]), "{head}");
    let cassette = fixture.cassette();
    let recorded = &cassette.recordings()[0];
    assert_eq!(
        (recorded.request.path.as_str(), recorded.recorded.upstream.clone()),
        ("/v1/chat/completions", server.url())
    );
}

#[tokio::test]
async fn a_connection_that_the_server_closes_after_an_answer_is_no_error_of_the_proxy() {
    // Given a server that closes each connection a moment after an answer that promised to keep it
    let server = RawServer::start(|request| match request.number % 2 {
        0 => support::openai_answer(),
        _ => vec![Step::Close],
    });
    let fixture = Fixture::new(&server.url(), false);
    let client = fixture.client(Dialect::OpenAi);
    // When two requests follow each other at once
    for _ in 0..2 {
        ask(&client, &question("What is it?")).await.unwrap();
    }
    // Then both are answered and recorded, the second one at its second try
    assert_eq!(fixture.cassette().recordings().len(), 2);
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_cut_stream_is_recorded_as_cut_and_replayed_as_cut() {
    let mock = Mock::start(MockConfig::default()).unwrap();
    mock.inject([FaultKind::Cut { after_events: 5 }]);
    let fixture = Fixture::new(&mock.url(), true);
    let wanted = question("What is it?");
    let (class, _) = ask(&fixture.client(Dialect::OpenAi), &wanted).await.unwrap_err();
    assert_eq!(class, ErrorClass::Truncated);
    let cassette = fixture.cassette();
    assert_eq!((cassette.recordings()[0].response.ending, fixture.recorder.report().cut), (Ending::Cut, 1));
    let replaying = player(&cassette, false);
    let (class, _) = ask(&support::client(Dialect::OpenAi, &replaying.url()), &wanted).await.unwrap_err();
    assert_eq!(class, ErrorClass::Truncated);
}

#[tokio::test]
async fn the_proxy_passes_errors_other_paths_and_what_is_no_json() {
    let server = RawServer::start(|request| {
        let answer = if request.head.starts_with("post /v1/files") {
            plain(201, "", "kept")
        } else if request.number == 0 {
            plain(429, "retry-after: 7\r\nconnection: x-own\r\nx-own: 1\r\n", "slow down")
        } else {
            plain(500, "content-type: text/html\r\n", "<h1>broken")
        };
        vec![Step::Write(answer)]
    });
    let fixture = Fixture::new(&server.url(), false);
    let _chosen = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let post = |path: &str, body: &'static str| {
        client.post(format!("{}{path}", fixture.recorder.url())).body(body).send()
    };
    let refused = post("/v1/chat/completions", "no json").await.unwrap();
    assert_eq!(
        (refused.status(), &refused.headers()["retry-after"]),
        (StatusCode::TOO_MANY_REQUESTS, &"7".parse().unwrap())
    );
    assert!(refused.headers().get("x-own").is_none(), "a header of the connection");
    assert_eq!(refused.text().await.unwrap(), "slow down");
    let broken = post("/v1/messages", "{}").await.unwrap();
    assert_eq!((broken.status().as_u16(), broken.text().await.unwrap()), (500, "<h1>broken".into()));
    let kept = post("/v1/files", "x").await.unwrap();
    assert_eq!((kept.status().as_u16(), kept.text().await.unwrap()), (201, "kept".into()));
    let looked = client.get(format!("{}/v1/models", fixture.recorder.url())).send().await.unwrap();
    assert_eq!(looked.status(), StatusCode::NOT_FOUND);
    let report = fixture.recorder.report();
    assert_eq!((report.recorded, report.passed, report.cut), (2, 2, 0));
    // Both are replayed as they were
    let replaying = player(&fixture.cassette(), false);
    let post =
        |path: &str, body: &'static str| client.post(format!("{}{path}", replaying.url())).body(body).send();
    let refused = post("/v1/chat/completions", "no json").await.unwrap();
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    assert_eq!(refused.text().await.unwrap(), "slow down");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_in_the_clients_own_dialect_and_no_recording() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let fixture = Fixture::new(&format!("http://{closed}"), false);
    let (class, message) = ask(&fixture.client(Dialect::Anthropic), &question("What?")).await.unwrap_err();
    assert!(class == ErrorClass::Http5xx && message.contains(&closed.to_string()), "{message}");
    let report = fixture.recorder.report();
    assert_eq!((report.recorded, report.unanswered), (0, 1));
}

/// A recording of a refusal.
fn recording() -> Recording {
    let chunk = |at_ns, bytes: &'static [u8]| Chunk { at_ns, bytes: Bytes::from_static(bytes) };
    taken(vec![chunk(20, b"sl\xc3"), chunk(30, b"\xb6w")])
}

fn taken(chunks: Vec<Chunk>) -> Recording {
    let end_ns = chunks.last().map_or(10, |chunk| chunk.at_ns);
    let taken = Taken {
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        query: None,
        dialect: Dialect::OpenAi,
        request_headers: HeaderMap::new(),
        body: Bytes::from_static(br#"{"model":"m"}"#),
        status: StatusCode::TOO_MANY_REQUESTS,
        response_headers: HeaderMap::from_iter([(http::header::RETRY_AFTER, 7.into())]),
        head_ns: 10,
        chunks,
        end_ns,
        ending: Ending::Complete,
    };
    let recorded = Recorded {
        at: "2026-11-24T00:00:00Z".into(),
        mode: "live".into(),
        upstream: "http://127.0.0.1:1".into(),
        engine: None,
        draw: None,
        llmlab: "0.1.0".into(),
    };
    Recording::new(taken, recorded)
}

#[test]
fn a_file_that_is_wrong_is_refused_by_its_name_and_its_field() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("0001.json");
    let refusal = |text: &str| {
        fs::write(&path, text).unwrap();
        Cassette::read(directory.path()).unwrap_err().to_string()
    };
    let changes: [(&str, Value, &str); 9] = [
        ("/schema_version", json!(2), "schema_version is 2"),
        ("/hash", json!("00"), "hash: it is 00"),
        ("/response/status", json!(99), "response.status: 99"),
        ("/response/status", json!("ok"), "invalid type"),
        ("/response/head_ns", json!(25), "back in time"),
        ("/response/chunks/0/base64", json!("?"), "base64"),
        ("/response/chunks/0/text", json!("both"), "either `text` or `base64`"),
        ("/request/dialect", json!("klingon"), "klingon"),
        ("/response/headers", json!({"a b": "c"}), "response.headers: `a b`"),
    ];
    for (pointer, value, reason) in changes {
        let mut wrong = serde_json::to_value(recording()).unwrap();
        match wrong.pointer_mut(pointer) {
            Some(field) => *field = value,
            None => wrong["response"]["chunks"][0]["text"] = value,
        }
        let text = refusal(&wrong.to_string());
        assert!(text.contains("0001.json") && text.contains(reason), "{pointer}: {text}");
    }
    let mut short = serde_json::to_value(recording()).unwrap();
    short["response"].as_object_mut().unwrap().remove("ending");
    assert!(refusal(&short.to_string()).contains("missing field `ending`"));
    assert!(refusal("{").contains("0001.json is no recording"));
    fs::remove_file(&path).unwrap();
    let empty = Cassette::read(directory.path()).unwrap_err().to_string();
    assert!(empty.contains("holds no recording"), "{empty}");
    let missing = Cassette::read(&directory.path().join("nowhere")).unwrap_err().to_string();
    assert!(missing.contains("nowhere"), "{missing}");
}

#[test]
fn a_run_is_recorded_into_a_directory_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    recording().write(&directory.path().join("0007-openai.json")).unwrap();
    let config = RecorderConfig {
        upstream: Target::new("u", Dialect::OpenAi, "http://127.0.0.1:1", "", &Auth::None).unwrap(),
        port: 0,
        directory: directory.path().into(),
        engine: None,
        upstream_is_mock: false,
    };
    let refused = Recorder::start_afresh(config.clone()).unwrap_err().to_string();
    assert!(refused.contains("holds recordings already"), "{refused}");
    // A proxy adds to what there is
    drop(Recorder::start(config).unwrap());
}

proptest! {
    #[test]
    fn every_recording_reads_back_as_it_was_written(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
        gaps in prop::collection::vec(0_u64..1_000_000, 8),
    ) {
        let mut at_ns = 10;
        let chunks: Vec<_> = bodies.into_iter().zip(gaps).map(|(body, gap)| {
            at_ns += gap;
            Chunk { at_ns, bytes: body.into() }
        }).collect();
        let written = taken(chunks);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0001.json");
        written.write(&path).unwrap();
        prop_assert_eq!(Recording::read(&path).unwrap(), written);
        prop_assert_eq!(files(directory.path()).len(), 1);
    }
}

#[tokio::test]
async fn a_client_that_does_not_wait_leaves_no_recording() {
    let server =
        RawServer::start(|_| vec![Step::Write(stream_head() + &chunk(&openai_says("a"))), Step::Silence]);
    let fixture = Fixture::new(&server.url(), false);
    let hasty = Timeouts { silence: Duration::from_millis(50), ..Timeouts::default() };
    let client = support::client_within(Dialect::OpenAi, &fixture.recorder.url(), hasty);
    assert!(ask(&client, &question("What?")).await.is_err());
    drop(client);
    // The proxy sees it when the connection closes
    let until = Instant::now() + Duration::from_secs(10);
    while fixture.recorder.report().abandoned == 0 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let report = fixture.recorder.report();
    assert_eq!((report.recorded, report.abandoned), (0, 1));
}
