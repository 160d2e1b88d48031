//! `llmlab load` as its users know it: what it sends, prints and writes, and how it ends.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use llmlab::catalog::Profile;
use llmlab::mock::{FaultKind, Mock, MockConfig};
use llmlab::settings::VARIABLES;
use regex::Regex;
use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::{method, path};
use wiremock::{MockServer, ResponseTemplate};

use crate::support::Ran;

/// A directory to run in.
struct Lab(TempDir);

impl Lab {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).expect("the file is written");
    }

    /// `llmlab load` at this endpoint.
    fn command(&self, endpoint: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
        command.args(["load", "--endpoint", endpoint]).args(args).current_dir(self.0.path());
        for variable in VARIABLES.map(|variable| variable.name).iter().chain(&["NO_COLOR"]) {
            command.env_remove(variable);
        }
        command
    }

    fn load(&self, endpoint: &str, args: &[&str]) -> Ran {
        Ran::of(self.command(endpoint, args).output().expect("the command runs"))
    }

    /// What it finds, as JSON on standard output.
    #[track_caller]
    fn found(&self, endpoint: &str, args: &[&str]) -> Value {
        let ran = self.load(endpoint, &[&["--json"], args].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        serde_json::from_str(&ran.stdout).expect("JSON on standard output")
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.file(name)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }
}

fn mock() -> Mock {
    Mock::start(MockConfig::default()).expect("the mock starts")
}

/// A mock that answers in so many milliseconds, so many requests at once, the first token and the last together.
fn serving(slots: usize, service_ms: u64) -> Mock {
    let profile = Profile {
        overhead: Duration::from_millis(service_ms),
        prefill: Duration::ZERO,
        decode: Duration::ZERO,
        slots,
        ..Profile::default().without_noise()
    };
    Mock::start(MockConfig { profile, ..MockConfig::default() }).expect("the mock starts")
}

fn generate(mock: &Mock) -> String {
    format!("{}/generate", mock.url())
}

fn openai(mock: &Mock) -> String {
    format!("{}/v1/chat/completions", mock.url())
}

fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(status.expect("kill is everywhere").success());
}

/// Waits until something is so, for as long as a busy machine may need.
#[track_caller]
fn wait_until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "it never came to that");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Every number as `#`, and what says that this machine was busy left out.
fn masked(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("The client itself was late"));
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
fn the_warm_up_is_sent_beside_what_is_measured() {
    for compat in [&[][..], &["--compat"]] {
        let (lab, mock) = (Lab::new(), mock());
        let args = [&["--requests", "7", "--warmup", "4", "--raw", "raw.jsonl"], compat].concat();
        let found = lab.found(&generate(&mock), &args);
        assert_eq!((&found["total_requests"], mock.state().requests["generate"]), (&json!(7), 11));
        // And each request that is measured has a record
        let numbers: BTreeSet<_> =
            lab.lines("raw.jsonl").iter().map(|record| record["step"].as_u64()).collect();
        assert_eq!(numbers, (0..7).map(Some).collect());
    }
}

#[test]
fn no_more_requests_are_under_way_than_were_allowed() {
    let most = |endpoint: &dyn Fn(&Mock) -> String, args: &[&str]| {
        let mock = serving(64, 30);
        let found = Lab::new().found(&endpoint(&mock), args);
        assert_eq!(found["successful_requests"], found["total_requests"]);
        mock.state().in_flight_max
    };
    let closed = ["--concurrency", "20", "--requests", "200", "--max-tokens", "4"];
    assert_eq!(most(&generate, &closed), 20);
    let open = ["--concurrency", "8", "--rate", "1000", "--requests", "60", "--max-tokens", "4"];
    assert_eq!(most(&openai, &open), 8);
}

