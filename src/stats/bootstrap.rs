//! Intervals by resampling, for statistics that have no formula and values that have no known shape.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF, Normal};

use super::interval::{Interval, finite, student_t};
use super::quantile::{quantile, sorted};

/// How the interval is read off the resampled statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// Their quantiles.
    Percentile,
    /// Their quantiles, shifted for bias and skew (BCa, Efron 1987). It assumes independent values, so that
    /// a bootstrap of blocks falls back to [`Percentile`](Self::Percentile).
    #[default]
    Bca,
}

/// A seeded bootstrap of 95% intervals.
///
/// The plain bootstrap is too narrow for few values, since a resample's spread has the divisor `n` and its
/// quantiles are a normal's rather than Student's. Both are made good by reading the quantiles at the
/// expanded levels of Hesterberg (2015), "What teachers should know about the bootstrap"; for two values the
/// interval reaches from one to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    /// How many resamples are drawn.
    pub resamples: usize,
    /// The seed: the same values and seed give the same interval.
    pub seed: u64,
    /// How many neighbours are drawn together. 1 treats values as independent; for a series whose neighbours
    /// resemble each other, [`blocks`](Self::blocks) keeps them together in a circular block bootstrap
    /// (Politis & Romano 1992).
    pub block: usize,
    /// How the interval is read off.
    pub method: Method,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 2_000, seed: 0x6c6c_6d6c_6162, block: 1, method: Method::default() }
    }
}

impl Bootstrap {
    /// A bootstrap with another seed.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// The same bootstrap over blocks of `⌈n^(1/3)⌉` neighbours, the rate at which a block must grow with the
    /// series (Hall, Horowitz & Jing 1995). A strong correlation needs longer ones.
    #[must_use]
    pub fn blocks(self, n: usize) -> Self {
        Self { block: (n as f64).cbrt().ceil().max(1.0) as usize, ..self }
    }

    /// The interval of `statistic` over `values`. It takes `resamples` times as long as the statistic, and
    /// for [`Method::Bca`] as many times more as there are values.
    ///
    /// Absent for fewer than two values, where a value or a resample's statistic is not finite, and without
    /// resamples. A statistic that is the same in every resample gives an interval of no width.
    pub fn interval(&self, values: &[f64], statistic: impl Fn(&[f64]) -> f64) -> Option<Interval> {
        if values.len() < 2 || !values.iter().all(|value| value.is_finite()) {
            return None;
        }
        let estimate = statistic(values);
        let resampled = sorted(&self.resample(values, &statistic));
        if resampled.is_empty() || !resampled.iter().all(|value| value.is_finite()) {
            return None;
        }
        let shift = match self.method {
            Method::Bca if self.block <= 1 => Shift::of(values, estimate, &resampled, &statistic)?,
            _ => Shift::default(),
        };
        let z = expanded(values.len() / self.block.max(1))?;
        let end = |z: f64| quantile(&resampled, shift.level(z)?);
        finite(Interval { estimate, low: end(-z)?, high: end(z)? })
    }

    /// The statistic of every resample.
    fn resample(&self, values: &[f64], statistic: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let (n, block) = (values.len(), self.block.clamp(1, values.len()));
        let mut resample = Vec::with_capacity(n + block);
        let draw = |_| {
            resample.clear();
            while resample.len() < n {
                let start = random.random_range(0..n);
                resample.extend((start..start + block).map(|index| values[index % n]));
            }
            resample.truncate(n);
            statistic(&resample)
        };
        (0..self.resamples).map(draw).collect()
    }
}

/// Where BCa moves the levels: `bias` is z0, `skew` the acceleration. Zeros are the percentile method.
#[derive(Debug, Default)]
struct Shift {
    bias: f64,
    skew: f64,
}

impl Shift {
    fn of(
        values: &[f64],
        estimate: f64,
        resampled: &[f64],
        statistic: impl Fn(&[f64]) -> f64,
    ) -> Option<Self> {
        let below = resampled.partition_point(|&value| value < estimate) as f64;
        let equal = resampled.iter().filter(|&&value| value == estimate).count() as f64;
        // Half a resample from either end, so that the bias stays finite.
        let count = resampled.len() as f64;
        let share = ((below + equal / 2.0) / count).clamp(0.5 / count, 1.0 - 0.5 / count);
        Some(Self { bias: normal()?.inverse_cdf(share), skew: acceleration(values, statistic)? })
    }

    /// The level at which the quantile for the normal deviate `z` is read.
    fn level(&self, z: f64) -> Option<f64> {
        let moved = self.bias + z;
        let scale = 1.0 - self.skew * moved;
        // Past the pole of the formula every level lies at the end towards which it moved.
        let z = if scale > 0.0 { self.bias + moved / scale } else { moved.signum() * f64::MAX };
        Some(normal()?.cdf(z))
    }
}

/// The acceleration, from leaving each value out in turn (Efron & Tibshirani 1993, formula 14.15).
fn acceleration(values: &[f64], statistic: impl Fn(&[f64]) -> f64) -> Option<f64> {
    let mut rest = values[1..].to_vec();
    let mut left_out = vec![statistic(&rest)];
    for index in 0..rest.len() {
        rest[index] = values[index];
        left_out.push(statistic(&rest));
    }
    let mean = super::interval::mean(&left_out)?;
    let (squares, cubes) = left_out.iter().fold((0.0, 0.0), |(squares, cubes): (f64, f64), value| {
        let off = mean - value;
        (squares + off.powi(2), cubes + off.powi(3))
    });
    Some(if squares > 0.0 { cubes / (6.0 * squares.powf(1.5)) } else { 0.0 })
}

/// The normal deviate at which the end of a 95% interval over `n` draws is read.
pub(super) fn expanded(n: usize) -> Option<f64> {
    let n = n.max(2);
    Some((n as f64 / (n - 1) as f64).sqrt() * student_t(n - 1, 0.975)?)
}

pub(super) fn normal() -> Option<Normal> {
    Normal::new(0.0, 1.0).ok()
}
