//! What a profile exports, and who reads it.

use std::time::Duration;

use llmlab::catalog::Profile;
use llmlab::mock::{FaultKind, Mock, MockConfig};
use serde_json::{Value, json};
use wiremock::matchers::{any, body_partial_json};
use wiremock::{MockServer, ResponseTemplate};

use super::{Lab, mock, numbers};

const REFUSED: FaultKind = FaultKind::Status { status: 500, retry_after_s: None };

/// The keys that earlier profilers exported, and a summary's.
const KEYS: [&str; 10] = [
    "request_id",
    "model",
    "provider",
    "total_ms",
    "ttfb_ms",
    "network_ms",
    "tokens_generated",
    "tokens_per_second",
    "success",
    "error",
];
const SUMMARY: [&str; 7] = [
    "total_requests",
    "successful",
    "failed",
    "success_rate",
    "mean_latency_ms",
    "median_latency_ms",
    "p95_latency_ms",
];

#[test]
fn a_failed_request_is_counted_and_has_no_latency() {
    // Given a server that refuses the first request
    let (lab, mock) = (Lab::new(), mock());
    mock.inject([REFUSED]);
    let ran = lab.profile(&mock, &["latency", "--warmup", "0", "--export", "l.json"]);
    // Then one of ten failed, which is too many to call it clean
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stdout.contains("Success rate: 9/10 (90.0%)") && ran.stdout.contains("   1 x "),
        "{}",
        ran.stdout
    );
    assert_eq!(mock.requests().len(), 9, "answered, and the tenth was not tried again");
    // And the export has every key, null where there is no figure
    let export = lab.json("l.json");
    let all = export["measurements"].as_array().unwrap();
    for one in all {
        assert!(KEYS.iter().all(|key| one.get(key).is_some()), "{one:#}");
    }
    let failed = &all[0];
    assert_eq!((&failed["success"], &failed["error_class"]), (&json!(false), &json!("http5xx")));
    for field in ["total_ms", "ttfb_ms", "network_ms", "ttft_ms", "tokens_generated", "tokens_per_second"] {
        assert_eq!(failed[field], Value::Null, "{field}");
    }
    assert!(SUMMARY.iter().all(|key| export["summary"].get(key).is_some()), "{export:#}");
    assert_eq!((&export["summary"]["failed"], &export["total_ms"]["n"]), (&json!(1), &json!(9)));
}

