//! What is counted beside the times: hits, wrong answers, wasted calls.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Observation;
use crate::stats::{Interval, proportion};

/// Something counted in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// How often it happened.
    pub count: u64,
    /// How often it could have happened; absent for what has no such number.
    pub of: Option<u64>,
}

impl Tally {
    /// A number of things.
    pub fn count(count: u64) -> Self {
        Self { count, of: None }
    }

    /// A number of things among so many.
    pub fn share(count: u64, of: u64) -> Self {
        Self { count, of: Some(of) }
    }

    /// Adds another run's, or another part's.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let of = match (self.of, other.of) {
            (Some(a), Some(b)) => Some(a + b),
            (one, other) => one.or(other),
        };
        Self { count: self.count + other.count, of }
    }
}

/// A tally of an arm's samples together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TallySummary {
    /// Runs that counted it.
    pub runs: usize,
    /// How often it happened in all of them.
    pub count: u64,
    /// How often it could have happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
    /// How often a run saw it, on average.
    pub per_run: f64,
    /// Its share with the 95% score interval, which takes what was counted to be independent of one another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<Interval>,
}

/// What an optimisation may do wrong at most before it is called unsafe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// The tally that it watches.
    pub tally: Cow<'static, str>,
    /// The largest share that is still safe.
    pub most: f64,
    /// What happens beyond it, in words that follow "unsafe: ": `it gives wrong answers`.
    pub harm: Cow<'static, str>,
}

/// The tallies of some runs together, by name.
pub(super) fn summarize<'a>(runs: impl Iterator<Item = &'a Observation>) -> BTreeMap<String, TallySummary> {
    let mut sums: BTreeMap<&str, (usize, Tally)> = BTreeMap::new();
    for (name, tally) in runs.flat_map(|run| &run.tallies) {
        let (runs, sum) = sums.entry(name).or_default();
        *runs += 1;
        *sum = sum.and(*tally);
    }
    let summary = |(name, (runs, sum)): (&str, (usize, Tally))| {
        let share = sum.of.and_then(|of| proportion(sum.count, of));
        let per_run = sum.count as f64 / runs as f64;
        (name.to_owned(), TallySummary { runs, count: sum.count, of: sum.of, per_run, share })
    };
    sums.into_iter().map(summary).collect()
}
