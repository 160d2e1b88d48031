//! A run as its bench left it: the part of its summary that a later comparison needs.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::criterion::{self, Files};
use super::files::{all_records, hash, read_versioned, records};
use super::{BaselineError, BenchRuns, Fits, Measured, RunInfo};
use crate::experiment::{GroupSummary, SUMMARY_SCHEMA_VERSION};
use crate::metric::Unit;
use crate::provenance::Provenance;

/// What a benchmark is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkInfo {
    /// The group.
    pub group: String,
    /// The arm.
    pub arm: String,
    /// The arm's position on the sweep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<f64>,
    /// The metric's name.
    pub metric: String,
    /// The unit of its values.
    pub unit: Unit,
    /// Whether the metric is its group's primary one.
    pub primary: bool,
    /// The id of the control's benchmark of the same metric at the same x; absent for the control itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
}

/// A benchmark that a run measured with Criterion, and where Criterion left it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunBenchmark {
    /// Criterion's id.
    pub id: String,
    /// What it is of.
    #[serde(flatten)]
    pub info: BenchmarkInfo,
    /// How many samples.
    pub samples: usize,
    /// Criterion's directory of it, below Criterion's own; absent under cargo-criterion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The hash of its `new/sample.json`; absent under cargo-criterion, which writes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_hash: Option<String>,
}

/// Each benchmark of a run with the file that Criterion just left of it below its directory.
pub fn found(
    criterion_home: &Path,
    measured: Vec<(String, BenchmarkInfo)>,
    samples: usize,
) -> Vec<RunBenchmark> {
    let directories = criterion::directories(criterion_home);
    let found = |(id, info): (String, BenchmarkInfo)| {
        let directory = directories.get(&id).cloned();
        let sample = directory.as_ref().and_then(|directory| {
            fs::read(criterion_home.join(directory).join("new").join(criterion::SAMPLE)).ok()
        });
        RunBenchmark { id, info, samples, directory, sample_hash: sample.map(|bytes| hash(&bytes)) }
    };
    measured.into_iter().map(found).collect()
}

/// A run's summary, as far as it matters here.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Run {
    pub(super) bench: String,
    pub(super) complete: bool,
    pub(super) provenance: Provenance,
    machine_class: String,
    metrics_version: u32,
    #[serde(default)]
    scenario_hash: Option<String>,
    #[serde(default)]
    instrument: Instrument,
    pub(super) benchmarks: Vec<RunBenchmark>,
    #[serde(skip)]
    path: PathBuf,
}

/// What a run says of the instrument that measured it. Runs that are older than it say nothing.
#[derive(Debug, Clone, Default, Deserialize)]
struct Instrument {
    valid: Option<bool>,
    #[serde(default)]
    reasons: Vec<String>,
}

/// The newest run of a bench under Criterion's directory, held to its hashes.
///
/// # Errors
/// When there is none, when it did not end, or when its files are no longer the ones that it left.
pub fn latest_run(criterion_home: &Path, bench: &str) -> Result<BenchRuns, BaselineError> {
    let run = Run::latest(criterion_home, bench)?;
    let files = run.files(criterion_home)?;
    run.measured(&files)
}

/// The groups of the newest run of every bench under Criterion's directory, ended or not, each with what its
/// figures are. A run that this build cannot read, or whose instrument was past its bounds, is left out.
pub fn newest_summaries(criterion_home: &Path) -> Vec<(String, GroupSummary)> {
    #[derive(Deserialize)]
    struct Found {
        provenance: Provenance,
        #[serde(default)]
        instrument: Instrument,
        groups: Vec<GroupSummary>,
    }
    let newest = |bench: &String| newest_summary(&records(criterion_home, bench));
    let paths = benches(criterion_home).into_iter().filter_map(|bench| newest(&bench));
    let found = paths.filter_map(|path| read_versioned::<Found>(&path, SUMMARY_SCHEMA_VERSION).ok());
    found
        .filter(|found| found.instrument.valid != Some(false))
        .flat_map(|found| {
            let truth = found.provenance.truth.to_string();
            found.groups.into_iter().map(move |group| (truth.clone(), group))
        })
        .collect()
}

/// The benches that left a run under Criterion's directory, complete or not, by name.
pub(super) fn benches(criterion_home: &Path) -> Vec<String> {
    let entries = fs::read_dir(all_records(criterion_home)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> =
        names.filter(|name| newest_summary(&records(criterion_home, name)).is_some()).collect();
    names.sort();
    names
}

/// A run's id begins with its start, so the last name is the newest run.
fn newest_summary(directory: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    files.filter(|path| path.to_string_lossy().ends_with(".summary.json")).max()
}

impl Run {
    /// The newest run of a bench, which must have ended, and was measured with an instrument within its bounds.
    pub(super) fn latest(criterion_home: &Path, bench: &str) -> Result<Self, BaselineError> {
        let directory = records(criterion_home, bench);
        let path = newest_summary(&directory)
            .ok_or_else(|| BaselineError::NoRun { bench: bench.into(), path: directory })?;
        let mut run: Self = read_versioned(&path, SUMMARY_SCHEMA_VERSION)?;
        if !run.complete {
            return Err(BaselineError::Incomplete { bench: bench.into(), path });
        }
        if run.instrument.valid == Some(false) {
            let reason = run.instrument.reasons.join("; ");
            return Err(BaselineError::Invalid { bench: bench.into(), path, reason });
        }
        if run.benchmarks.iter().all(|benchmark| benchmark.sample_hash.is_none()) {
            return Err(BaselineError::NoSamples { bench: bench.into(), path });
        }
        run.path = path;
        Ok(run)
    }

    /// Criterion's files of each benchmark, held to the hashes that the run noted.
    pub(super) fn files(&self, criterion_home: &Path) -> Result<Vec<Files>, BaselineError> {
        let read = |benchmark: &RunBenchmark| {
            let (Some(directory), Some(noted)) = (&benchmark.directory, &benchmark.sample_hash) else {
                return Err(BaselineError::NoSamples { bench: self.bench.clone(), path: self.path.clone() });
            };
            let directory = criterion_home.join(criterion::relative(&self.path, directory)?).join("new");
            let stale = || BaselineError::Stale {
                bench: self.bench.clone(),
                id: benchmark.id.clone(),
                run_id: self.provenance.run_id.clone(),
                path: directory.join(criterion::SAMPLE),
            };
            let files = Files::read(&directory).map_err(|_| stale())?;
            if hash(&files.sample) == *noted { Ok(files) } else { Err(stale()) }
        };
        self.benchmarks.iter().map(read).collect()
    }

    /// What the run measured; `files` are those of [`files`](Self::files).
    pub(super) fn measured(&self, files: &[Files]) -> Result<BenchRuns, BaselineError> {
        let benchmarks = self.benchmarks.iter().zip(files).map(|(benchmark, files)| {
            Ok(Measured::of(&benchmark.id, &benchmark.info, vec![files.values()?]))
        });
        Ok(BenchRuns {
            bench: self.bench.clone(),
            fits: self.fits(),
            machine: self.machine_class.clone(),
            runs: vec![self.info()],
            benchmarks: benchmarks.collect::<Result<_, BaselineError>>()?,
        })
    }

    fn fits(&self) -> Fits {
        Fits::of(&self.provenance, self.scenario_hash.clone(), self.metrics_version)
    }

    fn info(&self) -> RunInfo {
        RunInfo {
            run_id: self.provenance.run_id.clone(),
            started: self.provenance.started.clone(),
            machine: self.provenance.machine.clone(),
            versions: self.provenance.versions.clone(),
        }
    }
}
