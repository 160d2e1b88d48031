//! `llmlab selftest`, and what every result says of the instrument that measured it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Bench, Ran};

fn llmlab(folder: &Path, args: &[&str], selftest: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
    command.args(args).current_dir(folder).env("LLMLAB_SELFTEST", selftest).env_remove("LLMLAB_TARGET");
    Ran::of(command.output().expect("the command runs"))
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

#[track_caller]
fn parsed(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}\n{}", ran.stdout, ran.stderr))
}

#[test]
fn the_selftest_measures_and_its_exit_code_is_its_verdict() {
    // Given the smallest self-test
    let folder = folder();
    let args =
        ["selftest", "--quick", "--streams", "2,1", "--requests", "1", "--json", "--output", "a/b.json"];
    let ran = llmlab(folder.path(), &args, "on");
    let found = parsed(&ran);
    // Then what is printed is what is kept
    let kept = fs::read_to_string(folder.path().join("a/b.json")).unwrap();
    assert_eq!(found, serde_json::from_str::<Value>(&kept).unwrap());
    // And every figure has its n, of the client and of the raw reader beside it, in ascending order
    for (level, streams) in found["levels"].as_array().unwrap().iter().zip([1, 2]) {
        assert_eq!(level["streams"], streams);
        for reader in ["client", "raw"] {
            assert_eq!(level[reader]["ttft_error"]["n"], streams, "{level}");
            assert_eq!(level[reader]["gap_error"]["n"], 63 * streams, "{level}");
            assert_eq!(level[reader]["stall_error"]["n"], streams, "{level}");
        }
        assert_eq!(level["send_lag"]["n"], streams);
    }
    assert_eq!(found["capacity"]["one_token"]["requests"], 6_400);
    assert!(found["capacity"]["flat_out"]["client"]["per_second"].as_f64().unwrap() > 1_000.0);
    // And a bound that was missed is named, and nothing else makes it fail
    let within = found["within_bounds"].as_bool().unwrap();
    assert_eq!(within, found["breaches"].as_array().unwrap().is_empty());
    assert_eq!(ran.code, Some(if within { 0 } else { 1 }));
    assert_eq!(ran.stderr.contains("MISSED at"), !within, "{}", ran.stderr);
}

#[test]
fn a_selftest_that_cannot_measure_is_an_error() {
    let folder = folder();
    for (args, reason) in [
        (&["--streams", "0"][..], "from 1 to 10000"),
        (&["--streams", "1", "--server-core", "99999"], "start a truth server"),
        (&["--streams", "1", "--output", "."], "--output"),
    ] {
        let ran = llmlab(folder.path(), &[&["selftest"], args].concat(), "on");
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(reason) && ran.stdout.is_empty(), "{args:?}: {}", ran.stderr);
    }
}

/// The certificate in a result that `args` print.
fn certificate(args: &[&str], selftest: &str) -> Value {
    let ran = llmlab(folder().path(), args, selftest);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    parsed(&ran)["instrument"].clone()
}

const RESULTS: [&[&str]; 3] = [
    &["run", "streaming", "--quick", "--json"],
    &["load", "--target", "mock", "--requests", "10", "--json"],
    &["profile", "latency", "--target", "mock", "--iterations", "2", "--json"],
];

#[test]
fn every_result_says_how_far_its_instrument_was_off() {
    for args in RESULTS {
        let certificate = certificate(args, "on");
        let truth = &certificate["truth"];
        assert_eq!((&truth["client"]["ttft"]["n"], &truth["raw"]["ttft"]["n"]), (&json!(32), &json!(32)));
        assert!(truth["timer"]["n"].as_u64().unwrap() > 0, "{args:?}: {certificate}");
        assert!(certificate["send_lag"]["n"].as_u64().unwrap() >= 2, "{args:?}: {certificate}");
        assert_eq!(certificate["truth_not_checked"], Value::Null);
        // Valid, or for the reasons that it names
        let reasons = certificate["reasons"].as_array().unwrap();
        assert_eq!(certificate["valid"], reasons.is_empty(), "{args:?}: {certificate}");
    }
}

