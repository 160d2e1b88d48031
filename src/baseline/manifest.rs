//! A baseline on disk: its manifest, and Criterion's files beside it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::criterion::{self, BENCHMARK, ESTIMATES, Files, SAMPLE};
use super::files::{hash, read_versioned};
use super::{BaselineError, BenchRuns, BenchmarkInfo, Fits, Measured, RunInfo};

/// The version of the manifest's format; its schema is `fixtures/schemas/baseline.v1.json`.
pub const MANIFEST_SCHEMA_VERSION: u32 = 1;

/// The manifest's name.
pub(super) const MANIFEST: &str = "manifest.json";

/// What a baseline holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) schema_version: u32,
    pub(super) name: String,
    pub(super) benches: BTreeMap<String, BenchEntry>,
}

/// The runs of one bench.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct BenchEntry {
    pub(super) fits: Fits,
    pub(super) machine_class: String,
    pub(super) runs: Vec<RunInfo>,
    pub(super) benchmarks: Vec<BenchmarkEntry>,
}

/// One benchmark of every run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct BenchmarkEntry {
    pub(super) id: String,
    #[serde(flatten)]
    pub(super) info: BenchmarkInfo,
    pub(super) directory: String,
    /// One entry for each run, in their order.
    pub(super) files: Vec<FileHashes>,
}

/// The hashes of Criterion's files of one benchmark in one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FileHashes {
    benchmark: String,
    estimates: String,
    sample: String,
}

impl FileHashes {
    pub(super) fn of(files: &Files) -> Self {
        let Files { benchmark, estimates, sample, .. } = files;
        Self { benchmark: hash(benchmark), estimates: hash(estimates), sample: hash(sample) }
    }

    fn check(&self, files: &Files) -> Result<(), BaselineError> {
        let found = Self::of(files);
        let pairs = [
            (BENCHMARK, &self.benchmark, found.benchmark),
            (ESTIMATES, &self.estimates, found.estimates),
            (SAMPLE, &self.sample, found.sample),
        ];
        match pairs.into_iter().find(|(_, noted, found)| *noted != found) {
            None => Ok(()),
            Some((name, ..)) => Err(BaselineError::Corrupt { path: files.directory.join(name) }),
        }
    }
}

impl Manifest {
    pub(super) fn new(name: &str) -> Self {
        Self { schema_version: MANIFEST_SCHEMA_VERSION, name: name.into(), benches: BTreeMap::new() }
    }

    /// The manifest of the baseline at `root`.
    pub(super) fn read(root: &Path, name: &str) -> Result<Self, BaselineError> {
        let path = root.join(MANIFEST);
        if !path.exists() {
            return Err(BaselineError::Missing { name: name.into(), path });
        }
        let manifest: Self = read_versioned(&path, MANIFEST_SCHEMA_VERSION)?;
        manifest.check(&path)?;
        Ok(manifest)
    }

    /// A manifest says where to read, and is somebody else's file.
    fn check(&self, path: &Path) -> Result<(), BaselineError> {
        let unreadable = |reason: String| BaselineError::Unreadable { path: path.to_owned(), reason };
        if self.benches.is_empty() {
            return Err(unreadable("it names no bench".into()));
        }
        for (bench, entry) in &self.benches {
            criterion::relative(path, bench)?;
            if entry.runs.is_empty() || entry.benchmarks.is_empty() {
                return Err(unreadable(format!("it names no run or no benchmark of {bench}")));
            }
            for benchmark in &entry.benchmarks {
                criterion::relative(path, &benchmark.directory)?;
                if benchmark.files.len() != entry.runs.len() {
                    let (files, runs) = (benchmark.files.len(), entry.runs.len());
                    let reason = format!("{} has hashes for {files} of {runs} runs", benchmark.id);
                    return Err(unreadable(reason));
                }
            }
        }
        Ok(())
    }
}

/// Where a run of a bench is kept, counted from 0: `BENCH/run-1` is the first.
pub(super) fn run_directory(root: &Path, bench: &str, run: usize) -> PathBuf {
    root.join(bench).join(format!("run-{}", run + 1))
}

impl BenchEntry {
    /// Criterion's files of one run, counted from 0, each held to its hash.
    pub(super) fn files(&self, root: &Path, bench: &str, run: usize) -> Result<Vec<Files>, BaselineError> {
        let directory = run_directory(root, bench, run);
        let read = |benchmark: &BenchmarkEntry| {
            let files = stored(&benchmark.id, &directory.join(&benchmark.directory))?;
            benchmark.files[run].check(&files)?;
            Ok(files)
        };
        self.benchmarks.iter().map(read).collect()
    }

    /// Everything that was measured.
    pub(super) fn measured(&self, root: &Path, bench: &str) -> Result<BenchRuns, BaselineError> {
        let of_benchmark = |entry: &BenchmarkEntry| Measured::of(&entry.id, &entry.info, Vec::new());
        let mut benchmarks: Vec<_> = self.benchmarks.iter().map(of_benchmark).collect();
        for run in 0..self.runs.len() {
            for (benchmark, files) in benchmarks.iter_mut().zip(self.files(root, bench, run)?) {
                benchmark.runs.push(files.values()?);
            }
        }
        Ok(BenchRuns {
            bench: bench.into(),
            fits: self.fits.clone(),
            machine: self.machine_class.clone(),
            runs: self.runs.clone(),
            benchmarks,
        })
    }
}

fn stored(id: &str, directory: &Path) -> Result<Files, BaselineError> {
    Files::read(directory).map_err(|(path, error)| match error.kind() {
        ErrorKind::NotFound => BaselineError::MissingFile { id: id.into(), path },
        _ => BaselineError::Unreadable { path, reason: error.to_string() },
    })
}
