//! What the statistics promise: known values, invariances, and intervals that cover as often as they say.

use llmlab::stats::{
    Bootstrap, Interval, Method, Paired, Summary, Trimmed, autocorrelation, between_runs, difference,
    gate_floor, holm, marked_below, mean_interval, proportion, quantile, ratio, samples_for, sorted,
};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal, StandardNormal};

const N: usize = 20;

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-9 * left.abs().max(right.abs()).max(1e-300)
}

/// The share of `rounds` seeded samples whose interval holds `truth`.
fn coverage(rounds: u64, truth: f64, interval: impl Fn(&mut ChaCha8Rng) -> Interval) -> f64 {
    let hits =
        (0..rounds).filter(|&seed| interval(&mut ChaCha8Rng::seed_from_u64(seed)).contains(truth)).count();
    hits as f64 / rounds as f64
}

fn draw(random: &mut ChaCha8Rng, spread: f64, n: usize) -> Vec<f64> {
    LogNormal::new(0.0, spread).expect("a spread that is finite").sample_iter(random).take(n).collect()
}

#[test]
fn percentiles_interpolate_linearly() {
    let values = [1.0, 2.0, 3.0, 4.0];
    assert_eq!(quantile(&values, 0.5), Some(2.5));
    assert!(close(quantile(&values, 0.95).unwrap(), 3.85));
    assert_eq!((quantile(&values, 0.0), quantile(&values, 1.0)), (Some(1.0), Some(4.0)));
    assert_eq!(quantile(&[7.0], 0.99), Some(7.0));
}

#[test]
fn there_is_no_quantile_of_nothing_or_outside_the_unit_interval() {
    assert_eq!(quantile(&[], 0.5), None);
    for q in [-0.1, 1.1, f64::NAN] {
        assert_eq!(quantile(&[1.0, 2.0], q), None);
    }
}

#[test]
fn a_percentile_needs_enough_values() {
    assert_eq!([0.5, 0.9, 0.95, 0.99].map(samples_for), [20, 100, 200, 1_000].map(Some));
    assert_eq!([0.9, 0.95, 0.99].map(marked_below), [10, 20, 100].map(Some));
    assert_eq!([0.9, 0.95, 0.99].map(gate_floor), [44, 90, 459].map(Some));
    assert_eq!([0.0, 1.0, f64::NAN].map(gate_floor), [None; 3]);
}

#[test]
fn a_summary_states_known_values() {
    let summary = Summary::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
    assert_eq!((summary.n, summary.mean, summary.min, summary.max), (8, 5.0, 2.0, 9.0));
    assert!(close(summary.stdev.unwrap(), (32.0_f64 / 7.0).sqrt()));
    assert!(close(summary.cv.unwrap(), (32.0_f64 / 7.0).sqrt() / 5.0));
    assert_eq!((summary.p50, summary.mad), (4.5, 0.5));
    let interval = summary.mean_interval.unwrap();
    assert!(interval.low < 5.0 && 5.0 < interval.high && interval.estimate == 5.0);
}

#[test]
fn a_summary_leaves_out_what_a_sample_cannot_say() {
    assert_eq!(Summary::of(&[]), None);
    assert_eq!(Summary::of(&[1.0, f64::NAN]), None);
    assert_eq!(Summary::of(&[1.0, f64::INFINITY]), None);
    let one = Summary::of(&[3.0]).unwrap();
    assert_eq!((one.mean, one.p99, one.mad), (3.0, 3.0, 0.0));
    assert_eq!((one.stdev, one.cv, one.lag1, one.mean_interval), (None, None, None, None));
}

#[test]
fn equal_values_have_no_spread_and_an_interval_of_no_width() {
    let summary = Summary::of(&[0.1; 30]).unwrap();
    assert_eq!((summary.mean, summary.stdev, summary.mad, summary.lag1), (0.1, Some(0.0), 0.0, None));
    assert_eq!(summary.mean_interval, Some(Interval { estimate: 0.1, low: 0.1, high: 0.1 }));
}

