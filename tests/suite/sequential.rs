//! Early stopping keeps its promise: pure numbers, fixed seeds, no clock.

use llmlab::stats::{Moments, Sequence, half_width, log_ratios};
use llmlab::verdict::{Judgement, Rule, Verdict};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal, Normal};

const SEEDS: u64 = 1_000;
const MOST_ROUNDS: usize = 200;
/// The standard deviation of each arm's log latency; that of the log ratio is 0.283.
const NOISE: f64 = 0.2;

/// A run that looks after every round and stops at the first verdict.
fn run(seed: u64, ratio: f64) -> Judgement {
    let (control, arm) = arms(seed, ratio);
    Rule::anytime(Rule::DEFAULT_MARGIN).judge(&control, &arm)
}

fn arms(seed: u64, ratio: f64) -> (Vec<f64>, Vec<f64>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let noise = LogNormal::new(0.0, NOISE).expect("a finite spread");
    let mut draw = |scale: f64| (0..MOST_ROUNDS).map(|_| scale * noise.sample(&mut random)).collect();
    (draw(100.0), draw(100.0 * ratio))
}

/// Shows a measured figure to whoever asks with `--nocapture`.
#[expect(clippy::print_stdout, reason = "the figures behind a published promise")]
fn measured(text: &str) {
    println!("{text}");
}

fn share(of: impl Fn(u64) -> bool) -> f64 {
    (0..SEEDS).filter(|&seed| of(seed)).count() as f64 / SEEDS as f64
}

fn mean_rounds(judged: impl Iterator<Item = Judgement>) -> f64 {
    let rounds: Moments = judged.map(|judgement| judgement.rounds as f64).collect();
    rounds.mean()
}

/// Whether someone who looks at Student's interval after every round from the fifth on ever sees it exclude 1.
fn naive_finds(seed: u64, quantiles: &[f64]) -> bool {
    let (control, arm) = arms(seed, 1.0);
    let logs = log_ratios(&control, &arm).expect("costs");
    let mut moments = Moments::default();
    logs.into_iter().any(|log| {
        moments = moments.and(log);
        let half = moments.stdev().unwrap_or(f64::NAN) * quantiles[moments.n()];
        moments.n() >= 5 && moments.mean().abs() > half
    })
}

#[test]
fn two_equal_arms_are_called_different_in_at_most_4_of_100_runs_and_naive_peeking_in_30() {
    // Given A/A pairs, When one looks after every round
    let wrong = |seed| matches!(run(seed, 1.0).verdict, Verdict::Faster | Verdict::Slower);
    let quantiles: Vec<_> = (0..=MOST_ROUNDS).map(|n| half_width(n, 1.0).unwrap_or(f64::NAN)).collect();
    let (ours, naive) = (share(wrong), share(|seed| naive_finds(seed, &quantiles)));
    // Then the sequence keeps its promise and Student's interval would not
    measured(&format!("A/A over {SEEDS} seeds: sequence {ours:.3}, naive {naive:.3}"));
    assert!(ours <= 0.04, "{ours}");
    assert!((0.25..0.45).contains(&naive), "{naive}");
}

#[test]
fn a_gain_of_30_percent_is_decided_after_10_to_13_rounds_and_surely() {
    let runs: Vec<_> = (0..SEEDS).map(|seed| run(seed, 0.7)).collect();
    let faster = runs.iter().filter(|run| run.verdict == Verdict::Faster).count();
    let rounds = mean_rounds(runs.into_iter());
    measured(&format!("ratio 0.7 over {SEEDS} seeds: {rounds:.2} rounds on average, faster in {faster}"));
    assert!((10.0..=13.0).contains(&rounds), "{rounds}");
    assert!(faster >= 998, "{faster}");
}

#[test]
fn a_loss_is_found_as_soon_as_a_gain() {
    let runs: Vec<_> = (0..SEEDS).map(|seed| run(seed, 1.0 / 0.7)).collect();
    assert!(runs.iter().filter(|run| run.verdict == Verdict::Slower).count() >= 998);
    let rounds = mean_rounds(runs.into_iter());
    assert!((10.0..=13.0).contains(&rounds), "{rounds}");
}

