//! Baselines as their users know them: bench, save, list, install, diff, and every way in which that can fail.

use std::fs;
use std::path::Path;

use llmlab::baseline::{self, Baseline, changes, latest_run};

use crate::lab::{Lab, RUN};
use crate::support::{Ran, SMALL};

const SAMPLE: &str = "streaming/run-1/streaming_total/on/50/sample.json";

#[test]
fn a_run_is_saved_listed_installed_and_compared() {
    // Given a run
    let lab = Lab::new();
    // When it is saved, Criterion's own bytes are kept
    assert!(lab.done(&["save", "main"]).contains("streaming: 4 benchmarks and 1 run"));
    let left = fs::read(lab.home.path().join("streaming_total/on/50/new/sample.json")).unwrap();
    assert_eq!(fs::read(lab.kept(SAMPLE)).unwrap(), left);
    // Then it is listed
    let list = lab.done(&["list"]);
    for word in ["main", "streaming", "simulated (fast)", "claude-sonnet-4-6"] {
        assert!(list.contains(word), "{list}");
    }
    // And Criterion finds it where it was installed
    let installed = lab.done(&["install", "main"]);
    assert!(installed.contains("cargo bench --bench streaming -- --baseline main"), "{installed}");
    let mut command = RUN.command(&["--bench", "--load-baseline", "base", "--baseline", "main", SMALL], &[]);
    let compared = Ran::of(command.env("CRITERION_HOME", lab.home.path()).output().expect("it runs"));
    assert!(compared.code == Some(0) && compared.stdout.contains("change:"), "{}", compared.stderr);
    // And it does not differ from the run that it is
    let diff = lab.done(&["diff", "main"]);
    assert_eq!(diff.matches("+0.0%").count(), 4, "{diff}");
    assert!(diff.contains("no verdict: llmlab gate decides"), "{diff}");
}

#[test]
fn a_run_is_added_once_and_only_beside_its_like() {
    let lab = Lab::new();
    lab.done(&["save", "main"]);
    lab.refused(&["save", "main", "--add"], "is in the baseline already");
    // A run with other noise is no second run of the same
    lab.measure(SMALL, &[("LLMLAB_SEED", "21")]);
    lab.refused(&["save", "main", "--add"], "differ in seed: the baseline has 20, the new run 21");
    // One with the same noise is
    lab.measure(SMALL, &[]);
    assert!(lab.done(&["save", "main", "--add"]).contains("4 benchmarks and 2 runs"));
    let read = Baseline::load(lab.baselines.path(), "main").unwrap();
    let bench = read.bench("streaming").unwrap();
    assert_eq!(bench.runs.len(), 2);
    for benchmark in &bench.benchmarks {
        assert_eq!(benchmark.runs.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10], "{}", benchmark.id);
        assert_ne!(benchmark.runs[0], benchmark.runs[1]);
    }
    // And a plain save keeps the last one alone
    assert!(lab.done(&["save", "main"]).contains("4 benchmarks and 1 run"));
    assert!(!lab.kept("streaming/run-2").exists());
}

#[test]
fn a_filtered_run_is_no_whole_run() {
    let lab = Lab::new();
    lab.done(&["save", "main"]);
    lab.measure("streaming/total/off/50$", &[]);
    // It has what it measured, and the comparison names what it has not
    let diff = lab.done(&["diff", "main"]);
    assert!(diff.contains("not comparable: the new run lacks streaming/perceived/off/50"), "{diff}");
    // A second such run does not fit beside whole ones
    lab.refused(&["save", "main", "--add"], "the new run lacks");
    // And whoever replaces the whole run by it is told
    assert!(lab.done(&["save", "main"]).contains("no longer has streaming/perceived/off/50"));
}

#[test]
fn files_that_are_no_longer_the_runs_are_refused_and_the_baseline_stays() {
    let lab = Lab::new();
    lab.done(&["save", "main"]);
    let before = lab.all_kept();
    // Given a run that was killed after it had overwritten a sample
    let sample = lab.home.path().join("streaming_total/on/50/new/sample.json");
    fs::write(&sample, fs::read_to_string(&sample).unwrap().replace("\"Flat\"", "\"Linear\"")).unwrap();
    lab.refused(&["save", "main"], "a later or filtered run wrote it");
    lab.refused(&["diff", "main"], "cargo bench --bench streaming");
    assert_eq!(lab.all_kept(), before);
}

