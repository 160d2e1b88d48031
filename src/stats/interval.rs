//! An estimate with its interval.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// An estimate and the 95% confidence interval around it, in the unit of the values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The estimate.
    pub estimate: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies within, ends included.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// The distance between the ends.
    pub fn width(&self) -> f64 {
        self.high - self.low
    }

    /// The interval of a monotonically increasing function of the value.
    #[must_use]
    pub fn map(self, increasing: impl Fn(f64) -> f64) -> Self {
        Self { estimate: increasing(self.estimate), low: increasing(self.low), high: increasing(self.high) }
    }
}

/// The mean with Student's t interval: `mean ± t(n - 1) * stdev / √n`. Values without spread give an interval
/// of no width. Absent for fewer than two values and where one is not finite.
pub fn mean_interval(values: &[f64]) -> Option<Interval> {
    let (mean, stdev) = (mean(values)?, stdev(values)?);
    let half = half_width(values.len(), stdev)?;
    finite(Interval { estimate: mean, low: mean - half, high: mean + half })
}

/// The half width of Student's 95% interval for the mean of `n` values with that standard deviation. Absent for
/// fewer than two values.
pub fn half_width(n: usize, stdev: f64) -> Option<f64> {
    let freedom = n.checked_sub(1).filter(|&freedom| freedom > 0)?;
    Some(student_t(freedom, 0.975)? * stdev / (n as f64).sqrt())
}

/// The arithmetic mean; absent for an empty sample and where a value is not finite.
pub(super) fn mean(values: &[f64]) -> Option<f64> {
    let (first, n) = (*values.first()?, values.len() as f64);
    // Summed as offsets from the first value: equal values have exactly that mean, and hence no spread.
    let mean = first + values.iter().map(|value| value - first).sum::<f64>() / n;
    mean.is_finite().then_some(mean)
}

/// The standard deviation with divisor `n - 1`; absent for fewer than two values.
pub(super) fn stdev(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let freedom = values.len().checked_sub(1).filter(|&freedom| freedom > 0)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / freedom as f64).sqrt())
}

/// The quantile `q` of Student's t distribution.
pub(super) fn student_t(freedom: usize, q: f64) -> Option<f64> {
    Some(StudentsT::new(0.0, 1.0, freedom as f64).ok()?.inverse_cdf(q))
}

/// The interval, if all of it is finite.
pub(super) fn finite(interval: Interval) -> Option<Interval> {
    [interval.estimate, interval.low, interval.high].iter().all(|end| end.is_finite()).then_some(interval)
}
