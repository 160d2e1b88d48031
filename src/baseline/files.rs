//! Where a bench writes, beside Criterion's own files, and how files are read again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::BaselineError;
use crate::settings::Environment;

/// Criterion's directory, found as Criterion itself finds it.
pub fn criterion_home(environment: &Environment) -> PathBuf {
    if let Some(home) = environment.get("CRITERION_HOME") {
        return home.into();
    }
    if let Some(target) = environment.get("CARGO_TARGET_DIR") {
        return PathBuf::from(target).join("criterion");
    }
    cargo_target_directory(environment).unwrap_or_else(|| "target".into()).join("criterion")
}

/// `cargo metadata` knows a target directory set in a configuration file.
fn cargo_target_directory(environment: &Environment) -> Option<PathBuf> {
    let cargo = environment.get("CARGO")?;
    let output = std::process::Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    metadata["target_directory"].as_str().map(PathBuf::from)
}

/// The directory of one bench's records and summaries, under Criterion's.
pub fn records(criterion_home: &Path, bench: &str) -> PathBuf {
    all_records(criterion_home).join(bench)
}

/// The directory of every bench's records.
pub(super) fn all_records(criterion_home: &Path) -> PathBuf {
    criterion_home.join("llmlab")
}

/// The hash by which a file is known again.
pub(super) fn hash(bytes: &[u8]) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(bytes))
}

/// Reads a JSON file whose `schema_version` must be `known`.
pub(super) fn read_versioned<T: DeserializeOwned>(path: &Path, known: u32) -> Result<T, BaselineError> {
    let unreadable = |reason: String| BaselineError::Unreadable { path: path.to_owned(), reason };
    let text = fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let value: Value = serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
    match value["schema_version"].as_u64() {
        Some(found) if found == u64::from(known) => {
            serde_json::from_value(value).map_err(|error| unreadable(error.to_string()))
        }
        Some(found) => Err(BaselineError::Version { path: path.to_owned(), found, known }),
        None => Err(unreadable("it has no schema_version".into())),
    }
}

/// Names the file that could not be written.
pub(super) fn unwritten(path: &Path) -> impl FnOnce(io::Error) -> BaselineError {
    let path = path.to_owned();
    move |source| BaselineError::Write { path, source }
}