#[test]
fn a_long_sample_is_summarised_too() {
    let values = draw(&mut ChaCha8Rng::seed_from_u64(1), 0.5, 200_000);
    let summary = Summary::of(&values).unwrap();
    let (bootstrap, student) = (summary.mean_interval.unwrap(), mean_interval(&values).unwrap());
    assert!((bootstrap.width() / student.width() - 1.0).abs() < 0.1, "{bootstrap:?} {student:?}");
}

#[test]
fn a_summary_survives_json() {
    let summary = Summary::of(&[1.0, 2.0, 3.0]).unwrap();
    let json = serde_json::to_string(&summary).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);
}

#[test]
fn autocorrelation_tells_a_trend_from_an_alternation() {
    let trend: Vec<f64> = (0..50).map(f64::from).collect();
    let alternating: Vec<f64> = (0..50).map(|i| f64::from(i % 2)).collect();
    assert!(autocorrelation(&trend).unwrap() > 0.9);
    assert!(autocorrelation(&alternating).unwrap() < -0.9);
    assert_eq!(autocorrelation(&[1.0, 2.0]), None);
}

#[test]
fn students_interval_has_its_textbook_width() {
    // t(2) at 97.5% is 4.302653; the standard deviation of 1, 2, 3 is 1.
    let interval = mean_interval(&[1.0, 2.0, 3.0]).unwrap();
    assert!((interval.high - 2.0 - 4.302_653 / 3.0_f64.sqrt()).abs() < 1e-5, "{interval:?}");
    assert_eq!(mean_interval(&[1.0]), None);
}

#[test]
fn a_treatment_that_halves_every_pair_has_a_ratio_of_one_half() {
    let paired = Paired::of(&[100.0, 200.0, 400.0], &[50.0, 100.0, 200.0]).unwrap();
    assert_eq!(paired.n, 3);
    assert!([paired.ratio.estimate, paired.ratio.low, paired.ratio.high].iter().all(|&r| close(r, 0.5)));
    assert!(close(paired.difference.estimate, 350.0 / 3.0));
    assert!(paired.difference.low < paired.difference.estimate);
}

#[test]
fn pairs_without_noise_leave_no_doubt() {
    let paired = Paired::of(&[10.0; 5], &[9.0; 5]).unwrap();
    assert_eq!(paired.difference, Interval { estimate: 1.0, low: 1.0, high: 1.0 });
    assert_eq!(paired.ratio.width(), 0.0);
}

#[test]
fn no_comparison_without_pairs_or_of_values_that_are_not_costs() {
    assert_eq!(Paired::of(&[1.0], &[1.0]), None);
    assert_eq!(Paired::of(&[1.0, 2.0], &[1.0, 2.0, 3.0]), None);
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(Paired::of(&[1.0, 2.0], &[1.0, bad]), None);
    }
    assert_eq!(difference(&[1.0, 2.0], &[0.0, 1.0]).map(|d| d.estimate), Some(1.0));
}

#[test]
fn a_bootstrap_repeats_itself_with_its_seed() {
    let values = draw(&mut ChaCha8Rng::seed_from_u64(3), 0.5, N);
    let interval = |seed| Bootstrap::seeded(seed).interval(&values, mean).unwrap();
    assert_eq!(interval(7), interval(7));
    assert_ne!(interval(7), interval(8));
}

#[test]
fn a_bootstrap_says_nothing_where_nothing_is_known() {
    let bootstrap = Bootstrap::default();
    assert_eq!(bootstrap.interval(&[], mean), None);
    assert_eq!(bootstrap.interval(&[1.0], mean), None);
    assert_eq!(bootstrap.interval(&[1.0, f64::NAN], mean), None);
    assert_eq!(bootstrap.interval(&[1.0, 2.0], |_| f64::NAN), None);
    assert_eq!(Bootstrap { resamples: 0, ..bootstrap }.interval(&[1.0, 2.0], mean), None);
    let two = bootstrap.interval(&[1.0, 2.0], mean).unwrap();
    assert_eq!((two.low, two.high), (1.0, 2.0));
}

