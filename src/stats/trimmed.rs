//! The trimmed mean: a mean that a few wild values cannot move.

use serde::{Deserialize, Serialize};

use super::quantile::sorted;

/// The share of the values that is left out at either end.
const TRIM: f64 = 0.1;

/// The 10%-trimmed mean of a sample, with what its uncertainty needs (Yuen 1974, "The two-sample trimmed t for
/// unequal population variances").
///
/// At the normal distribution it loses 5% of the mean's precision; with one value in twenty several times
/// larger than the rest it keeps its own, where the mean's is lost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Trimmed {
    /// How many values there were.
    pub n: usize,
    /// The mean of those that were kept.
    pub mean: f64,
    /// The variance of that mean: `(n − 1)·s²w / (h(h − 1))`, with the winsorised variance `s²w` and the `h`
    /// values kept.
    pub variance: f64,
    /// Its degrees of freedom, `h − 1`.
    pub freedom: f64,
}

impl Trimmed {
    /// The 10%-trimmed mean of `values`. Absent for fewer than two values and where one is not finite.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.len() < 2 || !values.iter().all(|value| value.is_finite()) {
            return None;
        }
        let mut values = sorted(values);
        let n = values.len();
        let cut = (n as f64 * TRIM) as usize;
        let kept = &values[cut..n - cut];
        let (h, low, high) = (kept.len() as f64, kept[0], kept[kept.len() - 1]);
        let mean = super::interval::mean(kept)?;
        for value in &mut values {
            *value = value.clamp(low, high);
        }
        let winsorised = super::interval::stdev(&values)?.powi(2);
        Some(Self { n, mean, variance: (n as f64 - 1.0) * winsorised / (h * (h - 1.0)), freedom: h - 1.0 })
    }
}
