//! Two sides of a bench, benchmark by benchmark: how their medians differ, and no verdict.

use super::BenchRuns;
use crate::metric::Metric;
use crate::stats;

/// A benchmark's median before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The benchmark.
    pub id: String,
    /// Its metric.
    pub metric: Metric,
    /// The median before, over all runs.
    pub before: f64,
    /// The median after, over all runs.
    pub after: f64,
    /// How many values each is of.
    pub samples: (usize, usize),
}

impl Change {
    /// The change as a share of the median before: 0.1 is ten percent slower. Absent where that was 0.
    pub fn share(&self) -> Option<f64> {
        (self.before != 0.0).then(|| self.after / self.before - 1.0)
    }
}

/// The change of every benchmark that both sides have, the largest increase first.
pub fn changes(before: &BenchRuns, after: &BenchRuns) -> Vec<Change> {
    let of_one = |old: &super::Measured| {
        let new = after.benchmark(&old.id)?;
        let (old_values, new_values) = (stats::sorted(&old.runs.concat()), stats::sorted(&new.runs.concat()));
        Some(Change {
            id: old.id.clone(),
            metric: old.metric(),
            before: stats::median(&old_values)?,
            after: stats::median(&new_values)?,
            samples: (old_values.len(), new_values.len()),
        })
    };
    let mut changes: Vec<_> = before.benchmarks.iter().filter_map(of_one).collect();
    changes.sort_by(|a, b| b.share().unwrap_or(0.0).total_cmp(&a.share().unwrap_or(0.0)));
    changes
}
