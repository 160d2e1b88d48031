//! What differs between two samples that were not measured together.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution};

use super::bootstrap::{expanded, normal};
use super::interval::{Interval, finite};
use super::quantile::{quantile, sorted};

/// Resamples of each sample.
const RESAMPLES: usize = 4_000;

/// The quantile `q` of `current` divided by that of `baseline`, with a 95% interval: below 1 the current
/// values are lower.
///
/// The samples are independent and may differ in size: each is resampled on its own (the percentile bootstrap,
/// Efron 1979), and the ends are read at the expanded levels of
/// [`Bootstrap`](super::Bootstrap) for the smaller sample. A quantile near the end of a small sample has
/// too narrow an interval: ask [`gate_floor`](super::gate_floor) first.
///
/// Absent for fewer than two values on a side, and where a value is not finite or not above 0.
pub fn quantile_ratio(baseline: &[f64], current: &[f64], q: f64, seed: u64) -> Option<Interval> {
    let is_cost = |&value: &f64| value.is_finite() && value > 0.0;
    let smaller = baseline.len().min(current.len());
    if smaller < 2 || !baseline.iter().chain(current).all(is_cost) {
        return None;
    }
    let (baseline, current) = (Resampled::of(baseline, q)?, Resampled::of(current, q)?);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut ratio = || current.draw(&mut random) / baseline.draw(&mut random);
    let ratios = sorted(&(0..RESAMPLES).map(|_| ratio()).collect::<Vec<_>>());
    let (z, normal) = (expanded(smaller)?, normal()?);
    let end = |z: f64| quantile(&ratios, statrs::distribution::ContinuousCDF::cdf(&normal, z));
    finite(Interval { estimate: current.estimate / baseline.estimate, low: end(-z)?, high: end(z)? })
}

/// A sample from which the bootstrap distribution of one quantile is drawn without drawing the resamples:
/// the k-th smallest of `n` uniform positions has a Beta(k, n - k + 1) distribution.
struct Resampled {
    sorted: Vec<f64>,
    estimate: f64,
    order: Beta<f64>,
    /// How many positions lie above the k-th smallest.
    above: f64,
    /// How far the quantile lies on the way to the next.
    fraction: f64,
}

impl Resampled {
    fn of(values: &[f64], q: f64) -> Option<Self> {
        let sorted = sorted(values);
        let estimate = quantile(&sorted, q)?;
        let (n, position) = (sorted.len() as f64, (sorted.len() - 1) as f64 * q);
        let (rank, fraction) = (position.floor() + 1.0, position.fract());
        let order = Beta::new(rank, n - rank + 1.0).ok()?;
        Some(Self { sorted, estimate, order, above: n - rank, fraction })
    }

    fn draw(&self, random: &mut ChaCha8Rng) -> f64 {
        let last = self.sorted.len() - 1;
        let value = |position: f64| self.sorted[last.min((position * self.sorted.len() as f64) as usize)];
        let position = self.order.sample(random);
        let lower = value(position);
        if self.fraction == 0.0 {
            return lower;
        }
        // The least of those above is the next in order.
        let next = 1.0 - random.random::<f64>().powf(1.0 / self.above);
        lower + self.fraction * (value(position + (1.0 - position) * next) - lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_distr::LogNormal;

    fn draw(seed: u64, scale: f64, n: usize) -> Vec<f64> {
        let noise = LogNormal::new(scale.ln(), 0.3).unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        (0..n).map(|_| noise.sample(&mut random)).collect()
    }

    fn coverage(q: f64, n: usize) -> f64 {
        let covers = |seed: &u64| {
            let (baseline, current) = (draw(2 * seed, 100.0, n), draw(2 * seed + 1, 120.0, n + 5));
            quantile_ratio(&baseline, &current, q, *seed).unwrap().contains(1.2)
        };
        (0..1_000).filter(covers).count() as f64 / 1_000.0
    }

    #[test]
    fn an_interval_covers_the_truth_as_often_as_it_says() {
        for (q, n) in [(0.5, 20), (0.5, 100), (0.9, 44), (0.95, 90)] {
            let share = coverage(q, n);
            assert!((0.935..=0.985).contains(&share), "p{}: {share} of {n}", q * 100.0);
        }
    }

    #[test]
    fn the_estimate_is_the_ratio_of_the_quantiles() {
        let (baseline, current) = (draw(1, 100.0, 40), draw(2, 100.0, 50));
        let p90 = |values: &[f64]| quantile(&sorted(values), 0.9).unwrap();
        let ratio = quantile_ratio(&baseline, &current, 0.9, 7).unwrap();
        assert_eq!(ratio.estimate, p90(&current) / p90(&baseline));
        assert!(ratio.contains(ratio.estimate));
    }

    #[test]
    fn values_without_spread_give_an_interval_of_no_width() {
        let ratio = quantile_ratio(&[2.0; 9], &[3.0; 7], 0.95, 1).unwrap();
        assert_eq!(ratio, Interval { estimate: 1.5, low: 1.5, high: 1.5 });
    }

    #[test]
    fn there_is_no_ratio_of_too_few_or_of_values_that_are_no_cost() {
        assert_eq!(quantile_ratio(&[1.0], &[1.0, 2.0], 0.5, 1), None);
        assert_eq!(quantile_ratio(&[1.0, 0.0], &[1.0, 2.0], 0.5, 1), None);
        assert_eq!(quantile_ratio(&[1.0, f64::INFINITY], &[1.0, 2.0], 0.5, 1), None);
    }
}
