//! The mock over HTTP. Nothing here asserts a time tighter than a second.

use std::time::{Duration, Instant};

use llmlab::mock::{Fault, FaultKind, MOCK_HEADER, Mock, MockConfig, MockState};
use llmlab::seed::DRAW_HEADER;
use llmlab::wire::{Ask, Block, CacheTtl, Dialect, Message, Reply};
use reqwest::Response;
use serde_json::{Value, json};

/// A mock and a client of it.
pub(super) struct Fixture {
    pub(super) mock: Mock,
    pub(super) client: reqwest::Client,
}

impl Fixture {
    pub(super) fn new(config: MockConfig) -> Self {
        // Someone may have chosen the same one before.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
        let mock = Mock::start(config).expect("a free port");
        Self { mock, client: reqwest::Client::new() }
    }

    pub(super) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Response {
        self.try_post(path, body).await.expect("an answer")
    }

    async fn try_post(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::Result<Response> {
        self.client.post(format!("{}{path}", self.mock.url())).body(body).send().await
    }

    pub(super) async fn ask(&self, dialect: Dialect, ask: &Ask) -> Response {
        self.post(dialect.path(), dialect.encode_request(ask)).await
    }

    /// A request that is not streamed.
    pub(super) async fn reply(&self, dialect: Dialect, ask: &Ask) -> Reply {
        let response = self.ask(dialect, &Ask { stream: false, ..ask.clone() }).await;
        assert_eq!(response.status(), 200);
        dialect.decode_reply(&response.bytes().await.expect("a body")).expect("a reply")
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let response = self.client.get(format!("{}{path}", self.mock.url())).send().await.expect("an answer");
        response.json().await.expect("JSON")
    }
}

impl Default for Fixture {
    fn default() -> Self {
        Self::new(MockConfig::default())
    }
}

pub(super) fn question() -> Ask {
    Ask { model: "claude-sonnet-4-6".into(), ..Ask::question("What is it?", 12) }
}

fn cached_question() -> Ask {
    Ask { system: vec![Block::text("word ".repeat(2000)).cached(CacheTtl::FiveMinutes)], ..question() }
}

#[tokio::test]
async fn a_streamed_answer_ends_with_its_terminal_event() {
    let fixture = Fixture::default();
    let done = "data: [DONE]\n\n";
    let ends =
        [(Dialect::Anthropic, "message_stop\"}\n\n"), (Dialect::OpenAi, done), (Dialect::Completions, done)];
    for (dialect, end) in ends {
        let response = fixture.ask(dialect, &question()).await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let text = response.text().await.unwrap();
        assert!(text.ends_with(end), "{text}");
    }
}

#[tokio::test]
async fn every_response_says_that_it_is_simulated() {
    let fixture = Fixture::new(MockConfig { slowdown: 1.5, ..MockConfig::default() });
    let answer = fixture.ask(Dialect::Anthropic, &question()).await;
    assert_eq!(answer.headers()[MOCK_HEADER], "fast; slowdown=1.5");
    assert!(answer.headers().contains_key("request-id"));
    assert!(answer.headers().contains_key("anthropic-ratelimit-tokens-remaining"));
    let missing = fixture.post("/nowhere", "").await;
    assert_eq!((missing.status().as_u16(), missing.headers().contains_key(MOCK_HEADER)), (404, true));
}

#[tokio::test]
async fn the_prompt_cache_shows_in_the_usage() {
    let fixture = Fixture::default();
    let (written, read) = (
        fixture.reply(Dialect::Anthropic, &cached_question()).await.usage,
        fixture.reply(Dialect::Anthropic, &cached_question()).await.usage,
    );
    assert_eq!((written.cache_write, written.cache_read), (Some(2500), Some(0)));
    assert_eq!((read.cache_write, read.cache_read), (Some(0), Some(2500)));
    let openai = Ask { model: "gpt-4o".into(), ..cached_question() };
    fixture.reply(Dialect::OpenAi, &openai).await;
    assert_eq!(fixture.reply(Dialect::OpenAi, &openai).await.usage.cache_read, Some(2432));
    assert_eq!(fixture.mock.state().cache.tokens_read, 2500 + 2432);
}

#[tokio::test]
async fn a_completion_is_an_answer_of_the_same_engine_in_other_words() {
    let fixture = Fixture::default();
    let ask = Ask { model: "gpt-4o".into(), ..question() };
    let reply = fixture.reply(Dialect::Completions, &ask).await;
    assert_eq!((reply.usage.output, reply.text().len()), (Some(12), 48));
    assert!(reply.id.starts_with("cmpl-"), "{}", reply.id);
    let streamed = fixture.ask(Dialect::Completions, &ask).await.text().await.unwrap();
    assert!(streamed.contains(r#""object":"text_completion""#), "{streamed}");
    assert!(
        streamed.contains(r#""choices":[],"usage":{"prompt_tokens":3,"completion_tokens":12"#),
        "{streamed}"
    );
    // And its prompts are cached as those of a chat are
    let long = Ask { messages: vec![Message::user("word ".repeat(2000))], ..ask };
    fixture.reply(Dialect::Completions, &long).await;
    assert_eq!(fixture.reply(Dialect::Completions, &long).await.usage.cache_read, Some(2432));
}

#[tokio::test]
async fn moving_the_clock_ends_a_cached_prefix() {
    let fixture = Fixture::default();
    fixture.reply(Dialect::Anthropic, &cached_question()).await;
    assert_eq!(fixture.post("/_mock/clock", r#"{"advance_s": 301}"#).await.status(), 200);
    let usage = fixture.reply(Dialect::Anthropic, &cached_question()).await.usage;
    assert_eq!(usage.cache_read, Some(0));
    assert_eq!(fixture.post("/_mock/cache/clear", "").await.status(), 200);
    let usage = fixture.reply(Dialect::Anthropic, &cached_question()).await.usage;
    assert_eq!(usage.cache_read, Some(0));
}

#[tokio::test]
async fn five_breakpoints_are_a_bad_request() {
    let fixture = Fixture::default();
    let system = vec![Block::text("a").cached(CacheTtl::FiveMinutes); 5];
    let response = fixture.ask(Dialect::Anthropic, &Ask { system, ..question() }).await;
    assert_eq!(response.status(), 400);
    let error = Dialect::Anthropic.decode_error(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(error.kind, "invalid_request_error");
    assert!(error.message.contains("maximum of 4"), "{error}");
}

#[tokio::test]
async fn a_body_that_is_no_request_is_a_bad_request() {
    let fixture = Fixture::default();
    for dialect in Dialect::ALL {
        let response = fixture.post(dialect.path(), "{\"").await;
        assert_eq!(response.status(), 400);
        assert!(dialect.decode_error(&response.bytes().await.unwrap()).is_some());
    }
    assert_eq!(fixture.post("/v1/messages", vec![b' '; 17 << 20]).await.status(), 413);
}

#[tokio::test]
async fn the_same_draw_gets_the_same_answer_and_another_seed_another() {
    let fixture = Fixture::default();
    let draw = async |round: u32| {
        let body = Dialect::OpenAi.encode_request(&Ask { stream: false, ..question() });
        let request = fixture.client.post(format!("{}/v1/chat/completions", fixture.mock.url())).body(body);
        let response = request.header(DRAW_HEADER, format!("s/a/{round}/0")).send().await.unwrap();
        Dialect::OpenAi.decode_reply(&response.bytes().await.unwrap()).unwrap().text()
    };
    let first = draw(0).await;
    assert_eq!(draw(0).await, first);
    assert_ne!(draw(1).await, first);
    fixture.post("/_mock/seed", r#"{"seed": 7}"#).await;
    assert_ne!(draw(0).await, first);
    assert_eq!(fixture.mock.state().seed, 7);
}

#[tokio::test]
async fn a_draw_that_cannot_be_read_is_refused_and_not_ignored() {
    let fixture = Fixture::default();
    let body = Dialect::OpenAi.encode_request(&question());
    let request = fixture.client.post(format!("{}/v1/chat/completions", fixture.mock.url())).body(body);
    assert_eq!(request.header(DRAW_HEADER, "round 3").send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_repeated_prompt_is_generated_once() {
    let fixture = Fixture::default();
    let body = r#"{"prompt":"x","max_tokens":5}"#;
    let mut cached = Vec::new();
    for _ in 0..2 {
        let answer: Value = fixture.post("/generate", body).await.json().await.unwrap();
        assert_eq!(answer["text"].as_str().map(str::len), Some(20));
        cached.push(answer["cached"].clone());
    }
    assert_eq!(cached, [json!(false), json!(true)]);
    fixture.post("/_mock/clock", r#"{"advance_s": 301}"#).await;
    let late: Value = fixture.post("/generate", body).await.json().await.unwrap();
    assert_eq!(late["cached"], json!(false));
}

#[tokio::test]
async fn a_temperature_bypasses_the_cache_of_answers() {
    let fixture = Fixture::default();
    for _ in 0..2 {
        let body = r#"{"prompt":"x","max_tokens":5,"temperature":0.7}"#;
        let answer: Value = fixture.post("/generate", body).await.json().await.unwrap();
        assert_eq!(answer["cached"], json!(false));
    }
    let stats = fixture.get("/stats").await;
    assert_eq!((&stats["cache_bypasses"], &stats["cache_hits"]), (&json!(2), &json!(0)));
}

#[tokio::test]
async fn requests_that_arrive_together_are_one_batch() {
    let mut config = MockConfig::default();
    config.generate.max_batch_size = 4;
    config.generate.batch_timeout = Duration::from_secs(60);
    let fixture = Fixture::new(config);
    let bodies = (0..4).map(|n| format!(r#"{{"prompt":"{n}","max_tokens":5}}"#));
    let answers = futures::future::join_all(bodies.map(|body| fixture.post("/generate", body))).await;
    assert!(answers.iter().all(|answer| answer.status() == 200));
    let stats = fixture.get("/stats").await;
    assert_eq!((&stats["batches"], &stats["average_batch_size"]), (&json!(1), &json!(4.0)));
}

#[tokio::test]
async fn a_status_fault_hits_one_request() {
    let fixture = Fixture::default();
    let faults = r#"[{"kind":"status","status":529,"retry_after_s":0}]"#;
    assert_eq!(fixture.post("/_mock/faults", faults).await.status(), 200);
    let response = fixture.ask(Dialect::Anthropic, &question()).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (529, &"0".parse().unwrap())
    );
    let error = Dialect::Anthropic.decode_error(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(error.kind, "overloaded_error");
    assert_eq!(fixture.ask(Dialect::Anthropic, &question()).await.status(), 200);
}

#[tokio::test]
async fn a_fault_waits_for_its_draw() {
    let fixture = Fixture::default();
    let what = FaultKind::Status { status: 429, retry_after_s: None };
    fixture.mock.inject([Fault { what, match_draw: Some("s/b/".into()) }]);
    assert_eq!(fixture.ask(Dialect::OpenAi, &question()).await.status(), 200);
    let body = Dialect::OpenAi.encode_request(&question());
    let request = fixture.client.post(format!("{}/v1/chat/completions", fixture.mock.url())).body(body);
    assert_eq!(request.header(DRAW_HEADER, "s/b/0/0").send().await.unwrap().status(), 429);
    assert_eq!(fixture.mock.state().faults, 0);
}

#[tokio::test]
async fn a_cut_breaks_the_body_and_a_close_the_whole_answer() {
    let fixture = Fixture::default();
    fixture.mock.inject([FaultKind::Cut { after_events: 5 }]);
    let cut = fixture.ask(Dialect::Anthropic, &question()).await;
    assert_eq!(cut.status(), 200);
    assert!(cut.bytes().await.is_err());
    fixture.mock.inject([FaultKind::Cut { after_events: 0 }]);
    let cut = fixture.ask(Dialect::Anthropic, &Ask { stream: false, ..question() }).await;
    assert!(cut.bytes().await.is_err());
    fixture.mock.inject([FaultKind::Close]);
    let body = Dialect::Anthropic.encode_request(&question());
    assert!(fixture.try_post("/v1/messages", body).await.is_err());
}

#[tokio::test]
async fn an_error_in_the_stream_is_stated_in_it() {
    let fixture = Fixture::default();
    fixture.mock.inject([FaultKind::Error { after_events: 5 }, FaultKind::Garbage { after_events: 5 }]);
    let text = fixture.ask(Dialect::Anthropic, &question()).await.text().await.unwrap();
    assert!(text.contains("event: error") && !text.contains("message_stop"), "{text}");
    let text = fixture.ask(Dialect::Anthropic, &question()).await.text().await.unwrap();
    assert!(text.contains("no JSON") && text.contains("message_stop"), "{text}");
}

#[tokio::test]
async fn stalled_answers_and_slow_headers_are_late() {
    let fixture = Fixture::default();
    fixture
        .mock
        .inject([FaultKind::Stall { after_events: 2, ms: 1100 }, FaultKind::SlowHeaders { ms: 1100 }]);
    for _ in 0..2 {
        let start = Instant::now();
        let answer = fixture.ask(Dialect::Anthropic, &question()).await;
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap();
        assert!(start.elapsed() >= Duration::from_millis(1100));
    }
}

#[tokio::test]
async fn what_was_received_can_be_read_back() {
    let fixture = Fixture::new(MockConfig { keep_bodies: true, ..MockConfig::default() });
    fixture.reply(Dialect::Anthropic, &question()).await;
    let requests = fixture.get("/_mock/requests").await;
    let only = &requests[0];
    assert_eq!((&only["model"], &only["max_tokens"]), (&json!("claude-sonnet-4-6"), &json!(12)));
    assert_eq!(only["usage"]["output"], json!(12));
    assert!(only["body"].as_str().unwrap().contains("What is it?"));
    assert_eq!(fixture.mock.requests().len(), 1);
}

#[tokio::test]
async fn the_state_counts_requests_and_connections() {
    let fixture = Fixture::new(MockConfig::default());
    for _ in 0..3 {
        fixture.reply(Dialect::OpenAi, &question()).await;
    }
    let state: MockState = serde_json::from_value(fixture.get("/_mock/state").await).unwrap();
    assert_eq!((state.requests["openai"], state.in_flight, state.in_flight_max), (3, 0, 1));
    assert!(state.connections >= 1 && state.connections <= 4, "{state:?}");
    fixture.post("/_mock/reset", "").await;
    assert!(fixture.mock.state().requests.is_empty());
    assert_eq!(fixture.post("/_mock/clock", r#"{"advance_s": -1}"#).await.status(), 400);
}

#[tokio::test]
async fn requests_beyond_the_slots_wait_their_turn() {
    let mut config = MockConfig::default();
    config.profile.slots = 1;
    config.profile.overhead = Duration::from_millis(400);
    let fixture = Fixture::new(config);
    let ask = question();
    let start = Instant::now();
    let three = (0..3).map(|_| fixture.reply(Dialect::OpenAi, &ask));
    futures::future::join_all(three).await;
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(fixture.mock.state().in_flight_max, 3);
}

#[tokio::test]
async fn models_and_health_are_listed() {
    let fixture = Fixture::default();
    assert_eq!(fixture.get("/health").await["status"], json!("ok"));
    let models = fixture.get("/v1/models").await;
    let list = models["data"].as_array().unwrap();
    assert!(list.iter().any(|model| model["id"] == "gpt-4o" && model["max_model_len"] == 128_000));
}

#[tokio::test]
async fn the_mock_reports_its_own_pacing_error() {
    let fixture = Fixture::default();
    fixture
        .ask(Dialect::Anthropic, &Ask { max_tokens: Some(400), ..question() })
        .await
        .bytes()
        .await
        .unwrap();
    let report = fixture.mock.report();
    assert!(report.n > 100, "{report:?}");
    assert!(report.p50_ns <= report.p99_ns && report.p99_ns <= report.max_ns, "{report:?}");
    assert!(report.max_ns < 10_000_000_000, "{report:?}");
}

#[test]
fn settings_that_no_server_could_follow_are_refused() {
    let error = Mock::start(MockConfig { slowdown: f64::NAN, ..MockConfig::default() }).unwrap_err();
    assert_eq!(error.to_string(), "could not start the mock: slowdown: it must be a number above 0");
    let taken = Mock::start(MockConfig::default()).unwrap();
    assert!(Mock::start(MockConfig { addr: taken.addr(), ..MockConfig::default() }).is_err());
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_inside_a_runtime_too() {
    let first = Mock::start(MockConfig::default()).unwrap();
    let second = Mock::start(MockConfig { addr: first.addr(), ..MockConfig::default() });
    assert!(second.unwrap_err().to_string().contains("could not listen"));
}
