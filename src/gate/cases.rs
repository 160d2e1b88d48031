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
            Some(Case {
                id: measured.id.clone(),
                metric: measured.metric.clone(),
                unit: measured.unit,
                // Replayed noise leaves nothing to correct for: every metric may fail. Live, each one more
                // makes the others harder to catch, so that only what was declared counts.
                gated: rule.and_then(|rule| rule.gate).unwrap_or(measured.primary || kind == Kind::Paired),
                control: measured.control.clone(),
                limit: rule
                    .and_then(|rule| rule.max_regress)
                    .or(options.rules.max_regress)
                    .unwrap_or(options.max_regress),
                baseline: measured.runs.clone(),
                new: new.runs.clone(),
                suspect: false,
            })
        };
        Self { kind, cases: old.benchmarks.iter().filter_map(case).collect() }
    }
}
