//! Intervals that stay valid however often one looks.

use super::interval::{Interval, finite};

/// The count, the mean and the spread of values that come one by one.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moments {
    n: usize,
    mean: f64,
    /// The sum of squared deviations from the mean.
    squares: f64,
}

impl Moments {
    /// Takes one more value (Welford 1962).
    #[must_use]
    pub fn and(self, value: f64) -> Self {
        let n = self.n + 1;
        let off = value - self.mean;
        let mean = self.mean + off / n as f64;
        Self { n, mean, squares: self.squares + off * (value - mean) }
    }

    /// How many values.
    pub fn n(&self) -> usize {
        self.n
    }

    /// The arithmetic mean; 0 of nothing.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The standard deviation with divisor `n - 1`; unknown for fewer than two values.
    pub fn stdev(&self) -> Option<f64> {
        let freedom = self.n.checked_sub(1).filter(|&freedom| freedom > 0)?;
        Some((self.squares / freedom as f64).sqrt())
    }
}

impl FromIterator<f64> for Moments {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        values.into_iter().fold(Self::default(), Self::and)
    }
}

/// A confidence sequence for the mean of normal values of unknown variance: with probability `1 - alpha` all
/// of its intervals hold the mean at once, so that one may look after every value and stop when one likes.
///
/// Theorem 4.9 of Wang & Ramdas, "Anytime-valid t-tests and confidence sequences for Gaussian means with
/// unknown variance" (Sequential Analysis 44, 2025; arXiv 2310.03722): the likelihood ratio of what does not
/// depend on the scale, mixed over standardised means drawn from a normal distribution of variance `1 / c²`,
/// is a test martingale,
///
/// `G = √(c² / (n + c²)) · ((1 + t² / (n - 1)) / (1 + c² / (n + c²) · t² / (n - 1)))^(n / 2)`,
///
/// and by Ville's inequality it ever reaches `1 / alpha` with probability `alpha` at most. The interval is the
/// set of means at which it has not. It takes the values to be normal and independent, as the t interval does;
/// log ratios are nearer to that than latencies are. It is unbounded, and absent here, while n is very small.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sequence {
    alpha: f64,
    precision: f64,
}

impl Default for Sequence {
    /// `alpha` is 0.04 and `c²` is 1. At that precision five values can already decide, and the interval is
    /// tight where it matters: a ratio of 0.7 between arms with lognormal noise of 0.2 each, a standardised
    /// mean of 1.26, is told from 1 after 10.7 pairs on average. From 0.25 to 3 that number differs by 1.5
    /// at most; above, small samples suffer, below, large ones.
    fn default() -> Self {
        Self { alpha: 0.04, precision: 1.0 }
    }
}

impl Sequence {
    /// The least share of sequences all of whose intervals hold the mean.
    pub fn confidence(&self) -> f64 {
        1.0 - self.alpha
    }

    /// The interval after these values. Absent while it is unbounded, and where a value is not finite.
    ///
    /// ```
    /// use llmlab::stats::Sequence;
    ///
    /// let values = [0.9, 1.1, 1.0, 1.2, 0.8, 1.0];
    /// let interval = Sequence::default().interval(&values.into_iter().collect()).expect("six values will do");
    /// assert!(interval.low > 0.3 && interval.high < 1.7);
    /// ```
    pub fn interval(&self, values: &Moments) -> Option<Interval> {
        let half = self.half_width(values.n(), values.stdev()?)?;
        let mean = values.mean();
        finite(Interval { estimate: mean, low: mean - half, high: mean + half })
    }

    /// The half width of the interval after `n` values with that standard deviation; absent while it is
    /// unbounded.
    pub fn half_width(&self, n: usize, stdev: f64) -> Option<f64> {
        let count = n as f64;
        let share = self.precision / (count + self.precision);
        // (1 + y) / (1 + share·y) = bound, solved for y = t² / (n - 1).
        let bound = (self.alpha * self.alpha * share).powf(-1.0 / count);
        let rest = 1.0 - share * bound;
        (n > 1 && rest > 0.0).then(|| stdev * ((bound - 1.0) / rest * (count - 1.0) / count).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_where_the_martingale_reaches_its_bound() {
        // Given the ends of an interval
        let (n, stdev) = (12, 0.283);
        let half = Sequence::default().half_width(n, stdev).unwrap();
        // When the martingale of the theorem is evaluated there
        let (n, share) = (n as f64, 1.0 / 13.0);
        let y = (half / stdev).powi(2) * n / (n - 1.0);
        let martingale = f64::sqrt(share) * ((1.0 + y) / (1.0 + share * y)).powf(n / 2.0);
        // Then it is 1 / alpha
        assert!((martingale - 25.0).abs() < 1e-9, "{martingale}");
    }

    #[test]
    fn the_interval_narrows_and_is_unbounded_before_the_fifth_value() {
        let widths: Vec<_> = (0..500).map(|n| Sequence::default().half_width(n, 1.0)).collect();
        assert!(widths[..5].iter().all(Option::is_none) && widths[5..].iter().all(Option::is_some));
        assert!(widths[5..].is_sorted_by(|wider, narrower| wider > narrower));
    }

    #[test]
    fn moments_are_those_of_the_values() {
        let moments: Moments = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0].into_iter().collect();
        assert_eq!((moments.n(), moments.mean()), (8, 5.0));
        assert!((moments.stdev().unwrap() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!(Moments::default().and(1.0).stdev(), None);
        let flat: Moments = [0.1; 9].into_iter().collect();
        assert_eq!(flat.stdev(), Some(0.0));
    }
}
