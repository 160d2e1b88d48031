//! Earlier runs on disk, to compare later ones with.
//!
//! A baseline is a folder that is meant to be committed: `target-baselines/NAME/manifest.json` says what was
//! measured, and `NAME/BENCH/run-N/` holds Criterion's own files as Criterion left them. Every file is held to
//! its hash whenever it is read, on either side: a baseline that was edited is refused, and so is a run whose
//! files a later run has overwritten.
//!
//! A bench can have several runs in one baseline. What drifts between runs cannot be seen within one, so a
//! baseline of a live target wants at least [`LIVE_RUNS`] of them, made at different times.

mod change;
mod criterion;
mod error;
mod files;
mod fit;
mod install;
mod list;
mod manifest;
mod measured;
mod pair;
mod run;
mod save;
mod stage;

pub use change::{Change, changes};
pub use error::{BaselineError, Mismatch};
pub use files::{criterion_home, records};
pub use fit::{Warning, fit, fit_forced, same_settings};
pub use install::{Installed, install};
pub use list::{all, bytes};
pub use manifest::MANIFEST_SCHEMA_VERSION;
pub use measured::{BenchRuns, Fits, Measured, Mode, RunInfo};
pub use pair::{Pair, pairs};
pub use run::{BenchmarkInfo, RunBenchmark, found, latest_run, newest_summaries};
pub use save::{Save, Saved, SavedBench, save};

use std::path::Path;

use manifest::Manifest;

/// Where baselines are kept: the folder of the repository that holds them.
pub const DIRECTORY: &str = "target-baselines";

/// The fewest runs from which the drift of a live target between runs can be told.
pub const LIVE_RUNS: usize = 4;

/// Directories that Criterion itself keeps beside baselines.
const CRITERIONS_OWN: [&str; 4] = ["new", "base", "change", "report"];

/// A baseline's name becomes a folder, here and in Criterion's directory.
fn check_name(name: &str) -> Result<(), BaselineError> {
    let refuse = |reason| Err(BaselineError::Name { name: name.into(), reason });
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return refuse("can be no folder's: use letters, digits, `-`, `_` and `.`");
    }
    if CRITERIONS_OWN.contains(&name) {
        return refuse("is a folder that Criterion writes itself: choose another");
    }
    Ok(())
}

/// A baseline, read and held to its hashes.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    name: String,
    benches: Vec<BenchRuns>,
}

impl Baseline {
    /// Reads the baseline `name` under `directory`, every file of it.
    ///
    /// # Errors
    /// When a file is missing, is not what was saved, or is of an unknown version.
    pub fn load(directory: &Path, name: &str) -> Result<Self, BaselineError> {
        check_name(name)?;
        let root = directory.join(name);
        let manifest = Manifest::read(&root, name)?;
        let benches = manifest.benches.iter().map(|(bench, entry)| entry.measured(&root, bench));
        Ok(Self { name: name.into(), benches: benches.collect::<Result<_, _>>()? })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its benches, by name.
    pub fn benches(&self) -> &[BenchRuns] {
        &self.benches
    }

    /// The bench of that name.
    pub fn bench(&self, name: &str) -> Option<&BenchRuns> {
        self.benches.iter().find(|bench| bench.bench == name)
    }
}
