//! Quantiles, and how many values one needs before they mean something.

use serde::Serialize;

/// How percentiles are taken of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Percentiles {
    /// By linear interpolation, the lab's one method: [`quantile`].
    #[default]
    Linear,
    /// As many scripts do, for comparing with their figures: [`floor_quantile`].
    Floor,
}

impl Percentiles {
    /// The quantile `q` of values in ascending order.
    pub fn of(self, sorted: &[f64], q: f64) -> Option<f64> {
        match self {
            Self::Linear => quantile(sorted, q),
            Self::Floor => floor_quantile(sorted, q),
        }
    }
}

impl std::str::FromStr for Percentiles {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "linear" => Ok(Self::Linear),
            "floor" => Ok(Self::Floor),
            _ => Err("expected floor or linear".into()),
        }
    }
}

/// The quantile `q` (0..=1) of values in ascending order, by linear interpolation between order statistics:
/// type 7 of Hyndman & Fan (1996), "Sample quantiles in statistical packages", the default of R and NumPy.
///
/// Absent for an empty sample and for a `q` outside 0..=1.
///
/// ```
/// use llmlab::stats::quantile;
///
/// assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.5), Some(2.5));
/// assert_eq!(quantile(&[], 0.5), None);
/// ```
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    debug_assert!(sorted.is_sorted(), "quantile() takes values in ascending order");
    if !(0.0..=1.0).contains(&q) {
        return None;
    }
    let last = sorted.len().checked_sub(1)?;
    let position = last as f64 * q;
    let low = position.floor() as usize;
    let (below, above) = (sorted[low], sorted[last.min(low + 1)]);
    // Bounded, because rounding may otherwise step past a neighbour; clamp() would panic on values that are
    // not numbers.
    Some((below + (position - low as f64) * (above - below)).max(below).min(above))
}

/// The quantile `q` (0..=1) as many scripts take it: the value at index `floor(n q)`, the last one where that is none.
/// It lies at or above [`quantile`], and of fewer than 100 values it calls the largest their p99. For comparing with
/// figures that were made so; every figure of our own is of type 7.
///
/// Absent for an empty sample and for a `q` outside 0..=1.
///
/// ```
/// use llmlab::stats::floor_quantile;
///
/// assert_eq!(floor_quantile(&[1.0, 2.0], 0.5), Some(2.0));
/// ```
pub fn floor_quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    (0.0..=1.0).contains(&q).then(|| sorted[last.min((sorted.len() as f64 * q) as usize)])
}

/// The median of values in ascending order.
pub fn median(sorted: &[f64]) -> Option<f64> {
    quantile(sorted, 0.5)
}

/// A copy of `values` in ascending order.
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// How many values an upper quantile needs to rest on ten values beyond it: `10 / (1 - q)`, so 20 for p50,
/// 200 for p95 and 1,000 for p99. With fewer it moves much from one sample to the next, and a report may
/// hide it.
///
/// Absent for a `q` outside 0..1.
pub fn samples_for(q: f64) -> Option<usize> {
    beyond(q, 10.0)
}

/// How many values a quantile needs so that one is expected beyond it: `1 / (1 - q)`, so 100 for p99. With
/// fewer the estimate is all but the maximum: a report that shows it all the same marks it (`p99*`).
///
/// Absent for a `q` outside 0..1.
pub fn marked_below(q: f64) -> Option<usize> {
    beyond(q, 1.0)
}

/// How many values a gate needs before it may judge a quantile: then the sample's maximum lies beyond the
/// true quantile with 99% confidence, `ln 0.01 / ln q` (Wilks 1941). 44 for p90, 90 for p95, 459 for p99.
///
/// Absent for a `q` outside 0..1.
pub fn gate_floor(q: f64) -> Option<usize> {
    inside(q).map(|q| (0.01_f64.ln() / q.ln()).ceil() as usize)
}

fn beyond(q: f64, values: f64) -> Option<usize> {
    // 1 - 0.99 is a little less than 0.01: without the margin p99 would need 1,001 values.
    inside(q).map(|q| (values / (1.0 - q) * (1.0 - 1e-9)).ceil() as usize)
}

fn inside(q: f64) -> Option<f64> {
    (q > 0.0 && q < 1.0).then_some(q)
}
