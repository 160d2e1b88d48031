//! A change with its uncertainty.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Case, POWER};
use crate::stats::{Interval, Trimmed};

/// A change of logarithms with its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    /// The change.
    pub(super) mean: f64,
    /// The part of its variance that further samples of the new run shrink, at `n` samples.
    pub(super) shrinking: f64,
    /// The rest of its variance.
    pub(super) fixed: f64,
    /// Degrees of freedom of the whole variance.
    pub(super) freedom: f64,
    /// Samples of the new run.
    pub(super) n: usize,
}

/// A part of a variance with its degrees of freedom.
type Part = (f64, f64);

impl Estimate {
    pub(super) fn error(&self) -> f64 {
        (self.shrinking + self.fixed).sqrt()
    }

    /// The chance of an estimate this high if the change were `margin`.
    pub(super) fn p_above(&self, margin: f64) -> f64 {
        let error = self.error();
        if error == 0.0 {
            return if self.mean > margin { 0.0 } else { 1.0 };
        }
        // The distribution function is less exact far out on the right than on the left.
        student(self.freedom).map_or(1.0, |t| t.cdf((margin - self.mean) / error))
    }

    /// The chance of an estimate this low if the change were `-margin`.
    pub(super) fn p_below(&self, margin: f64) -> f64 {
        Self { mean: -self.mean, ..*self }.p_above(margin)
    }

    /// The change as a fraction, with its 95% interval.
    pub(super) fn change(&self) -> Interval {
        let half = self.error() * deviate(self.freedom, 0.975);
        Interval { estimate: self.mean, low: self.mean - half, high: self.mean + half }.map(f64::exp_m1)
    }

    /// The change of logarithms that is found above `margin` with the power of [`POWER`], at level `alpha`.
    pub(super) fn detectable(&self, margin: f64, alpha: f64) -> f64 {
        margin + self.reach(alpha) * self.error()
    }

    /// Further samples of the new run that would make `target` detectable; absent where none would.
    pub(super) fn more(&self, target: f64, margin: f64, alpha: f64) -> Option<usize> {
        if target <= margin {
            return None;
        }
        let wanted = ((target - margin) / self.reach(alpha)).powi(2) - self.fixed;
        let n = self.n as f64 * self.shrinking / wanted;
        (wanted > 0.0 && n < 1e6).then(|| (n.ceil() as usize).saturating_sub(self.n).max(1))
    }

    fn reach(&self, alpha: f64) -> f64 {
        deviate(self.freedom, 1.0 - alpha) + deviate(self.freedom, POWER)
    }

    /// The same estimate after another was taken off, as if they were independent.
    pub(super) fn corrected(self, by: f64, variance: f64) -> Self {
        Self { mean: self.mean - by, fixed: self.fixed + variance, ..self }
    }

    /// The same estimate after a known shift was taken off.
    pub(super) fn less(self, shift: f64) -> Self {
        Self { mean: self.mean - shift, ..self }
    }
}

/// The change round by round. Runs of a side are averaged first: what they share was drawn alike. Once a suspect
/// was measured again, the run that made it one is left out: what slowed a machine then is no noise of rounds.
pub(super) fn paired(case: &Case) -> Option<Estimate> {
    let new = if case.new.len() > 1 { &case.new[1..] } else { &case.new };
    let changes: Vec<f64> =
        by_round(&case.baseline).iter().zip(&by_round(new)).map(|(before, after)| after - before).collect();
    let trimmed = Trimmed::of(&changes)?;
    Some(Estimate {
        mean: trimmed.mean,
        shrinking: trimmed.variance,
        fixed: 0.0,
        freedom: trimmed.freedom,
        n: trimmed.n,
    })
}

/// The logarithm of each round, averaged over runs, for as many rounds as all have.
fn by_round(runs: &[Vec<f64>]) -> Vec<f64> {
    let rounds = runs.iter().map(Vec::len).min().unwrap_or(0);
    let mean = |round: usize| runs.iter().map(|run| run[round].ln()).sum::<f64>() / runs.len() as f64;
    (0..rounds).map(mean).collect()
}

/// The change of a run's mean with the baseline's runs as replicates and the new ones as one sitting. `between`
/// is the variance between runs with its degrees of freedom.
pub(super) fn over_runs(baseline: &[Trimmed], new: &[Trimmed], between: Part) -> Option<Estimate> {
    let ((before, within_before), (after, within_after)) = (side(baseline)?, side(new)?);
    let wander = between.0 * (1.0 / baseline.len() as f64 + 1.0);
    let parts = [within_before, within_after, (wander, between.1)];
    let variance: f64 = parts.iter().map(|part| part.0).sum();
    // Welch 1947 and Satterthwaite 1946.
    let freedom = variance.powi(2) / parts.iter().map(|part| part.0.powi(2) / part.1.max(1.0)).sum::<f64>();
    Some(Estimate {
        mean: after - before,
        shrinking: within_after.0,
        fixed: within_before.0 + wander,
        freedom: if freedom.is_finite() { freedom } else { 1.0 },
        n: new.iter().map(|run| run.n).sum(),
    })
}

/// The mean over runs and the variance that comes from within them.
fn side(runs: &[Trimmed]) -> Option<(f64, Part)> {
    let count = runs.len() as f64;
    let mean = runs.iter().map(|run| run.mean).sum::<f64>() / count;
    let variance = runs.iter().map(|run| run.variance).sum::<f64>() / count.powi(2);
    let freedom = runs.iter().map(|run| run.freedom).sum::<f64>();
    (!runs.is_empty()).then_some((mean, (variance, freedom)))
}

fn deviate(freedom: f64, q: f64) -> f64 {
    student(freedom).map_or(f64::INFINITY, |t| t.inverse_cdf(q))
}

fn student(freedom: f64) -> Option<StudentsT> {
    StudentsT::new(0.0, 1.0, freedom).ok()
}
