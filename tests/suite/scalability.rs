//! What the laws of throughput promise.

use llmlab::stats::{Scalability, amdahl, knee, little};
use proptest::prelude::*;

/// A published concurrency sweep of a local model: workers and requests a second.
const SWEEP: [(f64, f64); 6] =
    [(1.0, 5.23), (2.0, 10.15), (5.0, 22.45), (10.0, 38.20), (20.0, 45.30), (50.0, 42.10)];

fn law(lambda: f64, sigma: f64, kappa: f64) -> Scalability {
    Scalability { lambda, sigma, kappa, r_squared: 1.0 }
}

fn measured(law: &Scalability, levels: &[f64]) -> Vec<(f64, f64)> {
    levels.iter().map(|&n| (n, law.throughput(n))).collect()
}

#[test]
fn a_published_sweep_peaks_at_26_workers_and_47_requests_a_second() {
    let fit = Scalability::fit(&SWEEP).unwrap();
    let within = |value: f64, expected: f64, digits: f64| (value - expected).abs() < digits / 2.0 * 1.01;
    assert!(within(fit.lambda, 5.64, 0.01), "{fit:?}");
    assert!(within(fit.sigma, 0.047, 0.001) && within(fit.kappa, 0.0014, 0.0001), "{fit:?}");
    assert!(within(fit.peak().unwrap(), 26.0, 1.0) && within(fit.limit().unwrap(), 47.4, 0.1), "{fit:?}");
    assert!(fit.r_squared > 0.99);
    assert_eq!(knee(&SWEEP, 0.95), Some((20.0, 45.30)));
}

#[test]
fn what_is_linear_has_no_limit_and_contention_sets_one() {
    let levels = [1.0, 2.0, 4.0, 8.0];
    let linear = Scalability::fit(&measured(&law(3.0, 0.0, 0.0), &levels)).unwrap();
    let far = |x: Option<f64>| x.is_none_or(|x| x > 1e6);
    assert!(far(linear.peak()) && far(linear.limit()), "{linear:?}");
    let nearing = Scalability::fit(&measured(&law(3.0, 0.5, 0.0), &levels)).unwrap();
    assert!((nearing.limit().unwrap() - 6.0).abs() < 0.01, "{nearing:?}");
}

#[test]
fn a_law_needs_three_levels_and_positive_numbers() {
    assert_eq!(Scalability::fit(&[(1.0, 2.0), (2.0, 3.0), (2.0, 3.1)]), None);
    for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(Scalability::fit(&[(1.0, 2.0), (2.0, 3.0), (3.0, wrong)]), None);
        assert_eq!(Scalability::fit(&[(wrong, 2.0), (2.0, 3.0), (3.0, 4.0)]), None);
    }
    assert_eq!(knee(&[], 0.95), None);
}

#[test]
fn the_laws_of_little_and_amdahl_give_their_textbook_values() {
    assert!((little(38.2, 0.26) - 9.932).abs() < 1e-9);
    assert!((amdahl(0.95, 20.0) - 10.256).abs() < 1e-3);
    assert_eq!((amdahl(1.0, 5.0), amdahl(0.0, 5.0)), (5.0, 1.0));
}

proptest! {
    #[test]
    fn a_fit_recovers_the_law_that_made_the_figures(
        lambda in 0.01..1e4_f64,
        sigma in 0.0..0.9_f64,
        kappa in 0.0..0.05_f64,
    ) {
        let levels = measured(&law(lambda, sigma, kappa), &[1.0, 2.0, 4.0, 5.0, 6.0, 8.0, 10.0, 20.0, 50.0]);
        let fit = Scalability::fit(&levels).unwrap();
        prop_assert!((fit.lambda / lambda - 1.0).abs() < 1e-3, "{fit:?}");
        prop_assert!((fit.sigma - sigma).abs() < 1e-3 && (fit.kappa - kappa).abs() < 1e-4, "{fit:?}");
    }

    #[test]
    fn a_fit_has_no_negative_parameter_and_never_panics(
        throughputs in prop::collection::vec(1e-3..1e3_f64, 3..9),
    ) {
        let levels: Vec<_> = throughputs.iter().enumerate().map(|(n, x)| (n as f64 + 1.0, *x)).collect();
        if let Some(fit) = Scalability::fit(&levels) {
            prop_assert!(fit.lambda > 0.0 && fit.sigma >= 0.0 && fit.kappa >= 0.0, "{fit:?}");
            prop_assert!(fit.r_squared <= 1.0);
        }
    }
}
