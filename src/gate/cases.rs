//! What is judged: each benchmark of a bench, in the baseline and in the new run.

use super::Options;
use crate::baseline::{BenchRuns, Measured, Mode};
use crate::verdict::gate::{Case, Kind};

/// The benchmarks of one bench.
pub(super) struct Cases {
    pub(super) kind: Kind,
    pub(super) cases: Vec<Case>,
}

impl Cases {
    pub(super) fn of(old: &BenchRuns, new: &BenchRuns, options: &Options) -> Self {
        let kind = if old.fits.mode == Mode::Live { Kind::Ratio } else { Kind::Paired };
        let case = |measured: &Measured| {
            let new = new.benchmark(&measured.id)?;
            let rule = options.rules.of(measured);
            // A live control is what others are judged by.
            let is_judged = kind == Kind::Paired || measured.control.is_some();
            let default = measured.primary || kind == Kind::Paired;
            Some(Case {
                id: measured.id.clone(),
                metric: measured.metric.clone(),
                unit: measured.unit,
                // Replayed noise leaves nothing to correct for: every metric may fail. Live, each one more
                // makes the others harder to catch, so that only what was declared counts.
                gated: is_judged && rule.and_then(|rule| rule.gate).unwrap_or(default),
                control: measured.control.clone(),
                limit: rule.and_then(|rule| rule.max_regress).unwrap_or_else(|| options.limit()),
                baseline: measured.runs.clone(),
                new: new.runs.clone(),
                suspect: false,
            })
        };
        Self { kind, cases: old.benchmarks.iter().filter_map(case).collect() }
    }
}
