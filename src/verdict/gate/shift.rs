//! What moved everything alike, and which of two moved.

use super::estimate::Estimate;
use super::{Case, Decision, Shared};
use crate::stats::{Interval, Trimmed, median, sorted};

/// So many benchmarks must agree before their shift is one.
const LEAST: usize = 4;
/// The share of benchmarks that must lie near a shift for it to be theirs.
const MOST: f64 = 0.8;
/// How near, as a difference of logarithms, besides a tenth of the shift itself.
const NEAR: f64 = 0.02;
/// How near where every benchmark has noise of its own.
const NEAR_LIVE: f64 = 0.1;
/// Two shifts that about as many benchmarks support are told apart by size.
const AS_MANY: f64 = 0.75;

/// The shift that nearly all of `tested` paired benchmarks share, if it is larger than `margin`.
pub(super) fn of_paired(changes: &[f64], tested: usize, margin: f64, limit: f64) -> Option<(f64, Shared)> {
    let shift = median(&sorted(changes))?;
    let near = NEAR.max(shift.abs() / 10.0);
    let alike: Vec<f64> = changes.iter().copied().filter(|change| (change - shift).abs() <= near).collect();
    let is_shared = alike.len() >= LEAST && alike.len() as f64 >= MOST * tested as f64;
    if !is_shared || shift.abs() <= margin {
        return None;
    }
    let decision = if shift >= limit {
        Decision::Regression
    } else if shift <= -limit {
        Decision::Improved
    } else {
        Decision::Pass
    };
    Some((shift, Shared { change: spread(&alike)?, benchmarks: alike.len(), decision }))
}

/// The shift of a live run: the absolute change that most benchmarks share, be they arms or controls. Where
/// as many arms as controls moved, either may have: if the arms got slower by `limit`, they did; else the smaller
/// shift is the likelier drift. It is never a regression, and there is none where too few benchmarks share it.
pub(super) fn of_live(arms: &[f64], controls: &[f64], limit: f64) -> Option<(f64, Shared)> {
    let all: Vec<f64> = arms.iter().chain(controls).copied().collect();
    let alike =
        |shift: f64| all.iter().copied().filter(|change| (change - shift).abs() <= NEAR_LIVE).collect();
    let candidate = |side: &[f64]| {
        let shift = median(&sorted(side))?;
        Some((shift, Vec::len(&alike(shift)) as f64))
    };
    let (arms, controls) = (candidate(arms)?, candidate(controls)?);
    let most = arms.1.max(controls.1);
    let shift = if arms.1 < AS_MANY * most {
        controls.0
    } else if controls.1 < AS_MANY * most {
        arms.0
    } else if arms.0 - controls.0 > limit && arms.0 >= limit || controls.0.abs() < arms.0.abs() {
        controls.0
    } else {
        arms.0
    };
    let alike: Vec<f64> = alike(shift);
    let change = spread(&alike)?;
    (alike.len() >= LEAST)
        .then_some((shift, Shared { change, benchmarks: alike.len(), decision: Decision::Pass }))
}

/// The mean of shifts with its 95% interval, as fractions.
fn spread(shifts: &[f64]) -> Option<Interval> {
    let trimmed = Trimmed::of(shifts)?;
    let Trimmed { mean, variance, freedom, n } = trimmed;
    Some(Estimate { mean, shrinking: variance, fixed: 0.0, freedom, n }.change())
}

/// The absolute change of a case, with the variance that comes from within runs: the run that was judged first
/// against the mean of the baseline's runs.
pub(super) fn absolute(case: &Case) -> Option<(f64, f64)> {
    let level = |run: &Vec<f64>| Trimmed::of(&run.iter().map(|value| value.ln()).collect::<Vec<_>>());
    let before: Vec<Trimmed> = case.baseline.iter().map(level).collect::<Option<_>>()?;
    let after = level(case.new.first()?)?;
    let runs = before.len() as f64;
    let mean = before.iter().map(|run| run.mean).sum::<f64>() / runs;
    let variance = before.iter().map(|run| run.variance).sum::<f64>() / runs.powi(2);
    Some((after.mean - mean, after.variance + variance))
}