#[test]
fn a_check_that_was_switched_off_is_said_to_be() {
    for args in RESULTS {
        let certificate = certificate(args, "off");
        assert_eq!(
            (&certificate["truth"], &certificate["truth_not_checked"]),
            (&Value::Null, &json!("LLMLAB_SELFTEST=off"))
        );
    }
    let ran = llmlab(folder().path(), RESULTS[1], "sometimes");
    assert!(ran.code == Some(2) && ran.stderr.contains("LLMLAB_SELFTEST"), "{}", ran.stderr);
}

#[test]
fn the_console_says_in_a_line_what_the_instrument_was() {
    for args in RESULTS {
        let without_json = &args[..args.len() - 1];
        let ran = llmlab(folder().path(), without_json, "on");
        let lines = ran.stdout.lines().filter(|line| line.starts_with("Instrument: ")).collect::<Vec<_>>();
        assert_eq!(lines.len(), 1, "{args:?}: {}", ran.stdout);
        assert!(lines[0].contains("(n = 32, truth server)") && lines[0].contains("send lag"), "{}", lines[0]);
    }
}

#[test]
fn a_benchs_summary_has_its_certificate_beside_what_it_said_before() {
    let bench = Bench::new();
    let args =
        ["--bench", "--sample-size", "10", "--nresamples", "1001", "--noplot", "streaming/total/on/50$"];
    let ran = bench.run_in(&args, &[("LLMLAB_SELFTEST", "on")]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("[llmlab] Instrument: TTFT error"), "{}", ran.stderr);
    let records = fs::read_dir(bench.home().join("llmlab/streaming")).unwrap().flatten();
    let summary =
        records.map(|entry| entry.path()).find(|path| path.to_string_lossy().ends_with(".summary.json"));
    let summary: Value = serde_json::from_str(&fs::read_to_string(summary.unwrap()).unwrap()).unwrap();
    let instrument = &summary["instrument"];
    assert_eq!(
        (&instrument["truth"]["client"]["ttft"]["n"], &instrument["truth_not_checked"]),
        (&json!(32), &Value::Null)
    );
    // Eleven rounds of one arm, each a request
    assert!(instrument["send_lag"]["n"].as_u64().unwrap() >= 11, "{instrument}");
    assert!(instrument["client_lag_max_ns"].is_u64() && instrument["mock_pacing"].is_object());
}

/// An exported result, valid or not.
fn exported(folder: &Path, name: &str, valid: bool) -> PathBuf {
    let timings: Vec<_> = (0..100).map(|round| json!({"latency_ms": 100.0 + f64::from(round)})).collect();
    let reasons: &[&str] = if valid { &[] } else { &["this process used 97% of its cores"] };
    let result = json!({
        "instrument": {"valid": valid, "reasons": reasons},
        "results": [{"config": {"name": "on"}, "timing_results": timings}],
    });
    let path = folder.join(name);
    fs::write(&path, result.to_string()).expect("a file");
    path
}

#[test]
fn an_invalid_result_is_compared_with_a_warning_and_judged_by_no_gate() {
    let folder = folder();
    exported(folder.path(), "valid.json", true);
    exported(folder.path(), "invalid.json", false);
    let run = |args: &[&str]| llmlab(folder.path(), args, "off");
    assert_eq!(run(&["gate", "valid.json", "valid.json"]).code, Some(0));
    for files in [["valid.json", "invalid.json"], ["invalid.json", "valid.json"]] {
        let refused = run(&[&["gate"], &files[..]].concat());
        assert_eq!(refused.code, Some(2), "{}", refused.stdout);
        assert!(
            refused.stderr.contains("invalid.json is INVALID: this process used 97%"),
            "{}",
            refused.stderr
        );
        let compared = run(&[&["report", "compare"], &files[..]].concat());
        assert_eq!(compared.code, Some(0), "{}", compared.stderr);
        assert!(
            compared.stdout.contains("invalid.json is INVALID: this process used 97%"),
            "{}",
            compared.stdout
        );
    }
}
