//! Faults through `llmlab load` and `llmlab run`: counted by class, in no latency, and nothing hangs.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use llmlab::settings::VARIABLES;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::HUNG;
use super::table::faults;
use crate::support::{Ran, RawServer, Request, Step, openai_answer, plain};

/// What a request may take here. Far more than an answer needs, and the bound that slow faults run into.
const TIMEOUT_MS: u64 = 800;

/// The faults that are led through the commands, one of each kind.
const LED_THROUGH: [&str; 17] = [
    "closed before the head",
    "reset inside the head",
    "reset inside a chunk",
    "shorter than its length",
    "half-open, before the head",
    "half-open, in the body",
    "slow loris, in the head",
    "slow loris, comments",
    "garbage instead of a status line",
    "a page where a stream was asked for",
    "an event that is no JSON",
    "an error in mid-stream",
    "a head without end",
    "a refusal without end",
    "too many requests (429)",
    "overloaded (529)",
    "not modified (304)",
];

/// Runs `llmlab` in this directory, and ends it if it hangs.
#[track_caller]
fn llmlab(directory: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
    command.args(args).current_dir(directory).stdout(Stdio::piped()).stderr(Stdio::piped());
    for variable in VARIABLES.map(|variable| variable.name).iter().chain(&["NO_COLOR"]) {
        command.env_remove(variable);
    }
    let timeout = (TIMEOUT_MS as f64 / 1e3).to_string();
    let mut child = command.env("LLMLAB_TIMEOUT", timeout).spawn().expect("the command starts");
    let deadline = Instant::now() + HUNG;
    while child.try_wait().expect("the child can be asked").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("it can be ended");
            panic!("{args:?} hangs");
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ran::of(child.wait_with_output().expect("it has ended"))
}

fn load(server: &RawServer, requests: &str) -> (Ran, Value) {
    let directory = TempDir::new().expect("a temporary directory");
    let endpoint = format!("{}/v1/chat/completions", server.url());
    let common = ["load", "--endpoint", &endpoint, "--concurrency", "1", "--warmup", "0", "--json"];
    let ran = llmlab(directory.path(), &[&common[..], &["--requests", requests]].concat());
    let found = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    (ran, found)
}

/// What is wrong with a load whose second request meets this fault.
fn load_complaint(fault: &super::Fault) -> Option<String> {
    let steps = fault.steps.clone();
    let server =
        RawServer::start(move |request| if request.number == 1 { steps.clone() } else { openai_answer() });
    let (ran, found) = load(&server, "5");
    let counted = (ran.code, &found["errors"], &found["failed_requests"], &found["successful_requests"]);
    let expected = (Some(0), &json!({ fault.class.name(): 1 }), &json!(1), &json!(4));
    let latencies = ["ttft", "total"].map(|metric| &found["latencies_ms"][metric]["n"]);
    let right = counted == expected && latencies == [&json!(4); 2] && server.requests().len() == 5;
    (!right).then(|| format!("{}: {counted:?}, {latencies:?} answers in latencies", fault.name))
}