#[test]
fn the_interval_of_a_ratio_covers_as_often_as_it_says() {
    let covered = coverage(2_000, 0.8, |random| {
        let control = draw(random, 0.4, N);
        let noise = draw(random, 0.2, N);
        let treatment: Vec<f64> = control.iter().zip(&noise).map(|(c, noise)| c * 0.8 * noise).collect();
        ratio(&control, &treatment).unwrap()
    });
    assert!((0.92..=0.98).contains(&covered), "{covered}");
}

#[test]
fn the_interval_of_a_difference_covers_as_often_as_it_says() {
    let truth = 0.2 * 0.08_f64.exp();
    let covered = coverage(2_000, truth, |random| {
        let control = draw(random, 0.4, N);
        let treatment: Vec<f64> = draw(random, 0.4, N).iter().map(|value| value * 0.8).collect();
        difference(&control, &treatment).unwrap()
    });
    assert!((0.92..=0.98).contains(&covered), "{covered}");
}

#[test]
fn bootstrap_intervals_of_a_mean_cover_as_often_as_they_say() {
    let spread: f64 = 0.4;
    let truth = (spread * spread / 2.0).exp();
    for method in [Method::Percentile, Method::Bca] {
        let covered = coverage(1_000, truth, |random| {
            let bootstrap = Bootstrap { resamples: 1_000, method, ..Bootstrap::default() };
            bootstrap.interval(&draw(random, spread, N), mean).unwrap()
        });
        assert!((0.92..=0.98).contains(&covered), "{method:?} {covered}");
    }
}

#[test]
fn the_bootstrap_interval_of_a_median_covers_as_often_as_it_says() {
    let median = |values: &[f64]| quantile(&sorted(values), 0.5).unwrap();
    let covered = coverage(1_000, 1.0, |random| {
        let method = Method::Percentile;
        let bootstrap = Bootstrap { resamples: 500, method, ..Bootstrap::default() };
        bootstrap.interval(&draw(random, 0.4, N), median).unwrap()
    });
    assert!((0.92..=0.98).contains(&covered), "{covered}");
}

#[test]
fn blocks_cover_a_series_that_the_plain_bootstrap_does_not() {
    const LENGTH: usize = 400;
    let series = |random: &mut ChaCha8Rng| {
        let mut last = 0.0;
        let step = |noise: f64| {
            last = 0.6 * last + noise;
            last
        };
        StandardNormal.sample_iter(random).take(LENGTH).map(step).collect::<Vec<f64>>()
    };
    let of = |bootstrap: Bootstrap| {
        coverage(300, 0.0, |random| bootstrap.interval(&series(random), mean).unwrap())
    };
    let plain = Bootstrap { resamples: 400, method: Method::Percentile, ..Bootstrap::default() };
    let (alone, together) = (of(plain), of(Bootstrap { block: 25, ..plain }));
    let automatic = of(plain.blocks(LENGTH));
    assert!(alone < 0.75, "{alone}");
    assert!(automatic > alone + 0.1, "{automatic}");
    assert!((0.90..=0.98).contains(&together), "{together}");
}