#[test]
fn the_compatible_order_hits_an_ideal_cache_as_often_as_it_can() {
    let mock = mock();
    let found =
        Lab::new().found(&generate(&mock), &["--compat", "--repeat-ratio", "0.5", "--requests", "100"]);
    // Of what can hit, only what is asked twice at once may miss
    assert_eq!(found["cache"]["ideal_hit_rate"], 0.5);
    let rate = found["cache_hit_rate"].as_f64().unwrap();
    assert!((0.48..=0.50).contains(&rate), "{rate}");
}

#[test]
fn a_warmed_cache_knows_every_prompt_that_repeats() {
    let mock = mock();
    let args = ["--warm-cache", "--repeat-ratio", "0.4", "--requests", "20", "--warmup", "0"];
    let found = Lab::new().found(&generate(&mock), &args);
    assert_eq!((&found["cache_hit_rate"], &found["cache"]["ideal_hit_rate"]), (&json!(0.4), &json!(0.4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_is_the_documents_and_what_an_answer_lacks_is_no_error() {
    // Given a server that says nothing but a text
    let server = MockServer::start().await;
    let says = ResponseTemplate::new(200).set_body_json(json!({"text": "Hello there."}));
    wiremock::Mock::given(method("POST")).and(path("/generate")).respond_with(says).mount(&server).await;
    // When it is asked twice over
    let url = format!("{}/generate", server.uri());
    let mut prompts = Vec::new();
    for _ in 0..2 {
        let found = Lab::new().found(&url, &["--requests", "9", "--concurrency", "1", "--max-tokens", "40"]);
        assert_eq!((&found["cache_hit_rate"], &found["output_tokens"]), (&json!(0.0), &json!(27)));
        assert_eq!(found["provenance"]["mode"], "live");
        let received = server.received_requests().await.unwrap();
        let bodies: Vec<Value> = received
            .iter()
            .filter(|request| request.method.as_str() == "POST")
            .map(|request| serde_json::from_slice(&request.body).unwrap())
            .collect();
        // Then each body holds the three keys and no others
        for body in &bodies {
            assert_eq!(*body, json!({"prompt": body["prompt"], "max_tokens": 40, "temperature": 0.0}));
        }
        prompts.push(bodies.into_iter().map(|body| body["prompt"].clone()).collect::<Vec<_>>());
        server.reset().await;
        let says = ResponseTemplate::new(200).set_body_json(json!({"text": "Hello there."}));
        wiremock::Mock::given(method("POST")).and(path("/generate")).respond_with(says).mount(&server).await;
    }
    // And two runs ask the same in the same order
    assert_eq!(prompts[0], prompts[1]);
    assert_eq!(prompts[0].len(), 14);
}

#[test]
fn a_server_that_is_not_there_is_named_at_once() {
    // Given a port on which nobody listens
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let start = Instant::now();
    let ran = Lab::new().load(&format!("http://127.0.0.1:{port}/generate"), &[]);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    let words = format!("server not reachable at http://127.0.0.1:{port}");
    assert!(ran.stderr.contains(&words) && ran.stderr.contains("`llmlab mock`"), "{}", ran.stderr);
}

#[test]
fn what_cannot_be_meant_is_refused_by_name_and_nothing_is_sent() {
    let (lab, mock) = (Lab::new(), mock());
    lab.write("bad.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.97,many,44\n");
    lab.write("bad.jsonl", "{\"prompt\": \"a\"}\n{\"promt\": \"b\"}\n");
    lab.write("empty.jsonl", "\n");
    lab.write("text.txt", "Hello\n");
    let cases: [(&[&str], &str); 13] = [
        (&["--repeat-ratio", "1.5"], "--repeat-ratio"),
        (&["--requests", "0"], "--requests"),
        (&["--duration", "soon"], "--duration"),
        (&["--ramp", "-5s"], "--ramp"),
        (&["--rate", "-1"], "--rate"),
        (&["--arrivals", "constant"], "--rate"),
        (&["--trace", "bad.csv", "--rate", "5"], "--rate"),
        (&["--trace", "bad.csv"], "bad.csv:2: "),
        (&["--trace", "text.txt"], "--trace-format"),
        (&["--prompts", "bad.jsonl"], "bad.jsonl:2: missing field `prompt`"),
        (&["--prompts", "empty.jsonl"], "empty.jsonl holds nothing"),
        (&["--prompts", "none.jsonl"], "could not read none.jsonl"),
        (&["--max-requests", "10"], "may send 10"),
    ];
    for (args, word) in cases {
        let ran = lab.load(&generate(&mock), args);
        assert!(ran.code == Some(2) && ran.stderr.contains(word), "{args:?}: {:?}: {}", ran.code, ran.stderr);
    }
    let ran = lab.load(&format!("{}/infer", mock.url()), &[]);
    assert!(ran.code == Some(2) && ran.stderr.contains("--dialect"), "{}", ran.stderr);
    assert!(mock.state().requests.is_empty());
}

#[test]
fn failures_are_counted_by_class_and_are_in_no_latency() {
    let mock = mock();
    let status = |status| FaultKind::Status { status, retry_after_s: None };
    mock.inject([status(500), status(503), status(429)]);
    let found = Lab::new().found(&generate(&mock), &["--requests", "10", "--warmup", "0"]);
    assert_eq!(found["errors"], json!({"http5xx": 2, "rate_limited": 1}));
    assert_eq!((&found["failed_requests"], &found["latencies_ms"]["total"]["n"]), (&json!(3), &json!(7)));
    // Nothing is tried again: what was refused has no answer among those that the mock counts
    assert_eq!(mock.state().requests["generate"], 7);
    let rates = ["requests_per_sec", "answers_per_sec"].map(|key| found[key].as_f64().unwrap());
    assert!((rates[1] / rates[0] - 0.7).abs() < 1e-9, "{rates:?}");
}

#[test]
fn a_load_without_an_answer_knows_nothing_and_says_why() {
    let (lab, mock) = (Lab::new(), mock());
    mock.inject([FaultKind::Status { status: 500, retry_after_s: None }; 8]);
    let args = ["--requests", "8", "--warmup", "0", "--output", "result.json"];
    let ran = lab.load(&generate(&mock), &args);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stdout.contains("http5xx:") && ran.stdout.contains("First:"), "{}", ran.stdout);
    let found: Value = serde_json::from_str(&fs::read_to_string(lab.file("result.json")).unwrap()).unwrap();
    for key in ["ttft_p99_ms", "tpot_avg_ms", "throughput_tokens_per_sec", "cache_hit_rate", "avg_latency_ms"]
    {
        assert_eq!(found[key], Value::Null, "{key}");
    }
    assert!(found["first_error"].as_str().is_some_and(|error| error.starts_with("HTTP 500")));
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
fn a_result_that_cannot_be_written_is_refused_before_anything_is_sent() {
    let (lab, mock) = (Lab::new(), mock());
    lab.write("file", "");
    for flag in ["--output", "--raw"] {
        let ran = lab.load(&generate(&mock), &[flag, "file/result.json"]);
        assert!(ran.code == Some(2) && ran.stderr.contains(flag), "{:?}: {}", ran.code, ran.stderr);
    }
    assert!(mock.state().requests.is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_keeps_the_figures_on_the_console_and_is_an_error() {
    let mock = mock();
    let ran = Lab::new().load(&generate(&mock), &["--requests", "5", "--raw", "/dev/full"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stdout.contains("BENCHMARK RESULTS") && ran.stderr.contains("could not write /dev/full"),
        "{}",
        ran.stderr
    );
}

#[cfg(unix)]
#[test]
fn an_interrupted_load_keeps_what_it_measured() {
    // Given a load that goes on for long
    let (lab, mock) = (Lab::new(), mock());
    let args = ["--duration", "300s", "--raw", "raw.jsonl", "--output", "result.json", "--max-tokens", "4"];
    let child =
        lab.command(&openai(&mock), &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until(|| fs::read_to_string(lab.file("raw.jsonl")).is_ok_and(|text| text.lines().count() > 20));
    // When somebody presses Ctrl-C
    interrupt(&child);
    let ran = Ran::of(child.wait_with_output().unwrap());
    // Then it says what it found until then
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    assert!(ran.stdout.contains("BENCHMARK RESULTS") && ran.stdout.contains("interrupted"), "{}", ran.stdout);
    let found: Value = serde_json::from_str(&fs::read_to_string(lab.file("result.json")).unwrap()).unwrap();
    assert_eq!((&found["interrupted"], &found["ending"]), (&json!(true), &json!("interrupted")));
    assert_eq!(found["total_requests"].as_u64(), Some(lab.lines("raw.jsonl").len() as u64));
}

#[test]
fn a_killed_load_has_lost_no_request_that_had_ended() {
    let (lab, mock) = (Lab::new(), mock());
    let args = ["--duration", "300s", "--raw", "raw.jsonl", "--max-tokens", "4", "--warmup", "0"];
    let mut child =
        lab.command(&openai(&mock), &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until(|| mock.state().requests.get("openai").is_some_and(|&requests| requests > 40));
    child.kill().unwrap();
    child.wait().unwrap();
    // What the server has seen is a whole record, but for what was under way
    let (seen, kept) = (mock.state().requests["openai"], lab.lines("raw.jsonl").len() as u64);
    assert!(kept + 5 >= seen, "{kept} of {seen}");
}

#[test]
fn prompts_of_a_file_are_asked_in_turn_each_with_its_own_length() {
    let (lab, mock) = (Lab::new(), mock());
    lab.write(
        "prompts.jsonl",
        "{\"prompt\": \"One?\", \"max_tokens\": 3, \"id\": 7}\n\n{\"prompt\": \"Two?\"}\n",
    );
    let args = ["--prompts", "prompts.jsonl", "--requests", "4", "--concurrency", "1", "--warmup", "0"];
    let found = lab.found(&openai(&mock), &args);
    assert_eq!((&found["cache"]["ideal_hit_rate"], &found["total_requests"]), (&json!(0.5), &json!(4)));
    let asked: Vec<_> = mock.requests().iter().map(|request| request.max_tokens).collect();
    assert_eq!(asked, [Some(3), Some(100), Some(3), Some(100)]);
}

#[test]
fn a_trace_is_sent_with_its_lengths_at_its_times() {
    let traces = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/traces");
    let cases = [
        ("mooncake.jsonl", vec![(1100, 20), (1200, 8), (600, 12), (1030, 4)], 400.0),
        ("azure.csv", vec![(374, 44), (396, 10), (879, 5)], 251.0),
        ("burstgpt.csv", vec![(472, 18), (1087, 30), (136, 6)], 500.0),
    ];
    for (name, lengths, last) in cases {
        let mock = mock();
        let trace = traces.join(name);
        let args = ["--trace", trace.to_str().unwrap(), "--time-scale", "2", "--warmup", "0"];
        let found = Lab::new().found(&openai(&mock), &args);
        let of = |request: &llmlab::mock::ReceivedRequest| {
            (request.usage.unwrap().input.unwrap(), request.max_tokens.unwrap())
        };
        let mut asked: Vec<_> = mock.requests().iter().map(of).collect();
        asked.sort_unstable();
        let mut expected = lengths.clone();
        expected.sort_unstable();
        for ((input, output), (wanted, most)) in asked.iter().zip(&expected) {
            assert!(
                (*wanted..wanted + 20).contains(input) && output == most,
                "{name}: {asked:?} for {expected:?}"
            );
        }
        // A rate of so many in the doubled time, the last of which ends no earlier than it begins
        let offered = (lengths.len() - 1) as f64 / (2.0 * last / 1e3);
        assert!((found["offered_requests_per_sec"].as_f64().unwrap() / offered - 1.0).abs() < 0.01, "{name}");
        assert!(found["total_time_sec"].as_f64().unwrap() >= 2.0 * last / 1e3, "{name}");
    }
}

#[test]
fn at_twice_the_capacity_the_wait_grows_the_service_does_not_and_both_are_named() {
    // Given a target that serves 80 requests a second, eight at once
    let mock = serving(8, 100);
    // When twice as many come
    let open = ["--rate", "160", "--concurrency", "8", "--duration", "2.5s", "--arrivals", "constant"];
    let found = Lab::new().found(&openai(&mock), &open);
    // Then what a user waits grows from third to third, and what the target takes does not
    let third = |at: usize, key: &str| found["thirds"][at][key].as_f64().unwrap();
    let grew = |key: &str| third(2, key) / third(0, key);
    assert!(
        grew("response_p50_ms") >= 2.0 && (0.8..1.2).contains(&grew("service_p50_ms")),
        "{}",
        found["thirds"]
    );
    // And the report says which is which, and why
    let saturation = &found["saturation"];
    assert!(saturation["limits"].as_array().unwrap().contains(&json!("target")), "{saturation}");
    let said = saturation["sentences"][0].as_str().unwrap();
    for word in [
        "The target is saturated at 8 requests at once",
        "160.",
        "median response time",
        "once sent",
        "median service",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    // And a closed loop of the same size shows none of it
    let closed = Lab::new().found(&openai(&mock), &["--concurrency", "8", "--duration", "1s"]);
    let p99 = |found: &Value| found["latencies_ms"]["response_time"]["p99"].as_f64().unwrap();
    assert!(p99(&found) > 2.0 * p99(&closed), "{} {}", p99(&found), p99(&closed));
    assert_eq!(closed["saturation"]["judged"], false);
}

#[test]
fn a_rate_below_the_capacity_saturates_no_target() {
    let mock = serving(8, 50);
    let args = ["--rate", "40", "--requests", "60", "--arrivals", "constant"];
    let found = Lab::new().found(&openai(&mock), &args);
    let saturation = &found["saturation"];
    assert_eq!(saturation["judged"], true);
    assert!(!saturation["limits"].as_array().unwrap().contains(&json!("target")), "{saturation}");
}

#[test]
fn workers_that_join_show_from_when_on_they_bring_nothing() {
    // Given a target that serves four at once
    let mock = serving(4, 50);
    let args = ["--concurrency", "24", "--ramp", "1.5s", "--duration", "3s"];
    let found = Lab::new().found(&openai(&mock), &args);
    assert!(
        found["saturation"]["limits"].as_array().unwrap().contains(&json!("workers")),
        "{}",
        found["saturation"]
    );
    // And one that serves them all
    let mock = serving(64, 50);
    let found = Lab::new().found(&openai(&mock), &args);
    assert!(
        !found["saturation"]["limits"].as_array().unwrap().contains(&json!("workers")),
        "{}",
        found["saturation"]
    );
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

#[test]
fn the_endpoint_may_be_a_target_and_its_path_any() {
    // Given the session's own mock
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
    command.args(["load", "--target", "mock", "--dialect", "openai", "--requests", "5", "--json"]);
    let ran = Ran::of(command.output().unwrap());
    let found: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr));
    assert_eq!((&found["dialect"], &found["provenance"]["model"]), (&json!("openai"), &json!("gpt-4o")));
    // Given a path of its own: what is posted goes there, and nowhere else
    let mock = mock();
    let elsewhere = format!("{}/api/infer", mock.url());
    let ran = Lab::new().load(&elsewhere, &["--dialect", "generate", "--requests", "2", "--warmup", "0"]);
    assert!(ran.code == Some(2) && ran.stdout.contains("HTTP 404"), "{}\n{}", ran.stdout, ran.stderr);
}
