//! Do two samples that were not measured together have the same mean?

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::interval::{mean, stdev};

/// The two-sided p-value of Welch's test (1947) for equal means, whatever the variances.
///
/// Absent for fewer than two values on a side, and where a value is not finite. Samples without any spread differ
/// surely or not at all.
///
/// ```
/// use llmlab::stats::welch;
/// assert!(welch(&[1.0, 1.1, 0.9], &[2.0, 2.1, 1.9]).unwrap() < 0.001);
/// assert_eq!(welch(&[1.0, 1.0], &[1.0, 1.0]), Some(1.0));
/// assert_eq!(welch(&[1.0], &[1.0, 2.0]), None);
/// ```
pub fn welch(a: &[f64], b: &[f64]) -> Option<f64> {
    let difference = mean(a)? - mean(b)?;
    let error =
        |values: &[f64]| Some((stdev(values)?.powi(2) / values.len() as f64, values.len() as f64 - 1.0));
    let ((of_a, freedom_a), (of_b, freedom_b)) = (error(a)?, error(b)?);
    let variance = of_a + of_b;
    if variance == 0.0 {
        return Some(if difference == 0.0 { 1.0 } else { 0.0 });
    }
    // Welch and Satterthwaite.
    let freedom = variance.powi(2) / (of_a.powi(2) / freedom_a + of_b.powi(2) / freedom_b);
    let t = StudentsT::new(0.0, 1.0, freedom).ok()?;
    Some(2.0 * t.cdf(-(difference / variance.sqrt()).abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_example_is_reproduced() {
        // Welch's test of R's `sleep` data (Student 1908): t = -1.8608, df = 17.776, p = 0.07939.
        let first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let p = welch(&first, &second).unwrap();
        assert!((p - 0.07939).abs() < 5e-6, "{p}");
        assert_eq!(welch(&second, &first), Some(p));
    }
}