#[test]
fn a_run_that_did_not_end_is_refused() {
    let lab = Lab::new();
    lab.edit_summary("/complete", false.into());
    lab.refused(&["save", "main"], "did not end");
    lab.refused(&["save", "main", "--bench", "streaming"], "did not end");
}

#[test]
fn a_run_whose_instrument_was_past_its_bounds_is_refused_with_the_reason() {
    // Given a baseline, and a later run of a process that had no core to spare
    let lab = Lab::new();
    lab.done(&["save", "main"]);
    lab.measure(SMALL, &[]);
    lab.edit_summary("/instrument/valid", false.into());
    lab.edit_summary("/instrument/reasons", vec!["this process used 97% of its cores"].into());
    // Then neither is it saved nor does it pass
    lab.refused(&["save", "main"], "is INVALID");
    lab.refused(&["save", "main", "--bench", "streaming"], "used 97% of its cores");
    let gated = lab.gate(&[]);
    assert_eq!(gated.code, Some(2), "{}", gated.stdout);
    assert!(gated.stderr.contains("INVALID") && gated.stderr.contains("97%"), "{}", gated.stderr);
    // A run that is older than such certificates is as good as it was
    lab.edit_summary("/instrument", serde_json::json!({"client_lag_max_ns": 1}));
    lab.done(&["save", "main"]);
}

#[test]
fn without_a_run_it_says_which_command_makes_one() {
    let lab = Lab::empty();
    lab.refused(&["save", "main"], "run `cargo bench` first");
    lab.refused(&["save", "main", "--bench", "caching"], "cargo bench --bench caching");
    lab.refused(&["install", "main"], "llmlab baseline list");
    assert!(lab.done(&["list"]).contains("no baseline yet"));
}

#[test]
fn a_name_that_is_no_folder_of_its_own_is_refused() {
    let lab = Lab::new();
    for name in ["new", "base", "../up", ".hidden", ""] {
        lab.refused(&["save", name], "the baseline's name");
    }
}

/// The sentence that says it, and what was done.
type Damage = (&'static str, fn(&Path));

#[test]
fn what_happened_to_a_kept_file_is_said() {
    let damage: [Damage; 4] = [
        ("its hash differs", |main| fs::write(main.join(SAMPLE), "{}").unwrap()),
        ("sample.json is missing, which holds streaming/total/on/50", |main| {
            fs::remove_file(main.join(SAMPLE)).unwrap();
        }),
        ("has format version 9, and this llmlab reads 1", |main| {
            let path = main.join("manifest.json");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, text.replace("\"schema_version\": 1", "\"schema_version\": 9")).unwrap();
        }),
        ("is none below Criterion's", |main| {
            let path = main.join("manifest.json");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, text.replace("\"streaming_total/on/50\"", "\"../../up\"")).unwrap();
        }),
    ];
    for (sentence, damage) in damage {
        let lab = Lab::new();
        lab.done(&["save", "main"]);
        damage(&lab.kept(""));
        lab.refused(&["diff", "main"], sentence);
        lab.refused(&["install", "main"], sentence);
        let list = lab.llmlab(&["list"]);
        assert!(list.code == Some(2) && list.stdout.contains(sentence), "{}", list.stdout);
        assert!(!lab.home.path().join("streaming_total/on/50/main").exists());
    }
}

#[test]
fn an_arm_that_is_slowed_on_purpose_differs_and_its_control_does_not() {
    // Given a baseline, and a run in which one arm alone takes three times as long
    let lab = Lab::new();
    lab.done(&["save", "main"]);
    lab.measure(SMALL, &[("LLMLAB_MOCK_SLOWDOWN", "streaming/on=3")]);
    let saved = Baseline::load(lab.baselines.path(), "main").unwrap();
    let (before, after) =
        (saved.bench("streaming").unwrap(), latest_run(lab.home.path(), "streaming").unwrap());
    // Then it may be compared, and shows in that arm
    assert_eq!(baseline::fit(before, &after), Ok(vec![]));
    for change in changes(before, &after) {
        let (share, slowed) = (change.share().unwrap(), change.id.contains("/on/"));
        assert_eq!(share > 1.0, slowed, "{}: {share}", change.id);
    }
    assert!(lab.done(&["save", "slow"]).contains("slowed 3x: streaming/on"));
}
