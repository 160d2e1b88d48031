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

/// The shift that nearly all paired benchmarks share, if it is larger than `margin`.
pub(super) fn of_paired(changes: &[f64], margin: f64, limit: f64) -> Option<(f64, Shared)> {
    let shift = median(&sorted(changes))?;
    let near = NEAR.max(shift.abs() / 10.0);
    let alike: Vec<f64> = changes.iter().copied().filter(|change| (change - shift).abs() <= near).collect();
    let is_shared = alike.len() >= LEAST && alike.len() as f64 >= MOST * changes.len() as f64;
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
/// as many arms as controls moved, the smaller shift is the likelier drift. It is never a regression.
pub(super) fn of_live(arms: &[f64], controls: &[f64]) -> Option<(f64, Shared)> {
    let all: Vec<f64> = arms.iter().chain(controls).copied().collect();
    let alike =
        |shift: f64| all.iter().copied().filter(|change| (change - shift).abs() <= NEAR_LIVE).collect();
    let candidates = [arms, controls].into_iter().filter_map(|side| median(&sorted(side)));
    let mut candidates: Vec<(f64, Vec<f64>)> = candidates.map(|shift| (shift, alike(shift))).collect();
    let most = candidates.iter().map(|(_, alike)| alike.len()).max()?;
    candidates.retain(|(_, alike)| alike.len() as f64 >= AS_MANY * most as f64);
    let (shift, alike) = candidates.into_iter().min_by(|a, b| a.0.abs().total_cmp(&b.0.abs()))?;
    let change =
        spread(&alike).unwrap_or(Interval { estimate: shift, low: shift, high: shift }.map(f64::exp_m1));
    Some((shift, Shared { change, benchmarks: alike.len(), decision: Decision::Pass }))
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
