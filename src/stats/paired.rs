//! What a treatment changes, from pairs measured under the same conditions.

use serde::{Deserialize, Serialize};

use super::interval::{Interval, finite, mean_interval};

/// A treatment against its control over `n` pairs, with 95% intervals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// How many pairs.
    pub n: usize,
    /// The geometric mean of treatment by control; below 1 the treatment costs less.
    pub ratio: Interval,
    /// The mean of control minus treatment, the saving, in the unit of the values; above 0 the treatment
    /// costs less.
    pub difference: Interval,
}

impl Paired {
    /// Compares `treatment[i]` to `control[i]`.
    ///
    /// Absent where no comparison exists: for fewer than two pairs, for samples of different lengths, and
    /// where a value is not finite or not above 0, since it has no logarithm. [`difference`] alone takes
    /// zeros. Pairs that all agree give intervals of no width: no doubt was observed, as in a simulation
    /// without noise.
    pub fn of(control: &[f64], treatment: &[f64]) -> Option<Self> {
        Some(Self {
            n: control.len(),
            ratio: ratio(control, treatment)?,
            difference: difference(control, treatment)?,
        })
    }
}

/// The geometric mean of `treatment[i] / control[i]` with Student's t interval on the log ratios, which are
/// nearer to normal than latencies are. Absent as for [`Paired::of`].
pub fn ratio(control: &[f64], treatment: &[f64]) -> Option<Interval> {
    finite(mean_interval(&log_ratios(control, treatment)?)?.map(f64::exp))
}

/// The natural logarithms of `treatment[i] / control[i]`. Absent for samples of different lengths and where a
/// value is not finite or not above 0.
pub fn log_ratios(control: &[f64], treatment: &[f64]) -> Option<Vec<f64>> {
    let is_cost = |&value: &f64| value.is_finite() && value > 0.0;
    if !control.iter().chain(treatment).all(is_cost) {
        return None;
    }
    // ln t - ln c rather than ln(t / c): the quotient may overflow where the logarithms do not.
    pairwise(control, treatment, |c, t| t.ln() - c.ln())
}

/// The mean of `control[i] - treatment[i]` with Student's t interval. Absent for fewer than two pairs, for
/// samples of different lengths and where a value is not finite.
pub fn difference(control: &[f64], treatment: &[f64]) -> Option<Interval> {
    mean_interval(&pairwise(control, treatment, |c, t| c - t)?)
}

fn pairwise(control: &[f64], treatment: &[f64], of: impl Fn(f64, f64) -> f64) -> Option<Vec<f64>> {
    (control.len() == treatment.len())
        .then(|| control.iter().zip(treatment).map(|(&control, &treatment)| of(control, treatment)).collect())
}
