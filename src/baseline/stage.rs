//! A baseline's next version, written beside it and then put in its place.

use std::fs;
use std::path::{Path, PathBuf};

use super::BaselineError;
use super::criterion::Files;
use super::files::unwritten;
use super::manifest::{BenchEntry, MANIFEST, Manifest, run_directory};

/// Runs that wait to be written.
#[derive(Debug)]
pub(super) struct Stage {
    root: PathBuf,
    /// By bench: the run's position, the directory and files of each benchmark, and whether earlier runs stay.
    runs: Vec<StagedRun>,
}

#[derive(Debug)]
struct StagedRun {
    bench: String,
    position: usize,
    files: Vec<(String, Files)>,
    keeps: bool,
}

impl Stage {
    /// The next version of the baseline at `root`, which need not exist yet.
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), runs: Vec::new() }
    }

    /// Adds the last run of `entry`, whose files are given in the order of its benchmarks. Without `keeps`
    /// everything else of the bench goes.
    pub(super) fn run(&mut self, bench: &str, entry: &BenchEntry, files: Vec<Files>, keeps: bool) {
        let directories = entry.benchmarks.iter().map(|benchmark| benchmark.directory.clone());
        self.runs.push(StagedRun {
            bench: bench.into(),
            position: entry.runs.len() - 1,
            files: directories.zip(files).collect(),
            keeps,
        });
    }

    /// Writes everything beside the baseline, then puts it in its place.
    pub(super) fn write(self, manifest: &Manifest) -> Result<(), BaselineError> {
        let beside = self.sibling("partial");
        let written = self.fill(&beside, manifest).and_then(|()| self.replace(&beside));
        if written.is_err() {
            // The error that matters is already known.
            let _ = fs::remove_dir_all(&beside);
        }
        written
    }

    fn fill(&self, beside: &Path, manifest: &Manifest) -> Result<(), BaselineError> {
        remove(beside)?;
        let replaced = |bench: &str| self.runs.iter().any(|run| run.bench == bench && !run.keeps);
        if self.root.exists() {
            copy(&self.root, beside, &replaced)?;
        }
        for run in &self.runs {
            let directory = run_directory(beside, &run.bench, run.position);
            remove(&directory)?;
            for (name, files) in &run.files {
                files.write(&directory.join(name))?;
            }
        }
        let path = beside.join(MANIFEST);
        let text = serde_json::to_vec_pretty(manifest).map_err(|error| unwritten(&path)(error.into()))?;
        fs::write(&path, [&text[..], b"\n"].concat()).map_err(unwritten(&path))
    }

    fn replace(&self, beside: &Path) -> Result<(), BaselineError> {
        let old = self.sibling("replaced");
        remove(&old)?;
        if self.root.exists() {
            fs::rename(&self.root, &old).map_err(unwritten(&self.root))?;
        }
        if let Err(error) = fs::rename(beside, &self.root) {
            // Back to what was.
            let _ = fs::rename(&old, &self.root);
            return Err(unwritten(&self.root)(error));
        }
        remove(&old)
    }

    fn sibling(&self, role: &str) -> PathBuf {
        let name = self.root.file_name().unwrap_or_default().to_string_lossy();
        self.root.with_file_name(format!(".{name}.{role}"))
    }
}

fn remove(directory: &Path) -> Result<(), BaselineError> {
    if directory.exists() { fs::remove_dir_all(directory).map_err(unwritten(directory)) } else { Ok(()) }
}

/// Copies a directory, but for the folders at its top that are replaced.
fn copy(from: &Path, to: &Path, replaced: &dyn Fn(&str) -> bool) -> Result<(), BaselineError> {
    fs::create_dir_all(to).map_err(unwritten(to))?;
    let entries = fs::read_dir(from).map_err(unwritten(from))?;
    for entry in entries.flatten().filter(|entry| !replaced(&entry.file_name().to_string_lossy())) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target, &|_| false)?;
        } else {
            fs::copy(entry.path(), &target).map_err(unwritten(&target))?;
        }
    }
    Ok(())
}
