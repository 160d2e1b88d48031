//! Which baselines there are.

use std::fs;
use std::path::Path;

use super::manifest::MANIFEST;
use super::{Baseline, BaselineError};

/// Every baseline under `directory`, by name, and why those that cannot be read cannot.
pub fn all(directory: &Path) -> (Vec<Baseline>, Vec<(String, BaselineError)>) {
    let (mut read, mut broken) = (Vec::new(), Vec::new());
    for name in names(directory) {
        match Baseline::load(directory, &name) {
            Ok(baseline) => read.push(baseline),
            Err(error) => broken.push((name, error)),
        }
    }
    (read, broken)
}

/// The names of the baselines under `directory`, sorted.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let baselines = entries.filter(|entry| entry.path().join(MANIFEST).exists());
    let names = baselines.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
}

/// The bytes that a bench takes in the baseline `name`.
pub fn bytes(directory: &Path, name: &str, bench: &str) -> u64 {
    size(&directory.join(name).join(bench))
}

fn size(path: &Path) -> u64 {
    match fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| size(&entry.path())).sum(),
        Err(_) => fs::metadata(path).map_or(0, |file| file.len()),
    }
}