#[test]
fn a_load_counts_each_fault_by_its_class_and_in_no_latency() {
    let faults: Vec<_> = faults().into_iter().filter(|fault| LED_THROUGH.contains(&fault.name)).collect();
    assert_eq!(faults.len(), LED_THROUGH.len(), "each is in the table");
    // Two at a time: each is a process.
    let wrong: Vec<_> = faults
        .chunks(faults.len().div_ceil(2))
        .map(|half| {
            let half = half.to_vec();
            thread::spawn(move || half.iter().filter_map(load_complaint).collect::<Vec<_>>())
        })
        .collect::<Vec<_>>()
        .into_iter()
        .flat_map(|half| half.join().unwrap_or_else(|_| vec!["a load hangs or says nothing".into()]))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_load_without_any_answer_is_an_error_that_knows_no_latency() {
    for (steps, class) in [(vec![Step::Reset], "disconnect"), (vec![Step::Silence], "timeout")] {
        let server = RawServer::start(move |_| steps.clone());
        let (ran, found) = load(&server, "3");
        assert_eq!(ran.code, Some(2), "{class}: {}", ran.stderr);
        assert_eq!((&found["errors"], &found["successful_requests"]), (&json!({ class: 3 }), &json!(0)));
        for key in ["avg_latency_ms", "ttft_p99_ms", "tpot_avg_ms", "throughput_tokens_per_sec"] {
            assert_eq!(found[key], Value::Null, "{class}: {key}");
        }
    }
}

#[test]
fn a_load_that_cannot_begin_names_where_it_was_to_go() {
    // Given a name that nobody knows, and a server that speaks no TLS
    let plain = RawServer::start(|_| openai_answer());
    for origin in ["http://no-such-host.invalid".to_owned(), plain.url().replace("http:", "https:")] {
        let directory = TempDir::new().expect("a temporary directory");
        let endpoint = format!("{origin}/v1/chat/completions");
        // When a load is to ask it, then it says so at once, and shows no figure
        let ran = llmlab(directory.path(), &["load", "--endpoint", &endpoint, "--json"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(&origin), "{}", ran.stderr);
    }
    assert!(plain.requests().is_empty());
}

/// Answers as it was asked: in events, or whole.
fn answer(request: &Request) -> Vec<Step> {
    if request.body.contains("\"stream\":true") {
        return openai_answer();
    }
    let body = r#"{"id":"c1","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;
    vec![Step::Write(plain(200, "content-type: application/json\r\n", body))]
}

/// A run of six rounds of a pair of arms, asked of this server, its result and its records.
fn run(server: &RawServer) -> (Ran, Value, Vec<Value>) {
    let directory = TempDir::new().expect("a temporary directory");
    let target = format!("openai+{}", server.url());
    let args = ["run", "streaming", "--target", &target, "--runs", "6", "--filter", "^streaming/on/50$"];
    let ran = llmlab(directory.path(), &[&args[..], &["--model", "m"]].concat());
    let read = |extension: &str| {
        let files = std::fs::read_dir(directory.path().join("results")).into_iter().flatten().flatten();
        let mut paths =
            files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|e| e == extension));
        paths.next().map(|path| std::fs::read_to_string(path).expect("results are text")).unwrap_or_default()
    };
    let result = serde_json::from_str(&read("json")).unwrap_or_default();
    let records = read("jsonl").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    (ran, result, records)
}

#[test]
fn a_run_tries_again_what_may_pass_and_counts_it_apart() {
    // Given a server that fails now and then, each time in another way
    let failing = [
        ("closed before the head", "disconnect"),
        ("reset inside a chunk", "truncated"),
        ("half-open, in the body", "timeout"),
        ("a broken server (500)", "http5xx"),
        ("an error in mid-stream", "mid_stream_error"),
    ];
    let steps = failing.map(|(name, _)| {
        let fault = faults().into_iter().find(|fault| fault.name == name);
        fault.expect("it is in the table").steps
    });
    let server = RawServer::start(move |request| match (request.number % 3, request.number / 3) {
        (2, nth) if nth < steps.len() => steps[nth].clone(),
        _ => answer(request),
    });
    // When a run asks it
    let (ran, result, records) = run(&server);
    // Then it has all its rounds, and each failure by its class
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let group = &result["summary"][0];
    let expected: serde_json::Map<_, _> =
        failing.map(|(_, class)| (class.to_owned(), json!(1))).into_iter().collect();
    assert_eq!(group["failures"], Value::Object(expected), "{}", ran.stderr);
    for arm in result["results"].as_array().expect("arms") {
        assert_eq!(arm["stats"]["count"], json!(6), "{}", ran.stderr);
    }
    // And no failed request has a value that could be taken for a latency
    let failed: Vec<_> = records.iter().filter(|record| record["outcome"]["failed"].is_string()).collect();
    assert_eq!((failed.len(), records.len()), (5, server.requests().len()));
    assert!(failed.iter().all(|record| record["values"] == json!({})), "{failed:?}");
}

#[test]
fn a_run_ends_with_what_would_fail_again() {
    // Given a server whose answers stop making sense
    let nonsense = faults().into_iter().find(|fault| fault.name == "an event that is another JSON");
    let nonsense = nonsense.expect("it is in the table").steps;
    let server =
        RawServer::start(move |request| if request.number < 8 { answer(request) } else { nonsense.clone() });
    // When a run asks it, then it ends, names the class, and keeps the rounds before
    let (ran, result, records) = run(&server);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(result["error"].as_str().is_some_and(|error| error.contains("parse")), "{}", ran.stderr);
    assert!(records.iter().filter(|record| record["outcome"] == json!("ok")).count() >= 8);
    assert_eq!(records.iter().filter(|record| record["outcome"]["failed"] == json!("parse")).count(), 1);
}
