//! Where a bench writes: beside Criterion's own files.

use std::path::PathBuf;

use crate::settings::Environment;

/// Criterion's directory, found as Criterion itself finds it.
pub(super) fn criterion_home(environment: &Environment) -> PathBuf {
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

/// The directory of one bench's records and summaries.
pub(super) fn records(environment: &Environment, bench: &str) -> PathBuf {
    criterion_home(environment).join("llmlab").join(bench)
}
