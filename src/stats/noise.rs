//! How noisy a sample is, and what it could show at all.

use serde::{Deserialize, Serialize};

use super::interval::{mean, student_t};
use super::paired::Paired;
use super::quantile::{quantile, sorted};

/// The power with which the smallest detectable effect would be found.
const POWER: f64 = 0.90;

/// How noisy a sample is. The order of the values matters to `floor`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// Values far from the others.
    pub outliers: Outliers,
    /// The A/A noise floor, as a share: 95 of 100 comparisons of two identical arms over as many rounds
    /// show a smaller change than this. Unknown for fewer than three values and where one is not above 0.
    pub floor: Option<f64>,
}

/// Values outside Tukey's fences (Tukey 1977, "Exploratory data analysis"), on either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outliers {
    /// Between 1.5 and 3 interquartile ranges beyond the quartiles.
    pub mild: usize,
    /// Further out.
    pub severe: usize,
}

impl Noise {
    /// The noise of `values`, which stand in the order in which they were measured. Absent for an empty
    /// sample and where a value is not finite.
    pub fn of(values: &[f64]) -> Option<Self> {
        mean(values)?;
        Some(Self { outliers: Outliers::of(values)?, floor: floor(values) })
    }
}

impl Outliers {
    fn of(values: &[f64]) -> Option<Self> {
        let sorted = sorted(values);
        let (lower, upper) = (quantile(&sorted, 0.25)?, quantile(&sorted, 0.75)?);
        let range = upper - lower;
        let beyond = |fence: f64| {
            let outside = |value: &&f64| **value < lower - fence * range || **value > upper + fence * range;
            values.iter().filter(outside).count()
        };
        let severe = beyond(3.0);
        Some(Self { mild: beyond(1.5) - severe, severe })
    }
}

/// `exp(t(n - 1) · d / √n) - 1`, where `d²` is the mean square of the differences between the logarithms of
/// neighbours (von Neumann et al. 1941): the variance of the log ratio of two identical, independent arms.
/// Neighbours share most of what drifts, as the arms of one round do.
fn floor(values: &[f64]) -> Option<f64> {
    if values.len() < 3 || !values.iter().all(|&value| value > 0.0) {
        return None;
    }
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    let squares: Vec<f64> = logs.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).collect();
    let n = values.len();
    Some((student_t(n - 1, 0.975)? * (mean(&squares)? / n as f64).sqrt()).exp_m1())
}

/// The smallest effect that a comparison of this many pairs with this much noise finds in 90 of 100 runs, as
/// a share of the control: `1 - exp(-(t(0.975) + t(0.90)) · s / √n)` with n - 1 degrees of freedom, the
/// minimum detectable difference of the paired t test (Zar 2010, "Biostatistical analysis", chapter 7) on log
/// ratios, as a reduction. Absent where the quantiles are.
pub fn detectable(paired: &Paired) -> Option<f64> {
    let freedom = paired.n.checked_sub(1).filter(|&freedom| freedom > 0)?;
    let (two_sided, one_sided) = (student_t(freedom, 0.975)?, student_t(freedom, POWER)?);
    // The interval's half width is t(0.975)·s/√n.
    let half = (paired.ratio.high.ln() - paired.ratio.low.ln()) / 2.0;
    let effect = half * (1.0 + one_sided / two_sided);
    effect.is_finite().then(|| -(-effect).exp_m1())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_beyond_the_fences_is_an_outlier_and_beyond_the_outer_ones_a_severe_one() {
        // Given 1 to 9, whose quartiles are 3 and 7 even with two more values
        let mut values: Vec<f64> = (1..=9).map(f64::from).collect();
        assert_eq!(Noise::of(&values).unwrap().outliers, Outliers::default());
        // When one value lies 2 ranges beyond and another 10
        values.extend([17.0, 60.0]);
        // Then each is counted once
        assert_eq!(Noise::of(&values).unwrap().outliers, Outliers { mild: 1, severe: 1 });
    }

    #[test]
    fn values_without_spread_have_no_outliers_and_no_floor_to_speak_of() {
        let noise = Noise::of(&[5.0; 10]).unwrap();
        assert_eq!(noise, Noise { outliers: Outliers::default(), floor: Some(0.0) });
        assert_eq!(Noise::of(&[]), None);
        assert_eq!(Noise::of(&[1.0, f64::NAN]), None);
        assert_eq!(Noise::of(&[1.0, 0.0, 2.0]).unwrap().floor, None);
    }

    #[test]
    fn drift_does_not_raise_the_noise_floor() {
        let drifting: Vec<f64> = (0..50).map(|round| 100.0 * 1.01_f64.powi(round)).collect();
        let floor = Noise::of(&drifting).unwrap().floor.unwrap();
        assert!(floor < 0.004, "{floor}");
    }

    #[test]
    fn the_smallest_detectable_effect_is_the_textbooks() {
        // Given ten log ratios with a standard deviation of 0.283: t is 2.262 and 1.383
        let s = 0.283;
        let logs: Vec<f64> =
            (0..10).map(|i| s * 0.9_f64.sqrt() * if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let paired = Paired::of(&[1.0; 10], &logs.iter().map(|log| log.exp()).collect::<Vec<_>>()).unwrap();
        // Then the effect is 1 - exp(-(2.262 + 1.383) · 0.283 / √10)
        let expected = 1.0 - (-(2.262_157 + 1.383_029) * s / 10_f64.sqrt()).exp();
        assert!((detectable(&paired).unwrap() - expected).abs() < 1e-5, "{:?}", detectable(&paired));
    }
}
