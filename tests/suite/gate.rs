//! The gate as its users know it: unchanged, slower, faster, in doubt, and every way in which it cannot judge.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use llmlab::metric::Unit;
use llmlab::seed::{DrawId, Seed};
use llmlab::verdict::gate::{Case, Decision, Kind, Outcome, Rules, Stage, judge, judge_in_looks};
use llmlab::verdict::trial::{Change, Noise, Said, try_suite};
use rand::RngExt;
use serde_json::Value;

use crate::lab::{Lab, RUN};
use crate::support::{Ran, SMALL};

/// Noise of `spread`, the same for the same arguments.
fn noise(run: u32, id: &str, round: usize, spread: f64) -> f64 {
    let draw = DrawId { scenario: run.to_string(), stream: id.into(), round: round as u32, step: 0 };
    1.0 + spread * (Seed(7).rng(&draw, "gate").random::<f64>() - 0.5)
}

/// A baseline `main`, and a later run in which benchmarks that contain `part` took `factor` times as long.
fn changed(part: &'static str, factor: f64) -> Lab {
    let lab = Lab::new();
    lab.done(&["save", "main"]);
    lab.invent(1, "simulated", |id, round, value| {
        value * noise(1, id, round, 0.01) * if id.contains(part) { factor } else { 1.0 }
    });
    lab
}

#[track_caller]
fn assert_code(ran: &Ran, code: i32) {
    assert_eq!(ran.code, Some(code), "{}\n{}", ran.stdout, ran.stderr);
}

#[test]
fn a_run_like_the_baseline_passes() {
    let ran = changed("", 1.0).gate(&[]);
    assert_code(&ran, 0);
    assert!(ran.stdout.contains("PASS against baseline main: 4 pass"), "{}", ran.stdout);
}

#[test]
fn one_arm_that_is_a_fifth_slower_fails_by_its_name_and_metric() {
    let ran = changed("total/on", 1.2).gate(&[]);
    assert_code(&ran, 1);
    let line = ran.stdout.lines().find(|line| line.contains("REGRESSION")).unwrap();
    assert!(line.contains("streaming/total/on/50") && line.contains("+20."), "{line}");
    assert!(ran.stdout.contains("1 regression, 3 pass"), "{}", ran.stdout);
}

#[test]
fn one_arm_that_is_a_fifth_faster_is_an_improvement() {
    let ran = changed("total/on", 0.8).gate(&[]);
    assert_code(&ran, 0);
    assert!(ran.stdout.contains("1 improved, 3 pass"), "{}", ran.stdout);
}

#[test]
fn what_moved_everything_alike_is_said_once() {
    let ran = changed("", 1.3).gate(&["--format", "json"]);
    assert_code(&ran, 1);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["benches"][0]["shared"]["decision"], "regression");
    let decisions: Vec<_> = report["benches"][0]["benchmarks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|judged| &judged["decision"])
        .collect();
    assert_eq!(decisions, ["pass"; 4]);
}

#[test]
fn a_real_run_of_an_arm_slowed_on_purpose_fails() {
    // Given a run in which the mock takes three times as long for one arm
    let lab = Lab::new();
    lab.done(&["save", "main"]);
    lab.measure(SMALL, &[("LLMLAB_MOCK_SLOWDOWN", "streaming/on=3")]);
    // Then the gate names it, although the baseline was not slowed
    let ran = lab.gate(&[]);
    assert_code(&ran, 1);
    assert!(ran.stdout.contains("streaming/total/on/50"), "{}", ran.stdout);
}

#[test]
fn a_suspect_is_measured_again_and_cleared() {
    // Given a run that was slow for a reason that has passed
    let lab = changed("total/on", 1.5);
    // When the gate may look again, the mock is as fast as ever
    let again = format!("{} --bench", RUN.binary().display());
    let ran = lab.gate(&["--confirm", "--confirm-with", &again, "--max-regress", "30%"]);
    // Then nothing fails, whatever else the machine does, and the second look is on record
    assert!(matches!(ran.code, Some(0 | 3)), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("look 1 of at most 12"), "{}", ran.stderr);
    assert!(ran.stdout.contains("Suspects were measured"), "{}", ran.stdout);
}

