//! What keeps a baseline from being saved, read or compared.

use std::io;
use std::path::PathBuf;

/// Why a baseline or a run cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// A name that cannot be a folder, or that Criterion uses itself.
    #[error("the baseline's name `{name}` {reason}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No bench left a run.
    #[error("no run in {}: run `cargo bench` first, or name its directory with --criterion-home", path.display())]
    NoRuns {
        /// Where runs were looked for.
        path: PathBuf,
    },
    /// The bench left no run.
    #[error("no run of {bench} in {}: run `cargo bench --bench {bench}` first, or name its directory with --criterion-home", path.display())]
    NoRun {
        /// The bench.
        bench: String,
        /// Where its runs were looked for.
        path: PathBuf,
    },
    /// The latest run did not end.
    #[error("the latest run of {bench} did not end ({}): let `cargo bench --bench {bench}` run to its end", path.display())]
    Incomplete {
        /// The bench.
        bench: String,
        /// The run's summary.
        path: PathBuf,
    },
    /// The instrument that measured was past its bounds.
    #[error("the latest run of {bench} is INVALID ({}): {reason}; run `cargo bench --bench {bench}` again on a machine that does nothing else", path.display())]
    Invalid {
        /// The bench.
        bench: String,
        /// The run's summary.
        path: PathBuf,
        /// What was past its bounds, in words.
        reason: String,
    },
    /// The run left no files of Criterion's.
    #[error("the latest run of {bench} left no samples ({}): run `cargo bench --bench {bench}`; cargo-criterion keeps its samples to itself", path.display())]
    NoSamples {
        /// The bench.
        bench: String,
        /// The run's summary.
        path: PathBuf,
    },
    /// A file is no longer the one that the run left.
    #[error("{} is no longer what run {run_id} measured for {id}: a later or filtered run wrote it; run `cargo bench --bench {bench}` again, all of it", path.display())]
    Stale {
        /// The bench.
        bench: String,
        /// The benchmark.
        id: String,
        /// The run.
        run_id: String,
        /// The file.
        path: PathBuf,
    },
    /// There is no such baseline.
    #[error("no baseline `{name}`: {} does not exist; `llmlab baseline list` shows those there are, `llmlab baseline save {name}` makes it", path.display())]
    Missing {
        /// The baseline.
        name: String,
        /// Its manifest.
        path: PathBuf,
    },
    /// A benchmark's file is gone.
    #[error("{} is missing, which holds {id}: restore it, or save the baseline again", path.display())]
    MissingFile {
        /// The benchmark.
        id: String,
        /// The file.
        path: PathBuf,
    },
    /// A file is not the one that was saved.
    #[error("{} is not the file that was saved (its hash differs): restore it, or save the baseline again", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
    },
    /// A file is not what it should be.
    #[error("{}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of a version that this build does not know.
    #[error("{} has format version {found}, and this llmlab reads {known}: use the llmlab that wrote it, or make the file again", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The version that is known.
        known: u32,
    },
    /// A run that is not like those of the baseline it is added to.
    #[error(
        "cannot add the latest run of {bench} to the baseline: {source}; save without --add to replace it"
    )]
    Unlike {
        /// The bench.
        bench: String,
        /// What differs.
        source: Mismatch,
    },
    /// The run is in the baseline already.
    #[error(
        "the latest run of {bench} ({run_id}) is in the baseline already: run `cargo bench --bench {bench}` again before adding another"
    )]
    Known {
        /// The bench.
        bench: String,
        /// The run.
        run_id: String,
    },
    /// The baseline holds nothing of a bench.
    #[error("the baseline `{name}` has nothing of {bench}")]
    NoBench {
        /// The baseline.
        name: String,
        /// The bench.
        bench: String,
    },
    /// A file cannot be written.
    #[error("could not write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a run cannot be compared with a baseline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The two were not asked the same.
    #[error("they differ in {setting}: the baseline has {baseline}, the new run {new}")]
    Setting {
        /// What differs.
        setting: &'static str,
        /// The baseline's.
        baseline: String,
        /// The new run's.
        new: String,
    },
    /// A live target was measured from another kind of machine.
    #[error(
        "they were measured on different kinds of machine, {baseline} and {new}, which decides for a live target (--force compares all the same)"
    )]
    Machine {
        /// The baseline's class.
        baseline: String,
        /// The new run's class.
        new: String,
    },
    /// The new run lacks benchmarks.
    #[error("the new run lacks {}: run `cargo bench --bench {bench}` without a filter, or save the baseline again if that is meant", missing.join(", "))]
    Benchmarks {
        /// The bench.
        bench: String,
        /// The ids that are missing.
        missing: Vec<String>,
    },
}
