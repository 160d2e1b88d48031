//! `llmlab run` as its users know it: what it prints, what it writes, and how it ends.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use llmlab::optimization::ALL;
use llmlab::report::comparison;
use llmlab::report::results::{Comparison, Ending};
use llmlab::settings::VARIABLES;
use llmlab::verdict::Verdict;
use serde_json::json;
use tempfile::TempDir;

const HEADER: &str =
    "Config                   p50          p95          p99          TTFT p50     Tokens/s   Success ";
/// One pair of arms with a large effect.
const PAIR: &str = "^streaming/on/50$";

/// A directory to run in, with one for results in it.
struct Lab(TempDir);

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Lab {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
        command.arg("run").args(args).current_dir(self.0.path());
        for variable in
            VARIABLES.map(|variable| variable.name).iter().chain(&["ANTHROPIC_API_KEY", "NO_COLOR"])
        {
            command.env_remove(variable);
        }
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().expect("the command runs"))
    }

    fn results(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.0.path().join("results")).into_iter().flatten().flatten();
        files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|e| e == "json")).collect()
    }

    #[track_caller]
    fn result(&self) -> Comparison {
        let files = self.results();
        assert_eq!(files.len(), 1, "{files:?}");
        Comparison::read(&files[0]).expect("a result")
    }

    /// Requests that a run has recorded so far.
    fn requests(&self) -> usize {
        let files = fs::read_dir(self.0.path().join("results")).into_iter().flatten().flatten();
        let journals =
            files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|e| e == "jsonl"));
        journals.map(|path| fs::read_to_string(path).map_or(0, |text| text.lines().count())).sum()
    }
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// It was refused before anything was asked, for a reason that holds these words.
    #[track_caller]
    fn assert_refused(&self, words: &[&str]) {
        assert_eq!(self.code, Some(2), "{}", self.stderr);
        assert_eq!(self.stdout, "");
        for word in words {
            assert!(self.stderr.contains(word), "{word}: {}", self.stderr);
        }
    }
}

#[test]
fn a_smoke_run_prints_the_table_and_writes_a_result_that_decides_nothing() {
    // Given no setting at all, When the shortest run is asked for
    let lab = Lab::new();
    let ran = lab.run(&["streaming", "--quick"]);
    // Then the table has its header, and the label says what the figures are
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.lines().any(|line| line == HEADER), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("simulated (mock, profile fast)") && ran.stdout.contains("n = 3"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains('\x1b'), "a pipe gets no colours: {}", ran.stdout);
    assert!(ran.stderr.contains("will send 24 requests"), "{}", ran.stderr);
    // And the result holds three rounds of each arm, and no verdict
    let result = lab.result();
    assert!(result.smoke && !result.interrupted && result.ending == Ending::AllRounds);
    assert_eq!(result.results.len(), 6);
    for arm in &result.results {
        assert_eq!((arm.timing_results.len(), arm.stats.count, arm.success_rate), (3, 3, 100.0));
        assert_eq!(arm.stats.ttft_p50_ms.is_none(), arm.config.arm == "off", "{}", arm.config.name);
        assert!(arm.duration_seconds > 0.0 && arm.start_time < arm.end_time);
    }
    assert!(!result.verdicts.is_empty());
    assert!(result.verdicts.iter().all(|found| matches!(found.verdict, Verdict::NotEnoughData { .. })));
}