#[test]
fn a_suspect_that_cannot_be_measured_again_is_an_error() {
    let lab = changed("total/on", 1.5);
    let ran = lab.gate(&["--confirm", "1", "--confirm-with", "false"]);
    assert_code(&ran, 2);
    assert!(ran.stderr.contains("--confirm"), "{}", ran.stderr);
}

/// What is said, and what was done.
type Damage = (&'static str, fn(&Lab));

#[test]
fn what_cannot_be_compared_is_an_error_that_says_why() {
    let cases: [Damage; 5] = [
        ("is part of the baseline", |_| ()),
        ("the new run lacks streaming/perceived/off/50", |lab| {
            lab.invent(1, "simulated", |_, _, value| value);
            lab.edit_summary("/benchmarks", Value::Array(lab.benchmarks().into_iter().skip(1).collect()));
        }),
        ("its hash differs", |lab| {
            lab.invent(1, "simulated", |_, _, value| value);
            fs::write(lab.kept("streaming/run-1/streaming_total/on/50/sample.json"), "{}").unwrap();
        }),
        ("is no longer what run", |lab| {
            lab.invent(1, "simulated", |_, _, value| value);
            fs::write(lab.home.path().join("streaming_total/on/50/new/sample.json"), "{}").unwrap();
        }),
        ("they differ in mode: the baseline has simulated (fast), the new run live", |lab| {
            lab.invent(1, "live", |_, _, value| value);
        }),
    ];
    for (sentence, damage) in cases {
        let lab = Lab::new();
        lab.done(&["save", "main"]);
        damage(&lab);
        let ran = lab.gate(&[]);
        assert_code(&ran, 2);
        assert_eq!(ran.stderr.matches(sentence).count(), 1, "{sentence}: {}", ran.stderr);
    }
    assert!(Lab::empty().gate(&[]).stderr.contains("llmlab baseline list"));
}

#[test]
fn rules_set_limits_and_a_rule_that_matches_nothing_is_refused() {
    let lab = changed("total/on", 1.2);
    let path = lab.home.path().join("gate.toml");
    let path = path.to_str().unwrap();
    let gate = |rules: &str| {
        fs::write(path, rules).unwrap();
        lab.gate(&["--rules", path])
    };
    assert_code(&gate("max_regress = '25%'"), 0);
    assert_code(&gate("[[benchmark]]\nid = '/total/on/'\nmax_regress = '25%'"), 0);
    assert_code(&gate("[[benchmark]]\nid = '/total/on/'\ngate = false"), 0);
    assert_code(&gate("max_regress = '25%'\n[[benchmark]]\nid = '/total/'\nmax_regress = '5%'"), 1);
    for (rules, sentence) in [
        ("[[benchmark]]\nid = 'caching'", "matches no benchmark"),
        ("max_regres = '5%'", "max_regres"),
        ("[[benchmark]]\nid = '('", "id"),
    ] {
        let ran = gate(rules);
        assert_code(&ran, 2);
        assert!(ran.stderr.contains(sentence), "{}", ran.stderr);
    }
}

#[test]
fn a_percentile_needs_its_samples_and_says_how_many() {
    let ran = changed("", 1.0).gate(&["--metric", "p95"]);
    assert_code(&ran, 3);
    assert!(
        ran.stdout.contains("p95 means something from 90 samples on each side; 80 more"),
        "{}",
        ran.stdout
    );
}

#[test]
fn findings_are_written_for_people_and_for_servers() {
    let lab = changed("total/on", 1.2);
    let markdown = lab.gate(&["--format", "markdown"]).stdout;
    assert!(
        markdown.starts_with("### ❌ Latency gate: REGRESSION") && markdown.contains("<details>"),
        "{markdown}"
    );
    let junit = lab.gate(&["--format", "junit"]).stdout;
    assert!(junit.contains(r#"tests="4""#) && junit.contains(r#"failures="1""#), "{junit}");
    // And a file does not keep the console from its text
    let path = lab.home.path().join("gate.md");
    let ran = lab.gate(&["--format", "markdown", "--output", path.to_str().unwrap()]);
    assert_code(&ran, 1);
    assert_eq!(fs::read_to_string(path).unwrap().trim(), markdown.trim());
    assert!(ran.stdout.contains("REGRESSION against baseline main"), "{}", ran.stdout);
}

/// A live value, in nanoseconds.
const LIVE: f64 = 1e8;

/// A live baseline of so many runs, and a later one. Runs drift by some percent, and arms with them.
fn live(runs: u32, on: f64, off: f64) -> Lab {
    let lab = Lab::new();
    for run in 1..=runs {
        let drift = 1.0 + f64::from(run % 3) * 0.05;
        lab.invent(run, "live", move |id, round, _| drift * LIVE * noise(run, id, round, 0.2));
        lab.done(&[&["save", "main"][..], if run > 1 { &["--add"] } else { &[] }].concat());
    }
    lab.invent(9, "live", move |id, round, _| {
        let factor = if id.contains("/on/") { on } else { off };
        1.1 * factor * LIVE * noise(9, id, round, 0.2)
    });
    lab
}

#[test]
fn one_live_run_is_no_baseline_that_can_fail() {
    let ran = live(1, 2.0, 1.0).gate(&[]);
    assert_code(&ran, 0);
    assert!(ran.stdout.contains("UNCALIBRATED: 1 of the 4 runs"), "{}", ran.stdout);
}

#[test]
fn four_live_runs_find_an_arm_and_not_the_drift() {
    // Given an arm twice as slow
    let slower = live(4, 2.0, 1.0).gate(&[]);
    assert_code(&slower, 1);
    assert!(slower.stdout.contains("streaming/perceived/on/50"), "{}", slower.stdout);
    // And a whole provider that is slower than ever
    let drifted = live(4, 1.5, 1.5).gate(&[]);
    assert_code(&drifted, 0);
    assert!(drifted.stdout.contains("drift of the target, taken off"), "{}", drifted.stdout);
}

/// An exported result of `n` answers that take `level` milliseconds and up to a tenth more.
fn exported(directory: &Path, name: &str, mode: &str, level: f64, n: usize) -> PathBuf {
    let timing = |round: usize| serde_json::json!({ "round": round, "latency_ms": level * (1.0 + 0.1 * round as f64 / n as f64), "ttft_ms": null });
    let result = serde_json::json!({
        "schema_version": 1,
        "name": "streaming",
        "timestamp": "2026-01-02T03:04:05Z",
        "provenance": { "mode": mode, "model": "m", "target": "mock" },
        "results": [{
            "config": { "name": "on/50", "model": "m" },
            "timing_results": (1..=n).map(timing).collect::<Vec<_>>(),
            "stats": { "count": n },
        }],
    });
    let path = directory.join(name);
    fs::write(&path, result.to_string()).expect("the file is written");
    path
}

#[test]
fn two_exported_results_are_judged_as_the_shell_script_did() {
    let directory = tempfile::tempdir().unwrap();
    let export = |name, mode, level, n| exported(directory.path(), name, mode, level, n);
    let before = export("before.json", "simulated", 100.0, 100);
    let gate = |after: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
        command.arg("gate").args([&before, after]);
        let command = command.args(["--metric", "p95", "--warn", "10%", "--fail", "15%"]);
        Ran::of(command.output().expect("llmlab runs"))
    };
    let slower = gate(&export("slower.json", "simulated", 130.0, 100));
    assert_code(&slower, 1);
    assert!(slower.stdout.contains("P95 latency change: 30.0%"), "{}", slower.stdout);
    assert!(slower.stdout.contains("REGRESSION DETECTED"), "{}", slower.stdout);
    for (name, level) in [("faster.json", 80.0), ("same.json", 101.0), ("warned.json", 112.0)] {
        let ran = gate(&export(name, "simulated", level, 100));
        assert_code(&ran, 0);
        assert!(!ran.stdout.contains("REGRESSION DETECTED"), "{}", ran.stdout);
    }
    // Ten values hold no p95, two modes no comparison
    assert_code(&gate(&export("few.json", "simulated", 130.0, 10)), 3);
    let other = gate(&export("live.json", "live", 100.0, 100));
    assert_code(&other, 2);
    assert!(other.stderr.contains("not comparable"), "{}", other.stderr);
    assert_code(&gate(&directory.path().join("missing.json")), 2);
}

/// What the gate says of so many suites of known truth.
fn said(noise: Noise, change: Change, suites: u64) -> Vec<Said> {
    (0..suites).map(|seed| try_suite(&noise, &change, seed)[0]).collect()
}

fn share(said: &[Said], is: impl Fn(&Said) -> bool) -> f64 {
    said.iter().filter(|said| is(said)).count() as f64 / said.len() as f64
}

#[test]
fn suites_of_known_truth_are_judged_right() {
    let slower = Change { one: 1.2, ..Change::default() };
    // The whole table takes minutes (cargo bench --bench gate); a few suites show that it has not come loose
    let unchanged = said(Noise::default(), Change::default(), 40);
    assert!(share(&unchanged, |said| said.caught || said.false_alarms > 0) <= 0.15);
    assert!(share(&said(Noise::default(), slower, 20), |said| said.caught) >= 0.9);
    let all = Change { all: 1.3, ..Change::default() };
    assert!(share(&said(Noise::default(), all, 20), |said| said.caught || said.false_alarms > 0) <= 0.2);
}

#[test]
fn the_rules_that_it_replaces_cry_wolf_on_the_same_suites() {
    let unchanged: Vec<_> =
        (0..40).map(|seed| try_suite(&Noise::default(), &Change::default(), seed)).collect();
    for rule in 1..4 {
        let said: Vec<_> = unchanged.iter().map(|said| said[rule]).collect();
        assert!(share(&said, |said| said.caught || said.false_alarms > 0) > 0.25, "rule {rule}");
    }
}

#[test]
fn a_benchmark_too_noisy_to_judge_is_inconclusive_and_says_what_it_takes() {
    // Given ten rounds whose noise differs between the runs
    let values = |run: u32| (0..10).map(|round| 1e8 * noise(run, "x", round, 1.2)).collect::<Vec<_>>();
    let case = |new: Vec<f64>| Case {
        id: "x".into(),
        metric: "ttft".into(),
        unit: Unit::Nanoseconds,
        gated: true,
        control: None,
        limit: 0.1,
        baseline: vec![values(1)],
        new: vec![new],
        suspect: false,
    };
    let rules = Rules { kind: Kind::Paired, detect: 0.2, stage: Stage::Only };
    let noisy = judge(&[case(values(2))], &rules);
    let Decision::Inconclusive { more: Some(more) } = noisy.benchmarks[0].decision else {
        panic!("{:?}", noisy.benchmarks[0])
    };
    assert!(more > 5 && noisy.outcome() == Outcome::Inconclusive);
    // And the same noise on both sides leaves nothing in doubt
    assert_eq!(judge(&[case(values(1))], &rules).benchmarks[0].decision, Decision::Pass);
}

/// A paired benchmark whose ten rounds changed by `factor`.
fn steady(id: String, factor: f64) -> Case {
    let values =
        |factor: f64| (0..10).map(|round| factor * 1e8 * noise(3, &id, round, 0.1)).collect::<Vec<_>>();
    Case {
        metric: "ttft".into(),
        unit: Unit::Nanoseconds,
        gated: true,
        control: None,
        limit: 0.1,
        baseline: vec![values(1.0)],
        new: vec![values(factor)],
        suspect: false,
        id,
    }
}

fn judged(factors: &[f64]) -> (Outcome, Vec<Decision>) {
    let cases: Vec<_> =
        factors.iter().enumerate().map(|(i, factor)| steady(i.to_string(), *factor)).collect();
    let verdict = judge(&cases, &Rules { kind: Kind::Paired, detect: 0.2, stage: Stage::Only });
    (verdict.outcome(), verdict.benchmarks.iter().map(|judged| judged.decision).collect())
}

#[test]
fn a_shift_that_passes_hides_no_regression_and_one_that_improves_makes_none() {
    // Everything 9% slower passes, and does not excuse the one that is 17% slower
    let (outcome, decisions) = judged(&[[1.09; 15].as_slice(), &[1.17]].concat());
    assert_eq!((outcome, decisions[15]), (Outcome::Regression, Decision::Regression));
    // Nearly everything 30% faster makes what stayed no regression
    let (outcome, _) = judged(&[[0.7; 14].as_slice(), &[1.0; 2]].concat());
    assert_eq!(outcome, Outcome::Pass);
    // And everything 30% slower is one finding
    let (outcome, decisions) = judged(&[1.3; 8]);
    assert_eq!((outcome, decisions), (Outcome::Regression, vec![Decision::Pass; 8]));
}

#[test]
fn what_slowed_everything_is_measured_again_too() {
    let cases = || (0..8).map(|id| steady(id.to_string(), 1.3)).collect::<Vec<_>>();
    let again = |factor: f64| {
        let mut looks = 0;
        let mut cases = cases();
        let verdict = judge_in_looks(&mut cases, Kind::Paired, 0.2, 3, |_, cases, wanted| {
            looks += 1;
            for &index in wanted {
                cases[index].new.push(steady(cases[index].id.clone(), factor).new[0].clone());
            }
            Ok::<_, ()>(())
        });
        (verdict.unwrap().outcome(), looks)
    };
    assert_eq!(again(1.3), (Outcome::Regression, 1));
    assert_eq!(again(1.0), (Outcome::Pass, 1));
}

#[test]
fn what_cannot_be_estimated_is_no_pass() {
    let mut zero = steady("zero".into(), 3.0);
    zero.new[0][4] = 0.0;
    let verdict = judge(&[zero], &Rules { kind: Kind::Paired, detect: 0.2, stage: Stage::Only });
    assert_eq!(verdict.outcome(), Outcome::Inconclusive);
    let note = verdict.benchmarks[0].note.clone().unwrap();
    assert!(note.contains("a value of 0"), "{note}");
}

#[test]
fn a_quiet_metric_does_not_speak_for_one_that_wanders() {
    // Given four live runs in which one metric's ratio wanders by a tenth, and another one's not at all
    let values = |run: u32, metric: &str| {
        let wander = if metric == "ttft" { [1.0, 1.12, 0.9, 1.07, 1.13][run as usize] } else { 1.0 };
        let id = metric.to_owned();
        (0..50).map(|round| wander * 1e8 * noise(run, &id, round, 0.01)).collect::<Vec<f64>>()
    };
    let control =
        |run: u32| (0..50).map(|round| 1e8 * noise(run, "control", round, 0.01)).collect::<Vec<f64>>();
    let case = |metric: &str, control_of: Option<&str>| Case {
        id: control_of.map_or_else(|| "control".to_owned(), |_| metric.to_owned()),
        metric: metric.into(),
        unit: Unit::Nanoseconds,
        gated: control_of.is_some(),
        control: control_of.map(String::from),
        limit: 0.05,
        baseline: (0..4)
            .map(|run| if control_of.is_some() { values(run, metric) } else { control(run) })
            .collect(),
        new: vec![if control_of.is_some() { values(4, metric) } else { control(4) }],
        suspect: false,
    };
    let cases = [case("ttft", Some("control")), case("tpot", Some("control")), case("ttft", None)];
    let verdict = judge(&cases, &Rules { kind: Kind::Ratio, detect: 0.2, stage: Stage::Only });
    // Then the run in which it wandered a little further is no regression
    assert_ne!(verdict.benchmarks[0].decision, Decision::Regression, "{:?}", verdict.benchmarks[0]);
    assert!(verdict.between_runs.unwrap() > 0.05);
}
