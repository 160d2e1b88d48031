//! What a load prints and writes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use llmlab::catalog::Profile;
use llmlab::mock::{Mock, MockConfig};
use regex::Regex;
use serde_json::{Value, json};

use super::{Lab, generate, mock, openai, serving};

/// Every number as `#`, and what says that this machine was busy left out.
fn masked(text: &str) -> String {
    let depends = ["The client itself was late", "Instrument: ", "INVALID: "];
    let lines = text.lines().filter(|line| !depends.iter().any(|start| line.starts_with(start)));
    let text = lines.collect::<Vec<_>>().join("\n");
    Regex::new(r"[0-9][0-9.,]*( (ns|µs|ms|s))?( +)?").expect("a pattern").replace_all(&text, "#").into_owned()
}

#[test]
fn the_console_is_that_of_the_sample() {
    let mock = mock();
    let ran = Lab::new().load(&generate(&mock), &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/expected/load_sample.txt");
    let sample = fs::read_to_string(sample).expect("the sample");
    assert_eq!(masked(&ran.stdout), masked(&sample), "{}", ran.stdout);
}

#[test]
fn the_result_begins_with_the_eleven_keys_and_is_what_json_prints() {
    let (lab, mock) = (Lab::new(), mock());
    let ran = lab.load(&generate(&mock), &["--requests", "10", "--output", "out/results.json", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let written = fs::read_to_string(lab.file("out/results.json")).expect("a result");
    let keys = Regex::new(r#"(?m)^  "(\w+)":"#).unwrap();
    let keys: Vec<_> = keys.captures_iter(&written).map(|key| key[1].to_owned()).collect();
    let eleven = [
        "total_requests",
        "successful_requests",
        "failed_requests",
        "ttft_p50_ms",
        "ttft_p95_ms",
        "ttft_p99_ms",
        "tpot_avg_ms",
        "throughput_tokens_per_sec",
        "cache_hit_rate",
        "avg_latency_ms",
        "total_time_sec",
    ];
    assert_eq!(keys[..11], eleven);
    let (written, printed): (Value, Value) =
        (serde_json::from_str(&written).unwrap(), serde_json::from_str(&ran.stdout).unwrap());
    assert_eq!(written, printed);
    assert_eq!(written["provenance"]["mode"], "simulated");
}

#[test]
fn an_endpoint_that_does_not_stream_has_no_time_to_first_token_but_one_to_its_headers() {
    let mock = mock();
    let found = Lab::new().found(&generate(&mock), &["--requests", "6"]);
    assert_eq!((&found["first_response"], &found["ttft_p50_ms"]), (&json!("ttfb"), &Value::Null));
    assert_eq!((&found["tpot_avg_ms"], &found["token_source"]), (&Value::Null, &json!("characters")));
    assert!(found["latencies_ms"]["ttfb"]["p50"].is_number());
    let console = Lab::new().load(&generate(&mock), &["--requests", "6"]).stdout;
    assert!(console.contains("TTFB P50:") && !console.contains("TTFT"), "{console}");
}

#[test]
fn a_streamed_endpoint_has_the_times_of_its_tokens() {
    // Given 20 ms for each token
    let profile = Profile { decode: Duration::from_millis(20), ..Profile::default().without_noise() };
    let mock = Mock::start(MockConfig { profile, ..MockConfig::default() }).unwrap();
    let args = ["--requests", "6", "--max-tokens", "12", "--warmup", "0"];
    let found = Lab::new().found(&openai(&mock), &args);
    // Then that is what is measured, and what the server counted is what is counted
    for key in ["tpot_avg_ms", "tpot_pooled_ms"] {
        assert!((19.0..40.0).contains(&found[key].as_f64().unwrap()), "{key}: {}", found[key]);
    }
    assert!(found["ttft_p50_ms"].as_f64().unwrap() >= 12.0);
    assert_eq!((&found["token_source"], &found["output_tokens"]), (&json!("usage"), &json!(72)));
    assert_eq!(found["cache"]["counted"], "prompt_tokens");
}

#[test]
fn percentiles_are_interpolated_unless_the_tools_own_are_asked_for() {
    let mock = mock();
    let total = |args: &[&str]| {
        // An answer from the cache and one that takes its time
        let args = [&["--requests", "2", "--concurrency", "1", "--warmup", "0", "--repeat-ratio", "0"], args]
            .concat();
        let found = Lab::new().found(&openai(&mock), &args);
        ["p50", "max"].map(|name| found["latencies_ms"]["total"][name].as_f64().unwrap())
    };
    let [median, most] = total(&["--compat-percentile", "floor"]);
    assert_eq!(median, most);
    let [median, most] = total(&[]);
    assert!(median < most, "{median} {most}");
}

#[test]
fn bounds_make_goodput_and_a_missed_percentile_is_exit_code_1() {
    let mock = serving(64, 50);
    let kept = ["--requests", "10", "--slo-ttft", "30s", "--slo-p95", "30s"];
    let found = Lab::new().found(&openai(&mock), &kept);
    assert_eq!((&found["slo"]["good_requests"], &found["slo"]["p95_met"]), (&json!(10), &json!(true)));
    let missed = ["--requests", "10", "--slo-total", "10ms", "--slo-p95", "10ms"];
    let ran = Lab::new().load(&openai(&mock), &missed);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stdout.contains("0 of 10 requests (0.0%)") && ran.stdout.contains("MISSED"),
        "{}",
        ran.stdout
    );
}
