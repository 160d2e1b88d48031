//! How a load ends that was refused, failed or was stopped.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use llmlab::mock::FaultKind;
use serde_json::{Value, json};

use super::{Lab, generate, mock, openai};
use crate::support::Ran;

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
fn a_load_whose_server_goes_away_ends_before_its_time_and_says_so() {
    // Given a load that goes on for long
    let (lab, mock) = (Lab::new(), mock());
    let args = ["--duration", "300s", "--raw", "raw.jsonl", "--output", "result.json", "--max-tokens", "4"];
    let child =
        lab.command(&openai(&mock), &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until(|| fs::read_to_string(lab.file("raw.jsonl")).is_ok_and(|text| text.lines().count() > 20));
    // When its server is gone for good
    drop(mock);
    let ran = Ran::of(child.wait_with_output().unwrap());
    // Then it ends, and what was measured before is kept
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let found: Value = serde_json::from_str(&fs::read_to_string(lab.file("result.json")).unwrap()).unwrap();
    assert_eq!(found["ending"], "gone");
    assert!(found["successful_requests"].as_u64() > Some(15), "{}", found["successful_requests"]);
    assert!(found["errors"]["connect"].as_u64() < Some(2_000), "{}", found["errors"]);
}
