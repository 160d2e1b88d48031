//! A Criterion directory with a run in it, and a folder of baselines.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Bench, Ran, SMALL};

/// The arguments of the small comparison; the last one is its filter.
const MEASURE: [&str; 7] = ["--bench", "--sample-size", "10", "--nresamples", "1001", "--noplot", SMALL];

/// One run of the small comparison, measured once for all tests.
pub(crate) static RUN: LazyLock<Bench> = LazyLock::new(|| {
    let bench = Bench::new();
    bench.run_alone(&MEASURE, &[]).assert_requests(22);
    bench
});

/// A Criterion directory with that run, and a folder of baselines beside it.
pub(crate) struct Lab {
    pub(crate) home: TempDir,
    pub(crate) baselines: TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let lab = Self::empty();
        copy(RUN.home(), lab.home.path());
        lab
    }

    pub(crate) fn empty() -> Self {
        let directory = || tempfile::tempdir().expect("a temporary directory");
        Self { home: directory(), baselines: directory() }
    }

    /// `llmlab baseline ...`
    pub(crate) fn llmlab(&self, args: &[&str]) -> Ran {
        self.command(&[&["baseline"], args].concat())
    }

    /// `llmlab gate --baseline main ...`
    pub(crate) fn gate(&self, args: &[&str]) -> Ran {
        self.command(&[&["gate", "--baseline", "main"], args].concat())
    }

    fn command(&self, args: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
        command.args(args).current_dir(self.home.path());
        command.arg("--dir").arg(self.baselines.path()).arg("--criterion-home").arg(self.home.path());
        command.env_remove("LLMLAB_TARGET").env_remove("LLMLAB_PROFILE");
        Ran::of(command.output().expect("llmlab runs"))
    }

    #[track_caller]
    pub(crate) fn done(&self, args: &[&str]) -> String {
        let ran = self.llmlab(args);
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    #[track_caller]
    pub(crate) fn refused(&self, args: &[&str], sentence: &str) {
        let ran = self.llmlab(args);
        assert!(ran.code == Some(2) && ran.stderr.contains(sentence), "{:?}: {}", ran.code, ran.stderr);
    }

    /// Measures once more, of what `filter` selects.
    pub(crate) fn measure(&self, filter: &str, settings: &[(&str, &str)]) {
        let home = self.home.path().to_str().expect("a path of text");
        let settings = [settings, &[("CRITERION_HOME", home)]].concat();
        let ran = RUN.run_alone(&[&MEASURE[..MEASURE.len() - 1], &[filter]].concat(), &settings);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }

    /// A file of the baseline `main`.
    pub(crate) fn kept(&self, path: &str) -> PathBuf {
        self.baselines.path().join("main").join(path)
    }

    /// Changes the summary of the run.
    pub(crate) fn edit_summary(&self, pointer: &str, value: Value) {
        let (path, mut summary) = (self.summary_path(), self.summary());
        *summary.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        fs::write(&path, summary.to_string()).expect("the summary is written");
    }

    /// Leaves another run, whose values are those of `value` for benchmark, round and the value that was
    /// measured; `mode` is what answered.
    pub(crate) fn invent(&self, number: u32, mode: &str, value: impl Fn(&str, usize, f64) -> f64) {
        let mut summary = self.summary();
        for benchmark in summary["benchmarks"].as_array_mut().expect("benchmarks") {
            let id = benchmark["id"].as_str().expect("an id").to_owned();
            let directory = benchmark["directory"].as_str().expect("a directory");
            let path = self.home.path().join(directory).join("new/sample.json");
            let measured = RUN.home().join(directory).join("new/sample.json");
            let mut sample: Value =
                serde_json::from_slice(&fs::read(measured).expect("a sample")).expect("JSON");
            let iterations: Vec<f64> = floats(&sample["iters"]);
            let times = floats(&sample["times"]).into_iter().zip(iterations).enumerate();
            let times: Vec<f64> = times.map(|(round, (time, n))| value(&id, round, time / n) * n).collect();
            sample["times"] = times.into();
            let bytes = sample.to_string();
            benchmark["sample_hash"] =
                format!("{:016x}", xxhash_rust::xxh3::xxh3_64(bytes.as_bytes())).into();
            fs::write(path, bytes).expect("the sample is written");
        }
        let run = format!("2100010{number}T000000Z-00000000");
        summary["provenance"]["run_id"] = run.as_str().into();
        summary["provenance"]["started"] = format!("2100-01-0{number}T00:00:00Z").into();
        summary["provenance"]["mode"] = mode.into();
        let path = self.home.path().join(format!("llmlab/streaming/{run}.summary.json"));
        fs::write(path, summary.to_string()).expect("the summary is written");
    }

    /// The benchmarks that the newest run's summary names.
    pub(crate) fn benchmarks(&self) -> Vec<Value> {
        self.summary()["benchmarks"].as_array().expect("benchmarks").clone()
    }

    fn summary_path(&self) -> PathBuf {
        let directory = self.home.path().join("llmlab/streaming");
        let files = fs::read_dir(directory).expect("the run's records").flatten().map(|entry| entry.path());
        files.filter(|path| path.extension().is_some_and(|e| e == "json")).max().expect("a summary")
    }

    fn summary(&self) -> Value {
        serde_json::from_slice(&fs::read(self.summary_path()).expect("a file")).expect("JSON")
    }

    /// Every file of every baseline.
    pub(crate) fn all_kept(&self) -> Vec<(PathBuf, Vec<u8>)> {
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

fn floats(values: &Value) -> Vec<f64> {
    values.as_array().expect("an array").iter().map(|value| value.as_f64().expect("a number")).collect()
}