#[test]
fn without_a_success_the_summary_says_nothing_of_latencies() {
    let (lab, mock) = (Lab::new(), mock());
    mock.inject([REFUSED; 3]);
    let ran = lab.profile(&mock, &["latency", "--warmup", "0", "--iterations", "3", "--export", "l.json"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("no request succeeded"), "{}", ran.stderr);
    assert!(!ran.stdout.contains("Mean"), "{}", ran.stdout);
    assert_eq!(lab.json("l.json")["summary"], json!({"success_rate": 0.0, "total_requests": 3}));
}

#[test]
fn failures_are_in_the_rps_and_not_in_the_goodput() {
    let (lab, mock) = (Lab::new(), mock());
    mock.inject([REFUSED]);
    let args = ["throughput", "--requests", "30", "--concurrency", "5", "--export", "t.json"];
    let ran = lab.profile(&mock, &args);
    assert_eq!(ran.code, Some(0), "3.3% is below the limit: {}", ran.stderr);
    let level = &lab.json("t.json")["levels"][0];
    let number = |field: &str| level[field].as_f64().unwrap();
    assert_eq!(
        (&level["requests"], &level["failed"], level["errors"].as_object().unwrap().len()),
        (&json!(30), &json!(1), 1)
    );
    assert!((number("goodput_rps") / number("rps") - 29.0 / 30.0).abs() < 1e-9, "{level:#}");
    assert!(ran.stdout.contains("RPS:") && ran.stdout.contains("Goodput:") && ran.stdout.contains("   1 x "));
    // As many were under way as were asked for, but for the end
    assert!((3.0..=5.5).contains(&number("under_way")), "{level:#}");
}

#[test]
fn a_sweep_finds_the_capacity_of_an_engine_that_serves_four_at_once() {
    // Given an engine that serves four requests at once, each for 200 ms: 20 a second
    let overhead = Duration::from_millis(200);
    let profile = Profile { overhead, slots: 4, sigma_overhead: 0.0, ..Profile::default() };
    let (lab, mock) = (Lab::new(), Mock::start(MockConfig { profile, ..MockConfig::default() }).unwrap());
    // When it is asked one, four and twelve at a time, and half a second is long enough
    let sweep = ["throughput", "--sweep", "12,1,4", "--requests", "16", "--pause", "0s", "--slo-p95", "450"];
    let ran = lab.profile(&mock, &[&sweep[..], &["--max-tokens", "1", "--export", "t.json"]].concat());
    // Then no level answers more than it can, and the best one is the one without a queue
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let export = lab.json("t.json");
    let of = |field: &str| numbers(&export["levels"], field);
    assert_eq!(of("concurrency"), [1.0, 4.0, 12.0], "in ascending order");
    assert!(
        of("goodput_rps").iter().zip([5.0, 20.0, 20.0]).all(|(rps, most)| *rps <= most * 1.01),
        "{export:#}"
    );
    let medians = of("median_latency_ms");
    assert!(medians[0] >= 200.0 && medians[2] >= 400.0, "the others wait: {medians:?}");
    let scaling = &export["scaling"];
    assert_eq!((&scaling["optimal"]["concurrency"], &scaling["degraded_from"]), (&json!(4), &json!(12)));
    assert!(ran.stdout.contains("🎯 Optimal concurrency: ~4 ("), "{}", ran.stdout);
}

#[test]
fn the_length_of_answers_tells_the_first_token_from_the_others() {
    // Given an engine that takes 200 ms to the first token and 20 ms for each further one
    let ms = Duration::from_millis;
    let profile = Profile {
        overhead: ms(200),
        prefill: Duration::ZERO,
        decode: ms(20),
        sigma_overhead: 0.0,
        sigma_decode: 0.0,
        ..Profile::default()
    };
    let (lab, mock) = (Lab::new(), Mock::start(MockConfig { profile, ..MockConfig::default() }).unwrap());
    // When answers of several lengths are measured
    let args =
        ["latency", "--sweep-tokens", "5,15,40", "--iterations", "3", "--warmup", "1", "--export", "l.json"];
    let ran = lab.profile(&mock, &args);
    // Then the line finds both again
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let line = lab.json("l.json")["token_sweep"]["line"].clone();
    let of = |name: &str| line[name]["estimate"].as_f64().unwrap();
    assert!(
        (of("intercept") / 200.0 - 1.0).abs() < 0.1 && (of("slope") / 20.0 - 1.0).abs() < 0.1,
        "{line:#}"
    );
    assert!(
        ran.stdout.contains("LATENCY OVER OUTPUT TOKENS") && ran.stdout.contains("n = 9"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_cold_prompt_is_never_read_from_the_cache() {
    let (lab, mock) = (Lab::new(), mock());
    let long = "The handbook says that every request is answered in the order of its arrival. ".repeat(100);
    let cached = |args: &[&str]| {
        let common =
            ["latency", "--model", "gpt-4o", "--iterations", "3", "--export", "l.json", "--prompt", &long];
        let ran = lab.profile(&mock, &[&common, args].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let warned = ran.stdout.contains("--no-cache makes every prompt new");
        (numbers(&lab.json("l.json")["measurements"], "cached_tokens"), warned)
    };
    let (cold, warned) = cached(&["--no-cache"]);
    assert!(cold.iter().all(|tokens| *tokens == 0.0) && !warned, "{cold:?}");
    let (warm, warned) = cached(&[]);
    assert!(warm.iter().all(|tokens| *tokens > 1_000.0) && warned, "{warm:?}");
}

#[test]
fn what_is_not_streamed_has_no_time_to_first_token() {
    let (lab, mock) = (Lab::new(), mock());
    let args = ["latency", "--no-stream", "--iterations", "2", "--warmup", "0", "--export", "l.json"];
    let ran = lab.profile(&mock, &args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("TTFB") && !ran.stdout.contains("TTFT"), "{}", ran.stdout);
    let export = lab.json("l.json");
    let first = &export["measurements"][0];
    assert!(
        first["total_ms"].is_number() && first["ttft_ms"].is_null() && first["decode_tps"].is_null(),
        "{first:#}"
    );
    // The first request opened the connection, and the second had it
    let second = &export["measurements"][1];
    assert!(first["connect_ms"].is_number() && second["connect_ms"].is_null(), "{export:#}");
}

#[test]
fn trend_gate_and_slow_read_every_export() {
    let (lab, mock) = (Lab::new(), mock());
    std::fs::create_dir(lab.path("b")).unwrap();
    let few = ["--max-tokens", "5"];
    for (profile, args) in [
        ("latency", &["--iterations", "20"][..]),
        ("throughput", &["--sweep", "1,2", "--requests", "20", "--pause", "0s"]),
        ("compare", &["--models", "llama3.1:8b", "qwen-vllm", "--iterations", "20"]),
    ] {
        let export = format!("b/{profile}.json");
        let ran = lab.profile(&mock, &[&[profile, "--export", &export], args, &few].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let gate = lab.run(&["gate", &export, &export, "--metric", "p50"]);
        assert_eq!(gate.code, Some(0), "{profile}: {}{}", gate.stdout, gate.stderr);
        let slow = lab.run(&["report", "slow", &export, "--over", "1ms"]);
        let said = ["Slow requests (>0.001s): 20 of 20", "TTFB correlation with total latency: "];
        assert!(
            slow.code == Some(0) && said.iter().all(|said| slow.stdout.contains(said)),
            "{}",
            slow.stdout
        );
    }
    // What looks for comparisons passes over them
    let claims = lab.run(&["claims", "b"]);
    assert_eq!(claims.code, Some(0), "{}", claims.stderr);
    let trend = lab.run(&["trend", "b", "--json"]);
    assert_eq!((trend.code, trend.stderr.as_str()), (Some(0), ""));
    let trend: Value = serde_json::from_str(&trend.stdout).unwrap();
    let names: Vec<_> =
        trend["series"].as_array().unwrap().iter().map(|series| series["configuration"].clone()).collect();
    assert_eq!(names, ["llama3.1:8b", "llama3.1:8b", "qwen-vllm", "concurrency/1", "concurrency/2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_mostly_fails_wins_nothing() {
    // Given a server that refuses one of two models
    let server = MockServer::start().await;
    let refuse = wiremock::Mock::given(body_partial_json(json!({"model": "broken"})));
    refuse.respond_with(ResponseTemplate::new(503)).with_priority(1).mount(&server).await;
    let says = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let answer = ResponseTemplate::new(200).set_body_raw(says, "text/event-stream");
    wiremock::Mock::given(any())
        .respond_with(answer.set_delay(Duration::from_millis(30)))
        .mount(&server)
        .await;
    // When both are compared
    let url = server.uri();
    let (ran, export) = tokio::task::spawn_blocking(move || {
        let lab = Lab::new();
        let args = [
            "profile",
            "compare",
            "--models",
            "broken",
            "works",
            "--iterations",
            "4",
            "--export",
            "c.json",
            "--url",
            &url,
        ];
        (lab.run(&args), lab.json("c.json"))
    })
    .await
    .unwrap();
    // Then the one that answers is the fastest, and the other is named as not ranked, without figures
    assert_eq!(ran.code, Some(1), "half of the requests failed: {}", ran.stderr);
    assert!(ran.stdout.contains("Fastest (median latency): works"), "{}", ran.stdout);
    assert!(ran.stdout.contains("Not ranked, with less than 90% success: broken"), "{}", ran.stdout);
    let broken = &export["results"][1];
    assert_eq!(
        (&broken["model"], &broken["failed"], &broken["median_latency_ms"]),
        (&json!("broken"), &json!(4), &Value::Null)
    );
    assert_eq!(broken["errors"].as_array().map(Vec::len), Some(4));
    // And tokens that nobody counted are counted by their events, which is said
    assert_eq!(export["results"][0]["measurements"][0]["token_source"], "events");
    assert!(export["timestamp"].is_u64(), "seconds, as earlier profilers had them");
}

#[test]
fn everything_about_a_model_is_three_results() {
    let (lab, mock) = (Lab::new(), mock());
    let args =
        ["all", "--model", "new/model:1b", "--iterations", "2", "--requests", "4", "--output-dir", "out"];
    let ran = lab.profile(&mock, &args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let names =
        ["latency", "throughput", "compare"].map(|profile| format!("out/{profile}-new-model-1b.json"));
    let [latency, throughput, compare] = names.map(|name| lab.json(&name));
    assert_eq!(latency["measurements"].as_array().map(Vec::len), Some(2));
    assert_eq!(throughput["levels"].as_array().map(Vec::len), Some(6));
    let models: Vec<_> = compare["plan"]["models"].as_array().unwrap().clone();
    assert_eq!(models, ["llama3.1:8b", "new/model:1b"]);
}