fn costs(most: usize) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(1.0..1e9_f64, 2..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn quantiles_rise_and_stay_within_the_sample(
        values in costs(50),
        q in 0.0..=1.0_f64,
        r in 0.0..=1.0_f64,
    ) {
        let sorted = sorted(&values);
        let (low, high) = (quantile(&sorted, q.min(r)).unwrap(), quantile(&sorted, q.max(r)).unwrap());
        prop_assert!(low <= high);
        prop_assert!(sorted[0] <= low && high <= sorted[sorted.len() - 1]);
    }

    #[test]
    fn a_summary_scales_with_its_unit(values in costs(30)) {
        // A power of two scales exactly.
        let scaled: Vec<f64> = values.iter().map(|value| value * 1024.0).collect();
        let (plain, scaled) = (Summary::of(&values).unwrap(), Summary::of(&scaled).unwrap());
        prop_assert_eq!(plain.mean * 1024.0, scaled.mean);
        prop_assert_eq!(plain.mad * 1024.0, scaled.mad);
        prop_assert_eq!(plain.p95 * 1024.0, scaled.p95);
        prop_assert_eq!(plain.cv, scaled.cv);
        prop_assert_eq!(plain.lag1, scaled.lag1);
        let (plain, scaled) = (plain.mean_interval.unwrap(), scaled.mean_interval.unwrap());
        prop_assert!(close(plain.low * 1024.0, scaled.low) && close(plain.high * 1024.0, scaled.high));
    }

    #[test]
    fn a_ratio_knows_no_unit_and_turns_round(
        pairs in prop::collection::vec((1.0..1e3_f64, 1.0..1e3_f64), 2..30),
    ) {
        let (control, treatment): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let in_other_unit = |values: &[f64]| values.iter().map(|value| value * 1e6).collect::<Vec<f64>>();
        let plain = Paired::of(&control, &treatment).unwrap();
        let scaled = Paired::of(&in_other_unit(&control), &in_other_unit(&treatment)).unwrap();
        let turned = Paired::of(&treatment, &control).unwrap();
        prop_assert!((plain.ratio.estimate / scaled.ratio.estimate - 1.0).abs() < 1e-9);
        prop_assert!((plain.ratio.low.ln() - scaled.ratio.low.ln()).abs() < 1e-6);
        prop_assert!((plain.ratio.low.ln() + turned.ratio.high.ln()).abs() < 1e-6);
        prop_assert!((plain.difference.estimate + turned.difference.estimate).abs() < 1e-9);
        prop_assert!(plain.ratio.contains(plain.ratio.estimate));
        prop_assert!(plain.difference.contains(plain.difference.estimate));
    }

    #[test]
    fn a_summary_is_ordered(values in costs(60)) {
        let s = Summary::of(&values).unwrap();
        prop_assert!([s.min, s.p50, s.p95, s.p99, s.max].is_sorted());
        prop_assert!(s.min <= s.mean && s.mean <= s.max);
        prop_assert!(s.lag1.is_none_or(|lag1| lag1.abs() <= 1.0 + 1e-12));
        let interval = s.mean_interval.unwrap();
        prop_assert!(s.min <= interval.low && interval.low <= interval.high && interval.high <= s.max);
    }
}

#[test]
fn holm_rejects_step_by_step() {
    // The example of Holm's paper, by hand: 0.005·4, 0.011·3, 0.02·2, 0.04·1
    let adjusted = holm(&[0.04, 0.005, 0.02, 0.011]);
    for (adjusted, by_hand) in adjusted.iter().zip([0.04, 0.02, 0.04, 0.033]) {
        assert!(close(*adjusted, by_hand), "{adjusted} for {by_hand}");
    }
    assert!(holm(&[]).is_empty());
    assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
}

#[test]
fn a_trimmed_mean_is_that_of_the_middle() {
    // One of ten is cut at either end; winsorised, the values are 2 2 3 4 5 6 7 8 9 9
    let trimmed = Trimmed::of(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 1e9]).unwrap();
    assert!(close(trimmed.mean, 5.5) && trimmed.freedom == 7.0 && trimmed.n == 10, "{trimmed:?}");
    // Squares about 5.5: 2·(12.25 + 12.25) + 6.25 + 2.25 + 0.25 + 0.25 + 2.25 + 6.25 = 66.5
    assert!(close(trimmed.variance, 66.5 / (8.0 * 7.0)), "{trimmed:?}");
    assert_eq!([&[][..], &[1.0], &[1.0, f64::NAN]].map(|values| Trimmed::of(values).is_none()), [true; 3]);
}

