//! What pairs of numbers have to do with each other.

use serde::{Deserialize, Serialize};

use super::interval::{Interval, finite, mean, student_t};

/// The straight line `y = intercept + slope·x` of least squares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The value at `x = 0`.
    pub intercept: Interval,
    /// The change for each unit of `x`.
    pub slope: Interval,
    /// The share of the variance of `y` that the line explains; 1 is all of it.
    pub r_squared: f64,
    /// How many pairs.
    pub n: usize,
}

impl Line {
    /// The line through pairs of `x` and `y`, with Student's 95% intervals, which take the deviations from the line to
    /// be independent and of one size. Absent for fewer than three pairs, for a single `x`, and where a number is not
    /// finite.
    pub fn fit(points: &[(f64, f64)]) -> Option<Self> {
        let freedom = points.len().checked_sub(2).filter(|&freedom| freedom > 0)?;
        let moments = Moments::of(points).filter(|moments| moments.xx > 0.0)?;
        let slope = moments.xy / moments.xx;
        let intercept = moments.y - slope * moments.x;
        let residual: f64 = points.iter().map(|(x, y)| (y - intercept - slope * x).powi(2)).sum();
        let error = (residual / freedom as f64).sqrt();
        let t = student_t(freedom, 0.975)?;
        let around = |estimate: f64, scale: f64| {
            let half = t * error * scale;
            finite(Interval { estimate, low: estimate - half, high: estimate + half })
        };
        let n = points.len() as f64;
        Some(Self {
            intercept: around(intercept, (1.0 / n + moments.x.powi(2) / moments.xx).sqrt())?,
            slope: around(slope, 1.0 / moments.xx.sqrt())?,
            r_squared: if moments.yy > 0.0 { 1.0 - residual / moments.yy } else { 1.0 },
            n: points.len(),
        })
    }
}

/// Pearson's correlation of pairs, in -1..=1. Absent for fewer than two pairs, where either side has no spread, and
/// where a number is not finite.
pub fn correlation(points: &[(f64, f64)]) -> Option<f64> {
    let moments = Moments::of(points)?;
    let r = moments.xy / (moments.xx * moments.yy).sqrt();
    // Rounding may put a perfect correlation a hair beyond 1.
    r.is_finite().then(|| r.clamp(-1.0, 1.0))
}

/// Means, and sums of products of the deviations from them.
struct Moments {
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    yy: f64,
}

impl Moments {
    fn of(points: &[(f64, f64)]) -> Option<Self> {
        let (xs, ys): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
        let (x, y) = (mean(&xs)?, mean(&ys)?);
        let sum = |of: &dyn Fn(f64, f64) -> f64| points.iter().map(|&(px, py)| of(px - x, py - y)).sum();
        Some(Self { x, y, xx: sum(&|x, _| x * x), xy: sum(&|x, y| x * y), yy: sum(&|_, y| y * y) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_again_and_its_intervals_hold_it() {
        let noise = [0.4, -0.3, -0.5, 0.6, 0.1, -0.3];
        let points: Vec<_> =
            (1..).zip(noise).map(|(x, e)| (f64::from(x), 200.0 + 20.0 * f64::from(x) + e)).collect();
        let line = Line::fit(&points).unwrap();
        assert!(line.intercept.contains(200.0) && line.slope.contains(20.0), "{line:?}");
        assert!(line.r_squared > 0.999 && line.intercept.width() < 3.0, "{line:?}");
        assert!((line.slope.estimate - 19.965_714_3).abs() < 1e-6, "{line:?}");
    }

    #[test]
    fn two_points_or_one_place_have_no_line() {
        assert_eq!(Line::fit(&[(1.0, 1.0), (2.0, 2.0)]), None);
        assert_eq!(Line::fit(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]), None);
    }

    #[test]
    fn the_correlation_is_that_of_pythons_statistics_module() {
        let points = [(1.0, 2.0), (2.0, 1.0), (3.0, 4.0), (4.0, 3.0)];
        assert!((correlation(&points).unwrap() - 0.6).abs() < 1e-12);
        assert_eq!(correlation(&[(1.0, 5.0), (2.0, 10.0), (3.0, 15.0)]), Some(1.0));
        assert_eq!(correlation(&[(1.0, 2.0), (2.0, 2.0)]), None);
    }
}