#[test]
fn a_run_stops_when_a_large_effect_is_clear() {
    let lab = Lab::new();
    let ran = lab.run(&["streaming", "--filter", PAIR, "--json", "--output-dir", "results", "--seed", "3"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // Standard output is the result, and the file is the same
    let printed: Comparison = serde_json::from_str(&ran.stdout).expect("JSON alone");
    let result = lab.result();
    assert_eq!(printed, result);
    assert_eq!((result.ending, result.provenance.seed), (Ending::Decided, 3));
    // The filter kept the control, and the perceived latency is clearly lower
    let names: Vec<_> = result.results.iter().map(|arm| arm.config.name.as_str()).collect();
    assert_eq!(names, ["off/50", "on/50"]);
    let primary = result.verdicts.iter().find(|found| found.primary).expect("a primary metric");
    assert_eq!((primary.metric.as_str(), primary.verdict), ("perceived", Verdict::Faster));
    assert!((5..50).contains(&primary.rounds) && primary.ratio.is_some_and(|ratio| ratio.high < 1.0));
    assert_eq!(primary.confidence, 0.96);
}

#[test]
fn a_fixed_number_of_rounds_is_kept() {
    let lab = Lab::new();
    let ran = lab.run(&["streaming", "--filter", PAIR, "--runs", "7", "--metric", "total"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let result = lab.result();
    assert_eq!((result.ending, result.summary[0].rounds), (Ending::AllRounds, 7));
    assert_eq!(result.summary[0].primary, "total");
    assert!(ran.stdout.contains("95% Student intervals"), "{}", ran.stdout);
}

#[test]
fn flags_that_do_not_fit_are_refused_by_name() {
    let lab = Lab::new();
    for (args, words) in [
        (&["streaming", "--runs", "none"][..], &["--runs"][..]),
        (&["streaming", "--runs", "0"], &["--runs"]),
        (&["streaming", "--quick", "--runs", "5"], &["--quick", "--runs"]),
        (&["streaming", "--margin", "150%"], &["--margin", "between 0 and 100%"]),
        (&["streaming", "--filter", "("], &["--filter"]),
        (&["streaming", "--filter", "nothing-like-it"], &["--filter", "nothing-like-it"]),
        (&["streaming", "--metric", "warp"], &["--metric", "perceived"]),
        (&["streaming", "--max-requests", "few"], &["--max-requests", "few"]),
        (&["streaming", "--max-usd", "-1"], &["--max-usd"]),
        (&["streaming", "--seed", "x"], &["--seed", "x"]),
        (&["streaming", "--target", "nowhere"], &["--target", "nowhere"]),
        (&["streaming", "--target", "anthropic"], &["ANTHROPIC_API_KEY"]),
        (&["streamin"], &["did you mean `streaming`?", "streaming, caching"]),
        (&["warp"], &["warp", "known are"]),
    ] {
        lab.run(args).assert_refused(words);
    }
    assert_eq!(lab.results().len(), 0);
}

#[test]
fn a_budget_that_cannot_be_kept_is_refused_and_one_that_runs_out_keeps_what_was_measured() {
    let lab = Lab::new();
    lab.run(&["streaming", "--max-requests", "3"]).assert_refused(&["may send 3", "--max-requests"]);
    assert_eq!(lab.requests(), 0);
    // Given enough for the least that decides, and arms that noise keeps from being decided
    let args =
        ["streaming", "--filter", PAIR, "--metric", "total", "--margin", "0.01%", "--max-requests", "15"];
    let ran = lab.run(&args);
    // Then it ends with the rounds that were complete
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let result = lab.result();
    assert_eq!(
        (result.ending, lab.requests(), result.summary[0].rounds),
        (Ending::Budget, 15, 6),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_live_target_is_told_what_it_costs_before_the_first_request() {
    // Given a target with a price, behind which the mock answers
    let mock = llmlab::mock::Mock::start(llmlab::mock::MockConfig::default()).unwrap();
    let lab = Lab::new();
    let live = |args: &[&str]| {
        let mut command = lab.command(&["streaming", "--target", "anthropic", "--model", "claude-opus-5"]);
        command.args(args).env("ANTHROPIC_API_KEY", "none").env("LLMLAB_BASE_URL", mock.url());
        Ran::of(command.output().expect("the command runs"))
    };
    let refused = live(&["--runs", "50", "--filter", "on/1000$"]);
    refused.assert_refused(&["will send 102 requests", "$", "--max-usd"]);
    let quick = live(&["--quick", "--max-usd", "5"]);
    assert_eq!(quick.code, Some(0), "{}", quick.stderr);
    assert!(
        quick.stderr.contains("will send 24 requests") && quick.stderr.contains("spend about $"),
        "{}",
        quick.stderr
    );
}

#[test]
fn all_goes_on_after_a_failing_one_and_names_those_that_failed() {
    // Given a target that answers nothing
    let lab = Lab::new();
    let ran = lab.run(&["all", "--quick", "--target", "openai+http://127.0.0.1:1"]);
    assert_eq!(ran.code, Some(2));
    let names = ALL.each_ref().map(|known| known.name);
    assert!(ran.stderr.contains(&format!("FAILED: {}\n", names.join(", "))), "{}", ran.stderr);
    in_turn(&ran.stderr);
}

#[test]
fn an_arm_that_fails_for_good_leaves_the_rounds_before() {
    // Given a run whose target stops to accept the key half-way
    let mock = llmlab::mock::Mock::start(llmlab::mock::MockConfig::default()).unwrap();
    let lab = Lab::new();
    let target = format!("anthropic+{}", mock.url());
    let args = ["streaming", "--target", &target, "--runs", "1000", "--filter", PAIR];
    let child = lab.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    wait_until(|| lab.requests() >= 6);
    post(&mock.url(), "/_mock/faults", r#"[{"kind": "status", "status": 401}]"#);
    let ran = Ran::of(child.wait_with_output().expect("it ends"));
    // Then the command fails, and the result has what was measured and why it ended
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let result = lab.result();
    assert_eq!((result.ending, result.interrupted), (Ending::Failed, false));
    assert!(result.error.is_some_and(|error| error.contains("401")), "{}", ran.stderr);
    assert!(result.summary[0].rounds >= 1);
    assert!(ran.stdout.contains("An arm failed for good"), "{}", ran.stdout);
}

#[test]
fn all_of_them_run_in_turn() {
    let lab = Lab::new();
    // Given of each optimisation the first position of its first group
    let first = ALL.iter().flat_map(|known| {
        let group = known.groups().swap_remove(0);
        let x = group.arms[0].x;
        let arms = group.arms.into_iter().filter(move |arm| arm.x == x);
        arms.map(move |arm| format!("^{}/{}$", group.name, arm.label()))
    });
    let filter = first.collect::<Vec<_>>().join("|");
    let ran = lab.run(&["all", "--quick", "--filter", &filter]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    in_turn(&ran.stderr);
    assert!(ran.stderr.trim_end().ends_with("ALL BENCHMARKS COMPLETE"), "{}", ran.stderr);
    assert_eq!(lab.results().len(), ALL.len());
}

#[test]
fn what_a_filter_leaves_nothing_of_is_skipped_and_fails_nothing() {
    let lab = Lab::new();
    let ran = lab.run(&["all", "--quick", "--filter", "^streaming/on/50$"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("skipped caching: nothing to run"), "{}", ran.stderr);
    assert_eq!(lab.results().len(), 1);
    assert_eq!(lab.run(&["all", "--quick", "--filter", "no such arm"]).code, Some(2));
}

/// Every optimisation had its turn, in the catalog's order.
fn in_turn(stderr: &str) {
    let mut rest = stderr;
    for (number, known) in (1..).zip(&ALL) {
        let turn = format!("[{number}/{}] {}", ALL.len(), known.name);
        (_, rest) = rest.split_once(&turn).unwrap_or_else(|| panic!("{turn}: {stderr}"));
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_what_was_measured() {
    // Given a run that would take minutes
    let lab = Lab::new();
    let args = ["streaming", "--runs", "1000", "--filter", PAIR];
    let child = lab.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    wait_until(|| lab.requests() >= 8);
    // When it is interrupted
    interrupt(&child);
    let ran = Ran::of(child.wait_with_output().expect("it ends"));
    // Then the result says so, and holds the rounds until then
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    let result = lab.result();
    assert!(result.interrupted && result.ending == Ending::Interrupted);
    assert!(result.summary[0].rounds >= 1 && result.results[0].stats.count == result.summary[0].rounds);
    assert!(ran.stdout.contains("Interrupted"), "{}", ran.stdout);
}

#[cfg(unix)]
fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(status.expect("kill is everywhere").success());
}

fn wait_until(done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(done());
}

#[test]
fn one_failed_request_of_ten_rounds_is_ten_percent_and_one_error() {
    // Given ten rounds against a mock
    let mock = llmlab::mock::Mock::start(llmlab::mock::MockConfig::default()).unwrap();
    let lab = Lab::new();
    let target = format!("anthropic+{}", mock.url());
    let args = ["streaming", "--target", &target, "--runs", "10", "--filter", PAIR];
    let child = lab.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // When one request after the warm-up is refused
    wait_until(|| lab.requests() >= 4);
    post(&mock.url(), "/_mock/faults", r#"[{"kind": "status", "status": 500}]"#);
    let ran = Ran::of(child.wait_with_output().expect("it ends"));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // Then one arm had one failure, and its times are those of answers alone
    let result = lab.result();
    let mut failed: Vec<_> = result.results.iter().filter(|arm| !arm.errors.is_empty()).collect();
    assert_eq!(failed.len(), 1, "{}", ran.stderr);
    let arm = failed.remove(0);
    assert_eq!((arm.success_rate, arm.errors.len(), arm.stats.count), (90.0, 1, 10), "{:?}", arm.errors);
    assert!(ran.stdout.contains("90.0%") && ran.stdout.contains("no figure above"), "{}", ran.stdout);
}

/// Sends a body to the mock's control address.
fn post(url: &str, path: &str, body: &str) {
    use std::io::{Read, Write};
    let address = url.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address).expect("the mock listens");
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// A result with one group, as it stands in a file.
fn stored(results: &serde_json::Value) -> Comparison {
    serde_json::from_value(json!({
        "schema_version": 1, "name": "streaming", "timestamp": "2025-06-01T09:08:07Z", "interrupted": false,
        "ending": "all_rounds", "error": null, "smoke": false, "skipped": [], "verdicts": [],
        "provenance": {
            "run_id": "20250601T090807Z-00000000", "started": "2025-06-01T09:08:07Z", "mode": "live",
            "target": "anthropic", "base_url": "https://api.anthropic.com", "dialect": "anthropic",
            "model": "m", "seed": 20,
            "machine": {"cpu": "c", "cores": 2, "memory_mib": 1, "os": "o", "arch": "a"},
            "versions": {"llmlab": "0.1.0", "rustc": "r", "platform": "p"}
        },
        "results": results,
        "summary": [{
            "name": "streaming", "question": "?", "dialect": "anthropic", "model": "m", "control": "off",
            "primary": "perceived", "rounds": 10, "requests": 22, "retries": 0, "failures": {},
            "tokens_from_events": 0, "arms": [], "remarks": []
        }]
    }))
    .expect("the format that was published")
}

fn arm(name: &str, success_rate: f64, stats: &serde_json::Value) -> serde_json::Value {
    json!({
        "config": {
            "name": name, "group": "streaming", "arm": name, "is_control": name == "off", "model": "m",
            "dialect": "anthropic"
        },
        "timing_results": [], "stats": stats, "start_time": "", "end_time": "", "duration_seconds": 1.0,
        "success_rate": success_rate, "errors": [], "metadata": {}
    })
}

#[test]
fn a_stored_result_is_shown_as_the_published_sample_shows_it() {
    // Given the published figures
    let on = json!({
        "count": 10, "latency_p50_ms": 1234.0, "latency_p95_ms": 1456.0, "latency_p99_ms": 1578.0,
        "ttft_p50_ms": 89.0, "avg_tokens_per_second": 52.0
    });
    let off = json!({
        "count": 10, "latency_p50_ms": 1345.0, "latency_p95_ms": 1567.0, "latency_p99_ms": 1689.0
    });
    let text = comparison::text(&stored(&json!([arm("on", 100.0, &on), arm("off", 90.0, &off)])), false);
    // Then table and sentences say them
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    assert_eq!(lines[1], "Benchmark Comparison");
    assert!(lines[0].chars().all(|sign| sign == '=') && lines[0] == lines[2]);
    assert_eq!(lines[3], HEADER.trim_end());
    assert_eq!(
        lines[4],
        "on                       1.23s        1.46s        1.58s*       89ms         52.0       100.0%"
    );
    assert_eq!(
        lines[5],
        "off                      1.34s        1.57s        1.69s*       N/A          N/A        90.0%"
    );
    assert!(lines.contains(&"Perceived latency improvement from streaming: 93.4%"), "{text}");
    assert!(lines.contains(&"User sees first content in 89ms vs waiting 1345ms"), "{text}");
    assert!(text.contains("live"), "{text}");
}

#[test]
fn colours_are_for_those_who_ask() {
    let failing = stored(&json!([arm("on", 90.0, &json!({"count": 10}))]));
    assert!(!comparison::text(&failing, false).contains('\x1b'));
    assert!(comparison::text(&failing, true).contains("\x1b[33m"));
}

#[test]
fn a_result_of_another_version_is_refused_by_file_and_version() {
    let lab = Lab::new();
    let path = lab.0.path().join("later.json");
    fs::write(&path, r#"{"schema_version": 2}"#).expect("a file");
    let error = Comparison::read(&path).map(drop).unwrap_err().to_string();
    assert!(error.contains("later.json") && error.contains("schema_version 2"), "{error}");
}

#[test]
fn what_a_run_writes_is_read_back_by_the_reports() {
    // Given a run's result
    let lab = Lab::new();
    let ran = lab.run(&["streaming", "--runs", "3", "--filter", PAIR]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // When it is read as any exported result
    let exported = llmlab::report::exported::Exported::read(&lab.results()[0]).unwrap();
    // Then it holds every round of every arm
    let arms = exported.configurations.iter().map(|arm| (arm.name.as_str(), arm.timings.len()));
    assert_eq!(arms.collect::<Vec<_>>(), [("off/50", 3), ("on/50", 3)]);
    assert!(exported.configurations[1].timings.iter().all(|timing| timing.ttft_ms.is_some()));
    assert!(exported.configurations[1].timings.iter().all(|timing| timing.tokens_per_second.is_some()));
}