#[test]
fn a_trimmed_mean_is_as_sure_as_it_says() {
    // Given samples of 20 with one value in twenty several times larger
    let mut outside = 0;
    for seed in 0..2_000 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let values: Vec<f64> = (0..20)
            .map(|_| {
                let value: f64 = StandardNormal.sample(&mut random);
                if random.random_bool(0.05) { 5.0 * value } else { value }
            })
            .collect();
        // When the interval is Student's, with its degrees of freedom (2.131 for 15)
        let trimmed = Trimmed::of(&values).unwrap();
        assert_eq!(trimmed.freedom, 15.0);
        outside += usize::from(trimmed.mean.abs() > 2.131 * trimmed.variance.sqrt());
    }
    // Then about one in twenty misses
    assert!((60..=140).contains(&outside), "{outside} of 2000");
}

#[test]
fn what_differs_between_runs_is_found() {
    let runs = |sd: f64| {
        let mut random = ChaCha8Rng::seed_from_u64(11);
        let mut draw = |sd: f64| {
            let value: f64 = StandardNormal.sample(&mut random);
            sd * value
        };
        let mut run = || {
            let level = draw(sd);
            let values: Vec<f64> = (0..50).map(|_| level + draw(0.2)).collect();
            Trimmed::of(&values).unwrap()
        };
        (0..60).map(|_| (0..4).map(|_| run()).collect()).collect::<Vec<Vec<_>>>()
    };
    // 60 benchmarks of four runs find a spread of 5% between runs beside one of 20% within them
    let (variance, freedom) = between_runs(&runs(0.05)).unwrap();
    assert!((0.04..0.06).contains(&variance.sqrt()), "{}", variance.sqrt());
    assert!((60.0..180.0).contains(&freedom), "{freedom}");
    // Where there is none, little is found
    assert!(between_runs(&runs(0.0)).unwrap().0.sqrt() < 0.015);
    // And one run says nothing of it
    assert!(between_runs(&[runs(0.0)[0][..1].to_vec()]).is_none());
}

proptest! {
    #[test]
    fn adjusting_never_makes_a_test_surer(p in prop::collection::vec(0.0..1.0_f64, 1..40)) {
        let adjusted = holm(&p);
        for (adjusted, p) in adjusted.iter().zip(&p) {
            prop_assert!(adjusted >= p && *adjusted <= 1.0 && *adjusted <= p * 40.0);
        }
    }

    #[test]
    fn a_trimmed_mean_moves_and_scales_with_its_values(
        values in prop::collection::vec(-100.0..100.0_f64, 2..60), shift in -50.0..50.0_f64, scale in 0.1..10.0_f64,
    ) {
        let (before, after) = (
            Trimmed::of(&values).unwrap(),
            Trimmed::of(&values.iter().map(|value| value * scale + shift).collect::<Vec<_>>()).unwrap(),
        );
        prop_assert!((after.mean - (before.mean * scale + shift)).abs() < 1e-6);
        prop_assert!((after.variance - before.variance * scale * scale).abs() < 1e-6 * (1.0 + after.variance));
    }
}

#[test]
fn a_share_has_the_interval_that_wilson_gives_it() {
    // (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n) by hand
    let share = proportion(3, 120).unwrap();
    assert!((share.low - 0.008_538).abs() < 1e-5 && (share.high - 0.070_930).abs() < 1e-5, "{share:?}");
    assert_eq!(proportion(0, 10).unwrap().low, 0.0);
    assert_eq!(proportion(10, 10).unwrap().high, 1.0);
    assert_eq!((proportion(0, 0), proportion(2, 1)), (None, None));
}
