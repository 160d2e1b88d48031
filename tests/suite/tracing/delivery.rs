//! What becomes of spans on their way: keys, collectors that are down, slow or refuse.

use std::time::{Duration, Instant};

use llmlab::session::{Session, SessionEvent};
use llmlab::settings::Settings;
use llmlab::telemetry::{Summary, Tracing, TracingConfig};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use wiremock::ResponseTemplate;

use super::{Collector, Lab, QUICK, counted};
use crate::support::{Bench, Ran, RawServer, SMALL, Step};

/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:1";

/// What a run prints that no clock and no random id has a part in.
fn lasting(ran: &Ran) -> Vec<(String, u64)> {
    let result: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON alone");
    let arms = result["results"].as_array().expect("arms").iter();
    arms.map(|arm| {
        (arm["config"]["name"].to_string(), arm["timing_results"].as_array().map_or(0, Vec::len) as u64)
    })
    .collect()
}

#[test]
fn a_collector_that_is_down_or_silent_changes_neither_the_result_nor_the_exit_code() {
    let lab = Lab::new();
    let quick = [&QUICK[..], &["--json"]].concat();
    let untraced = lab.run(&quick, &[]);
    let silent = RawServer::start(|_| vec![Step::Silence]);
    for (endpoint, words) in [
        (NOWHERE, "0 spans exported to otlp at 127.0.0.1:1, 22 failed (error sending request"),
        (silent.url().as_str(), "22 failed (not all were taken within 3 s)"),
    ] {
        let began = Instant::now();
        let ran = lab.run(&quick, &[("LLMLAB_TRACE", "otlp"), ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]);
        assert_eq!((ran.code, untraced.code), (Some(0), Some(0)), "{}", ran.stderr);
        assert_eq!(lasting(&ran), lasting(&untraced));
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_collector_gets_its_own_key_and_nobody_is_shown_one() {
    // Given Langfuse, which takes what it is sent, and another collector, which refuses it
    let (langfuse, other) =
        (Collector::start().await, Collector::answering(ResponseTemplate::new(401)).await);
    let lab = Lab::new();
    // When both are asked for, and the console
    let ran = lab.run(
        &[&QUICK[..], &["--json"]].concat(),
        &[
            ("LLMLAB_TRACE", "console,otlp,langfuse"),
            ("LANGFUSE_HOST", &langfuse.url()),
            ("LANGFUSE_PUBLIC_KEY", "hush-public"),
            ("LANGFUSE_SECRET_KEY", "hush-secret"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &format!("{}/own?key=hush-query", other.url())),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=hush-header"),
            ("OTEL_SERVICE_NAME", "other-name"),
        ],
    );
    // Then each got its own key, at its own address
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let to_langfuse = langfuse.requests().await;
    for request in &to_langfuse {
        // The two keys with a colon between them, in base64
        assert_eq!(request.headers["authorization"], "Basic aHVzaC1wdWJsaWM6aHVzaC1zZWNyZXQ=");
        assert_eq!(request.url.path(), "/api/public/otel/v1/traces");
        assert_eq!(request.headers["content-type"], "application/x-protobuf");
        assert!(!request.headers.contains_key("x-key"));
    }
    for request in other.requests().await {
        assert_eq!((request.headers["x-key"].to_str().unwrap(), request.url.path()), ("hush-header", "/own"));
        assert!(!request.headers.contains_key("authorization"));
    }
    assert_eq!(langfuse.traces().await.spans.len(), 22);
    assert_eq!(counted(langfuse.traces().await.services).into_keys().collect::<Vec<_>>(), ["other-name"]);
    // And nobody is shown one
    assert!(!ran.stderr.contains("hush") && !ran.stdout.contains("hush"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("aHVzaC1"), "{}", ran.stderr);
    assert!(ran.stderr.contains("22 failed (it answered 401 Unauthorized)"), "{}", ran.stderr);
    // And the console has every span on standard error, while standard output is the result
    let spans = ran.stderr.lines().filter(|line| line.starts_with("{\"")).map(serde_json::from_str);
    let spans: Vec<serde_json::Value> = spans.map(|line| line.expect("JSON")).collect();
    assert_eq!(spans.iter().filter(|span| span["span_id"].is_string()).count(), 22);
    assert_eq!(lasting(&ran).len(), 2);
}

#[test]
fn a_wrong_setting_is_refused_before_anything_is_asked() {
    let lab = Lab::new();
    for (settings, words) in [
        (&[("LLMLAB_TRACE", "jaeger")][..], "LLMLAB_TRACE=`jaeger`: expected console, otlp or langfuse"),
        (&[("LLMLAB_TRACE", "otlp"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318")], "http://"),
        (&[("LLMLAB_TRACE", "otlp"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:hush@b")], "a password"),
        (
            &[("LLMLAB_TRACE", "otlp"), ("OTEL_EXPORTER_OTLP_HEADERS", "a=hush%0A")],
            "a header's name or value",
        ),
    ] {
        let ran = lab.run(&QUICK, settings);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(words) && !ran.stderr.contains("hush"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("will send"), "{}", ran.stderr);
    }
}

#[test]
fn langfuse_without_its_keys_is_warned_of_once() {
    // Given two optimisations in one process
    let both = ["run", "all", "--quick", "--filter", "^(streaming/on/50|parallelism/tools/.*)$"];
    let ran = Lab::new().run(&both, &[("LLMLAB_TRACE", "langfuse"), ("LANGFUSE_PUBLIC_KEY", "only-one")]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("every request is recorded").count(), 2, "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("WARNING: no traces go to Langfuse").count(), 1, "{}", ran.stderr);
    assert!(!ran.stderr.contains("exported"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_and_benches_are_traced_too() {
    let (collector, lab) = (Collector::start().await, Lab::new());
    lab.traced(&["profile", "latency", "--target", "mock", "--iterations", "3", "--warmup", "0"], &collector);
    let traces = collector.traces().await;
    assert_eq!(traces.path(traces.named("chat ")[0])[1..], ["group profile/latency", "llmlab profile"]);

    let (collector, bench) = (Collector::start().await, Bench::new());
    let url = collector.url();
    let traced = [("LLMLAB_TRACE", "otlp"), ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str())];
    let ran = bench.run_in(&["--test", SMALL], &traced);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let traces = collector.traces().await;
    assert_eq!(traces.path(traces.named("chat ")[0]).last(), Some(&"cargo bench --bench streaming"));
}

/// A traced session, and its traces.
async fn session(endpoint: &str) -> (Session, Tracing) {
    let config = TracingConfig {
        enable_console_export: false,
        otlp_endpoint: Some(format!("{endpoint}/v1/traces")),
        ..TracingConfig::default()
    };
    let tracing = Tracing::with(&config).expect("the address is one");
    let mut session = Session::start(Settings::simulated()).await.expect("the mock starts");
    tracing.attach(&mut session, "mine").expect("a thread starts");
    (session, tracing)
}

fn finished(tracing: &Tracing) -> Summary {
    tokio::task::block_in_place(|| tracing.finish()).expect("it was traced")
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_that_a_collector_refuses_are_said() {
    let partial = ExportTracePartialSuccess { rejected_spans: 1, error_message: "no".into() };
    let body = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let collector = Collector::answering(ResponseTemplate::new(200).set_body_bytes(body)).await;
    let (session, tracing) = session(&collector.url()).await;
    session.publish(&SessionEvent::Round { group: "g", round: 0, planned: None });
    let summary = finished(&tracing);
    assert_eq!((summary.sent[0].exported, summary.sent[0].failed), (2, 1), "{summary}");
    assert!(summary.to_string().contains("1 failed (it refused them)"), "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_has_no_time_is_asked_again() {
    let collector = Collector::answering(ResponseTemplate::new(503)).await;
    let (_session, tracing) = session(&collector.url()).await;
    let summary = finished(&tracing);
    assert_eq!(summary.sent[0].failed, 1, "{summary}");
    assert_eq!(collector.requests().await.len(), 3, "three times in all");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_finds_no_room_is_counted_and_keeps_nobody_waiting() {
    const EVENTS: u64 = 100_000;
    let (session, tracing) = session(NOWHERE).await;
    let began = Instant::now();
    for _ in 0..EVENTS {
        session.publish(&SessionEvent::GroupDone);
    }
    let took = began.elapsed();
    let summary = finished(&tracing);
    assert!(summary.dropped > 0 && summary.dropped < EVENTS, "{summary}");
    assert!(took < Duration::from_secs(2), "{took:?} for {EVENTS} events");
}
