//! An optimisation's rounds without Criterion: until the verdict is clear, or a number of them.
//!
//! [`run`] asks the same arms in the same rounds as the benches do, and ends when every comparison of a
//! group's primary metric is decided, when as many rounds were made as were asked for, when the budget is
//! spent, or when somebody stops it. Whatever the end, what was measured is in the [`Comparison`] that it
//! writes and returns.

mod drive;
mod findings;
mod plan;
mod record;

pub use drive::run;
pub use findings::findings;
pub use plan::{Extent, Selection, announcement, doubts, estimate};
pub use record::{Asked, RecordError, record};

use std::fmt;
use std::path::PathBuf;

use regex::Regex;
use tokio::sync::watch;

use crate::report::progress::Progress;
use crate::report::results::Comparison;
use crate::session::{BudgetError, Observer, SessionError};
use crate::telemetry::TracingError;
use crate::verdict::Rule;

/// How many rounds to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// This many, and one to warm up.
    After(u32),
    /// As many as the verdicts need, but no more than this in a group.
    Decided {
        /// The most rounds of a group.
        most: u32,
    },
}

/// What to run, and how far.
#[derive(Debug, Clone)]
pub struct Options {
    /// When to stop.
    pub stop: Stop,
    /// Differences inside this share do not matter.
    pub margin: f64,
    /// Whether it only shows that everything works: the first group's first positions
    /// alone, and nothing is decided.
    pub smoke: bool,
    /// The metric that decides when to stop, instead of each group's own.
    pub metric: Option<String>,
    /// Only arms whose `group/arm/x` matches, and the controls they are compared with.
    pub filter: Option<Regex>,
}

impl Options {
    /// The most rounds of a group unless told otherwise: with noise of 20% in each arm, two equal arms need
    /// some 130 to be shown equal within 10%.
    pub const DEFAULT_MOST: u32 = 200;
    /// The rounds of a smoke run.
    pub const SMOKE_ROUNDS: u32 = 3;
    /// The positions of a sweep, the first ones, that a smoke run asks: it should take seconds.
    pub const SMOKE_POSITIONS: usize = 3;

    fn rule(&self) -> Rule {
        match self.stop {
            Stop::After(_) => Rule::fixed(self.margin),
            Stop::Decided { .. } => Rule::anytime(self.margin),
        }
    }
}

impl Default for Options {
    /// Until everything is decided.
    fn default() -> Self {
        Self {
            stop: Stop::Decided { most: Self::DEFAULT_MOST },
            margin: Rule::DEFAULT_MARGIN,
            smoke: false,
            metric: None,
            filter: None,
        }
    }
}

/// Who attends a run: who may stop it, and who wants to know what happens.
pub struct Attendance {
    /// Holds true once the run shall end with what it has.
    pub interrupted: watch::Receiver<bool>,
    /// Who watches.
    pub observers: Vec<Box<dyn Observer>>,
}

impl From<watch::Receiver<bool>> for Attendance {
    /// Somebody at a terminal, who may stop the run and sees how far it is.
    fn from(interrupted: watch::Receiver<bool>) -> Self {
        Self { interrupted, observers: vec![Box::new(Progress::default())] }
    }
}

impl fmt::Debug for Attendance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Attendance").field("observers", &self.observers.len()).finish_non_exhaustive()
    }
}

/// A run that came to an end, whichever.
#[derive(Debug, Clone)]
pub struct Finished {
    /// What it found.
    pub comparison: Comparison,
    /// The file that holds it.
    pub path: PathBuf,
}

/// Why a run could not start, or left no result.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The target does not answer.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The plan does not fit the budget.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// Its traces cannot be sent.
    #[error(transparent)]
    Tracing(#[from] TracingError),
    /// No arm matches the filter, or none can run on the target.
    #[error("nothing to run{}: {reason}", filter.as_ref().map(|filter| format!(" with --filter `{filter}`")).unwrap_or_default())]
    Nothing {
        /// The filter.
        filter: Option<String>,
        /// Why.
        reason: String,
    },
    /// The recordings hold no round that counts.
    #[error("the cassette holds one round of an arm, and that one only warms up: record more")]
    OneRound,
    /// No group has the metric that should decide.
    #[error("--metric `{metric}`: no group of {optimization} has it; there are {known}")]
    Metric {
        /// The metric.
        metric: String,
        /// The optimisation.
        optimization: String,
        /// Its groups' metrics.
        known: String,
    },
    /// A file cannot be written.
    #[error("could not write to {}: {source}", path.display())]
    Write {
        /// The file or its directory.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
}