#[test]
fn equal_arms_are_shown_to_differ_by_no_more_than_the_margin() {
    let runs: Vec<_> = (0..SEEDS).map(|seed| run(seed, 1.0)).collect();
    let same = runs
        .iter()
        .filter(|run| matches!(run.verdict, Verdict::NoDifferenceLargerThan { margin } if margin == 0.1));
    let share = same.count() as f64 / SEEDS as f64;
    measured(&format!(
        "A/A: no difference larger than 10% in {share:.3}, after {:.0} rounds",
        mean_rounds(runs.into_iter())
    ));
    assert!(share > 0.8, "{share}");
}

#[test]
fn a_difference_beyond_the_margin_is_called_none_in_at_most_4_of_100_runs() {
    let share = share(|seed| matches!(run(seed, 0.9).verdict, Verdict::NoDifferenceLargerThan { .. }));
    assert!(share <= 0.04, "{share}");
}

#[test]
fn all_intervals_of_a_sequence_hold_the_mean_at_once_in_96_of_100_runs() {
    let normal = Normal::new(3.0, 2.0).expect("a finite spread");
    let left = |seed: u64| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut moments = Moments::default();
        (0..1_000).any(|_| {
            moments = moments.and(normal.sample(&mut random));
            Sequence::default().interval(&moments).is_some_and(|interval| !interval.contains(3.0))
        })
    };
    let missed = share(left);
    measured(&format!("1,000 looks over {SEEDS} seeds: the mean was outside once in {missed:.3}"));
    assert!(missed <= 0.04 && missed > 0.005, "{missed}");
}

#[test]
fn the_interval_that_decided_is_the_one_that_is_reported() {
    // Given a gain that twelve rounds show and the next hundred take back
    let (control, mut arm) = arms(3, 0.5);
    let rule = Rule::anytime(0.1);
    let decided = rule.judge(&control, &arm);
    arm[decided.rounds..].fill(200.0);
    // Then the judgement stands
    assert_eq!(rule.judge(&control, &arm), decided);
    assert!(decided.ratio.is_some_and(|ratio| ratio.high < 1.0));
}

#[test]
fn too_few_rounds_decide_nothing_and_say_how_many_would_do() {
    let verdict =
        |n: usize, rule: Rule| rule.judge(&[100.0, 90.0, 110.0][..n], &[50.0, 52.0, 49.0][..n]).verdict;
    for rule in [Rule::anytime(0.1), Rule::fixed(0.1)] {
        assert!(matches!(verdict(3, rule), Verdict::NotEnoughData { more_rounds: Some(2..=10) }), "{rule:?}");
        assert_eq!(verdict(1, rule), Verdict::NotEnoughData { more_rounds: None });
        assert_eq!(verdict(0, rule), Verdict::NotEnoughData { more_rounds: None });
    }
}

#[test]
fn pairs_without_noise_are_decided_at_five_rounds() {
    let verdict = |arm: f64| Rule::anytime(0.1).judge(&[100.0; 5], &[arm; 5]).verdict;
    assert_eq!(verdict(80.0), Verdict::Faster);
    assert_eq!(verdict(130.0), Verdict::Slower);
    assert_eq!(verdict(95.0), Verdict::NoDifferenceLargerThan { margin: 0.1 });
}

#[test]
fn about_as_many_more_rounds_do_as_were_said_to() {
    // Given ten rounds of noise that decide nothing
    let logs = |n: usize| {
        (0..n).map(|i| (-0.05 + if i % 2 == 0 { 0.2 } else { -0.2_f64 }).exp()).collect::<Vec<_>>()
    };
    let rule = Rule::anytime(0.1);
    let Verdict::NotEnoughData { more_rounds: Some(more) } = rule.judge(&[1.0; 10], &logs(10)).verdict else {
        panic!("ten rounds decide nothing")
    };
    // When as many more come with the same mean and spread
    let n = 10 + more as usize + 2;
    // Then they decide
    assert!(rule.judge(&vec![1.0; n], &logs(n)).is_decided(), "{more}");
}
