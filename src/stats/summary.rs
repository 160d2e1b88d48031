//! A sample in a few numbers.

use serde::{Deserialize, Serialize};

use super::bootstrap::Bootstrap;
use super::interval::{self, Interval};
use super::quantile::{median, quantile, sorted};

/// Above this many values the bootstrap of the mean runs over the means of batches.
const MOST_RESAMPLED: usize = 1_000;

/// A sample in a few numbers, in the unit of its values. The order of the values matters to `lag1` and
/// `mean_interval` alone.
///
/// Percentiles are given for samples of any size; whether to show one is decided with
/// [`samples_for`](super::samples_for) and [`marked_below`](super::marked_below).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many values.
    pub n: usize,
    /// The arithmetic mean.
    pub mean: f64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The standard deviation with divisor `n - 1`; unknown for one value.
    pub stdev: Option<f64>,
    /// The coefficient of variation, `stdev / mean`; unknown unless the mean is above 0.
    pub cv: Option<f64>,
    /// The median absolute deviation from the median, as it is: 1.4826 times it estimates a normal's standard
    /// deviation.
    pub mad: f64,
    /// The median.
    pub p50: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The correlation of each value with the next; see [`autocorrelation`].
    pub lag1: Option<f64>,
    /// The mean with its 95% bootstrap interval; unknown for one value. It resamples blocks of neighbours
    /// when `lag1` says that they resemble each other.
    pub mean_interval: Option<Interval>,
}

impl Summary {
    /// Summarises `values`, which stand in the order in which they were measured.
    ///
    /// Absent for an empty sample, and where a value is not finite: an infinite or undefined value is a fault
    /// upstream that leaving it out would hide.
    pub fn of(values: &[f64]) -> Option<Self> {
        if !values.iter().all(|value| value.is_finite()) {
            return None;
        }
        let sorted = sorted(values);
        let (mean, stdev) = (interval::mean(values)?, interval::stdev(values));
        let lag1 = autocorrelation(values);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        Some(Self {
            n: values.len(),
            // Rounding may put the mean of nearly equal values a hair outside them.
            mean: mean.clamp(min, max),
            min,
            max,
            stdev,
            cv: stdev.filter(|_| mean > 0.0).map(|stdev| stdev / mean),
            mad: deviation(&sorted)?,
            p50: median(&sorted)?,
            p95: quantile(&sorted, 0.95)?,
            p99: quantile(&sorted, 0.99)?,
            lag1,
            mean_interval: resampled_mean(values, mean, lag1),
        })
    }
}

/// The lag-1 autocorrelation: how much a value resembles the one before, in -1..=1. Without it, about 95% of
/// samples lie within `±2/√n` (Bartlett 1946). Absent for fewer than three values and for values without
/// spread.
pub fn autocorrelation(values: &[f64]) -> Option<f64> {
    let mean = interval::mean(values).filter(|_| values.len() >= 3)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let products: f64 = values.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    (squares > 0.0).then(|| products / squares).filter(|lag1| lag1.is_finite())
}

/// The median absolute deviation from the median.
fn deviation(values: &[f64]) -> Option<f64> {
    let middle = median(values)?;
    median(&sorted(&values.iter().map(|value| (value - middle).abs()).collect::<Vec<_>>()))
}

/// The bootstrap interval of the mean. A long series is first put together into the means of batches of
/// neighbours (Carlstein 1986): that bounds the work and keeps what correlation there is inside the batches.
fn resampled_mean(values: &[f64], estimate: f64, lag1: Option<f64>) -> Option<Interval> {
    let batch = values.len().div_ceil(MOST_RESAMPLED).max(1);
    let batches: Vec<f64> = values.chunks_exact(batch).filter_map(interval::mean).collect();
    let n = batches.len();
    let lag1 = if batch == 1 { lag1 } else { autocorrelation(&batches) };
    let resembles = lag1.is_some_and(|lag1| lag1 > 2.0 / (n as f64).sqrt());
    let bootstrap = if resembles { Bootstrap::default().blocks(n) } else { Bootstrap::default() };
    let interval = bootstrap.interval(&batches, |values| interval::mean(values).unwrap_or(f64::NAN))?;
    Some(Interval { estimate, ..interval })
}
