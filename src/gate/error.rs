//! What keeps a gate from judging.

use std::path::PathBuf;

use crate::baseline::{BaselineError, Mismatch};

/// Why nothing could be judged. It is never a pass.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The baseline or a run cannot be used.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// The run does not fit the baseline.
    #[error("cannot compare the latest run of {bench} with the baseline: {source}")]
    Mismatch {
        /// The bench.
        bench: String,
        /// What differs.
        source: Mismatch,
    },
    /// The baseline lacks the bench that was asked for.
    #[error("--bench {bench}: the baseline `{name}` has no such bench")]
    NoBench {
        /// The baseline.
        name: String,
        /// The bench.
        bench: String,
    },
    /// The latest run is one of the baseline's own.
    #[error(
        "the latest run of {bench} is part of the baseline `{name}`: run `cargo bench --bench {bench}` to have something to compare"
    )]
    Same {
        /// The bench.
        bench: String,
        /// The baseline.
        name: String,
    },
    /// Nothing of a bench may fail.
    #[error("nothing of {bench} is gated: its rules leave no benchmark, or its live run has controls alone")]
    Nothing {
        /// The bench.
        bench: String,
    },
    /// A run without a run.
    #[error("the latest run of {bench} holds nothing")]
    Empty {
        /// The bench.
        bench: String,
    },
    /// The file of rules is none.
    #[error("--rules {}: {reason}", path.display())]
    Rules {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A rule that matches no benchmark.
    #[error("the rule `{id}` matches no benchmark of the baseline")]
    IdleRule {
        /// Its pattern.
        id: String,
    },
    /// A run that was to confirm a benchmark lacks it.
    #[error("--confirm: the further run lacks {id}")]
    Unconfirmed {
        /// The benchmark.
        id: String,
    },
    /// Suspects could not be measured again.
    #[error("--confirm: measuring {bench} again failed: {reason}")]
    Confirm {
        /// The bench.
        bench: String,
        /// What happened.
        reason: String,
    },
}
