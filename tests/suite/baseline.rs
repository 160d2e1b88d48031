//! Baselines as their users know them: bench, save, list, install, diff, and every way in which that can fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use llmlab::baseline::{self, Baseline, changes, latest_run};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Bench, Ran, SMALL};

/// The arguments of the small comparison; the last one is its filter.
const MEASURE: [&str; 7] = ["--bench", "--sample-size", "10", "--nresamples", "1001", "--noplot", SMALL];

/// One run of the small comparison, measured once for all tests.
static RUN: LazyLock<Bench> = LazyLock::new(|| {
    let bench = Bench::new();
    bench.run_alone(&MEASURE, &[]).assert_requests(22);
    bench
});

/// A Criterion directory with that run, and a folder of baselines beside it.
struct Lab {
    home: TempDir,
    baselines: TempDir,
}

impl Lab {
    fn new() -> Self {
        let lab = Self::empty();
        copy(RUN.home(), lab.home.path());
        lab
    }

    fn empty() -> Self {
        let directory = || tempfile::tempdir().expect("a temporary directory");
        Self { home: directory(), baselines: directory() }
    }

    /// `llmlab baseline ...`
    fn llmlab(&self, args: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
        command.arg("baseline").args(args).current_dir(self.home.path());
        command.arg("--dir").arg(self.baselines.path()).arg("--criterion-home").arg(self.home.path());
        command.env_remove("LLMLAB_TARGET").env_remove("LLMLAB_PROFILE");
        Ran::of(command.output().expect("llmlab runs"))
    }

    #[track_caller]
    fn done(&self, args: &[&str]) -> String {
        let ran = self.llmlab(args);
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    #[track_caller]
    fn refused(&self, args: &[&str], sentence: &str) {
        let ran = self.llmlab(args);
        assert!(ran.code == Some(2) && ran.stderr.contains(sentence), "{:?}: {}", ran.code, ran.stderr);
    }

    /// Measures once more, of what `filter` selects.
    fn measure(&self, filter: &str, settings: &[(&str, &str)]) {
        let home = self.home.path().to_str().expect("a path of text");
        let settings = [settings, &[("CRITERION_HOME", home)]].concat();
        let ran = RUN.run_alone(&[&MEASURE[..MEASURE.len() - 1], &[filter]].concat(), &settings);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }

    /// A file of the baseline `main`.
    fn kept(&self, path: &str) -> PathBuf {
        self.baselines.path().join("main").join(path)
    }

    /// Changes the summary of the run.
    fn edit_summary(&self, pointer: &str, value: Value) {
        let directory = self.home.path().join("llmlab/streaming");
        let files = fs::read_dir(directory).expect("the run's records").flatten().map(|entry| entry.path());
        let path =
            files.filter(|path| path.extension().is_some_and(|e| e == "json")).max().expect("a summary");
        let mut summary: Value = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
        *summary.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        fs::write(&path, summary.to_string()).expect("the summary is written");
    }

    /// Every file of every baseline.
    fn all_kept(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = files(self.baselines.path());
        files.sort();
        files.into_iter().map(|path| (path.clone(), fs::read(path).expect("a file"))).collect()
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory").flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        let target = to.join(path.strip_prefix(from).expect("it lies below"));
        fs::create_dir_all(target.parent().expect("a file has a directory")).expect("the directory is made");
        fs::copy(path, target).expect("the file is copied");
    }
}

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
