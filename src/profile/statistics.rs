//! A sample in the numbers that a profile shows.

use serde::Serialize;

use crate::stats::{self, Percentiles, Summary};

/// A sample in numbers, in the unit of its values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    /// How many values.
    pub n: usize,
    /// The arithmetic mean.
    pub mean: f64,
    /// The median.
    pub median: f64,
    /// The standard deviation with divisor `n - 1`; unknown for one value.
    pub stdev: Option<f64>,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The 50th percentile, by the method that was chosen.
    pub p50: f64,
    /// The 90th.
    pub p90: f64,
    /// The 95th.
    pub p95: f64,
    /// The 99th.
    pub p99: f64,
    /// The coefficient of variation, `stdev / mean`.
    pub cv: Option<f64>,
    /// The distance between the quartiles.
    pub iqr: f64,
}

impl Statistics {
    /// The numbers of a sample; absent when it is empty.
    pub fn of(values: impl IntoIterator<Item = f64>, percentiles: Percentiles) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().collect();
        let summary = Summary::of(&values)?;
        let sorted = stats::sorted(&values);
        let at = |q| percentiles.of(&sorted, q);
        Some(Self {
            n: summary.n,
            mean: summary.mean,
            median: summary.p50,
            stdev: summary.stdev,
            min: summary.min,
            max: summary.max,
            p50: at(0.5)?,
            p90: at(0.9)?,
            p95: at(0.95)?,
            p99: at(0.99)?,
            cv: summary.cv,
            iqr: stats::quantile(&sorted, 0.75)? - stats::quantile(&sorted, 0.25)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nine_numbers_of_a_known_sample_by_both_methods() {
        let values = || (1..=10).map(|value| f64::from(value) * 100.0);
        let ours = Statistics::of(values(), Percentiles::Linear).unwrap();
        let stated = [ours.mean, ours.median, ours.min, ours.max, ours.p50, ours.p90];
        assert_eq!(stated, [550.0, 550.0, 100.0, 1_000.0, 550.0, 910.0]);
        assert!((ours.p95 - 955.0).abs() < 1e-9 && (ours.p99 - 991.0).abs() < 1e-9, "{ours:?}");
        assert!((ours.stdev.unwrap() - 302.765_035).abs() < 1e-6, "{ours:?}");
        // sorted[int(n * p)], and of fewer than 100 values the largest for p99
        let floor = Statistics::of(values(), Percentiles::Floor).unwrap();
        assert_eq!([floor.p50, floor.p90, floor.p95, floor.p99], [600.0, 1_000.0, 1_000.0, 1_000.0]);
        assert_eq!((floor.mean, floor.median), (550.0, 550.0));
    }

    #[test]
    fn one_value_has_no_spread_and_none_have_no_numbers() {
        assert_eq!(Statistics::of([5.0], Percentiles::default()).unwrap().stdev, None);
        assert_eq!(Statistics::of([], Percentiles::default()), None);
    }
}
