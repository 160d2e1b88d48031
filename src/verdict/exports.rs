//! Whether a later exported result is slower than an earlier one: a quantile, its change, and what that says.

use serde::Serialize;
use thiserror::Error;

use super::samples::{Quantile, Samples};
use crate::stats::{self, Interval};

/// The seed of the bootstrap: the same two files always get the same verdict.
const SEED: u64 = 0x6761_7465;

/// What the change of a quantile says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "level", rename_all = "lowercase")]
pub enum Level {
    /// Slower by less than the warning's threshold, or faster.
    Pass,
    /// Slower by the warning's threshold or more, and not proven to be a regression.
    Warn,
    /// A regression: slower by the failure's threshold or more, and the interval excludes no change.
    Fail,
    /// Too few values to tell.
    Inconclusive {
        /// How many more values are needed on the side, or sides, that have fewest.
        more: usize,
    },
}

/// The verdict over two exports.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExportVerdict {
    /// The quantile compared.
    pub quantile: Quantile,
    /// Its change from the baseline in percent: above 0 is slower.
    pub change: f64,
    /// The change with its 95% interval; absent when an export holds no single values, or too few.
    pub interval: Option<Interval>,
    /// What the change says.
    #[serde(flatten)]
    pub level: Level,
    /// The verdict in lines for a person. It contains `REGRESSION DETECTED` exactly when the level is
    /// [`Level::Fail`].
    pub text: String,
}

/// Why two exports cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExportError {
    /// A side does not have the quantile.
    #[error("the {side} holds no {quantile}, and no values to take it from")]
    NoQuantile {
        /// `baseline` or `current result`.
        side: &'static str,
        /// The quantile asked for.
        quantile: Quantile,
    },
    /// A side's quantile is no latency.
    #[error("the {side}'s {quantile} is not above 0")]
    NoLatency {
        /// `baseline` or `current result`.
        side: &'static str,
        /// The quantile asked for.
        quantile: Quantile,
    },
}

/// Judges how `quantile` changed from `baseline` to `current`; `warn` and `fail` are increases in percent.
///
/// | level | when |
/// |---|---|
/// | inconclusive | a side has fewer values than [`Quantile::floor`], or is slower by `fail` or more with an interval that includes no change |
/// | fail | slower by `fail` or more, and the interval excludes no change |
/// | warn | slower by `warn` or more, and none of the above |
/// | pass | all else, an improvement among it |
///
/// The runs were made at different times, so that the samples are unpaired: the interval is that of
/// [`stats::quantile_ratio`]. It knows the noise within the two runs; what changed between them besides the
/// code (the load of a provider, the time of day) it cannot know. Of two runs of the same thing about 2.5%
/// fail at most. Judging several configurations adds their false alarms up.
///
/// An export without single values has no interval: its change is a bare difference of two numbers, which
/// warns and never fails.
///
/// # Errors
/// When a side does not hold the quantile, or it is not above 0.
pub fn judge(
    baseline: &Samples,
    current: &Samples,
    quantile: Quantile,
    warn: f64,
    fail: f64,
) -> Result<ExportVerdict, ExportError> {
    let point = |samples: &Samples, side| {
        let value = samples.quantile(quantile).ok_or(ExportError::NoQuantile { side, quantile })?;
        if value > 0.0 { Ok(value) } else { Err(ExportError::NoLatency { side, quantile }) }
    };
    let (before, after) = (point(baseline, "baseline")?, point(current, "current result")?);
    let change = percent(after / before);
    let missing = |samples: &Samples| samples.n().map_or(0, |n| quantile.floor().saturating_sub(n));
    let more = missing(baseline).max(missing(current));
    let ratio = stats::quantile_ratio(&baseline.values, &current.values, quantile.position(), SEED);
    let interval = ratio.filter(|_| more == 0).map(|ratio| ratio.map(percent));
    let level = match interval {
        _ if more > 0 => Level::Inconclusive { more },
        Some(interval) if change >= fail && interval.low > 0.0 => Level::Fail,
        Some(interval) if change >= fail => {
            Level::Inconclusive { more: still_needed(baseline, current, interval) }
        }
        _ if change >= warn => Level::Warn,
        _ => Level::Pass,
    };
    let mut verdict = ExportVerdict { quantile, change, interval, level, text: String::new() };
    verdict.text = text(&verdict, (baseline, before), (current, after), fail);
    Ok(verdict)
}

fn percent(ratio: f64) -> f64 {
    (ratio - 1.0) * 100.0
}

/// How many more values would make an interval of this middle exclude 0: its reach downwards shrinks with the
/// square root of the number.
fn still_needed(baseline: &Samples, current: &Samples, interval: Interval) -> usize {
    let n = baseline.values.len().min(current.values.len());
    let reach = (interval.estimate - interval.low) / interval.estimate;
    let needed = (n as f64 * reach.powi(2)).ceil() as usize;
    needed.saturating_sub(n).max(1)
}

/// The verdict's lines; the first and the word of a regression are those of the shell script that people know.
fn text(verdict: &ExportVerdict, before: (&Samples, f64), after: (&Samples, f64), fail: f64) -> String {
    let name = verdict.quantile.name().to_uppercase();
    let interval = verdict.interval.map(|i| format!(" [{:.1}, {:.1}]", i.low, i.high)).unwrap_or_default();
    let n = |samples: &Samples| samples.n().map_or_else(|| "unknown".into(), |n| n.to_string());
    let mut lines = vec![
        format!("{name} latency change: {:.1}%{interval}", verdict.change),
        format!(
            "{:.1} ms -> {:.1} ms; n = {} and {}; above 0 is slower{}",
            before.1,
            after.1,
            n(before.0),
            n(after.0),
            if verdict.interval.is_some() { "; in brackets the 95% interval" } else { "" }
        ),
    ];
    lines.extend(meaning(verdict, fail));
    let summary_only = before.0.values.is_empty() || after.0.values.is_empty();
    if summary_only {
        lines.push(
            "No interval: an export holds a summary and no single values. It can warn, never fail.".into(),
        );
    }
    lines.join("\n")
}

/// What the level means, where it is not plain.
fn meaning(verdict: &ExportVerdict, fail: f64) -> Option<String> {
    let name = verdict.quantile.name().to_uppercase();
    match verdict.level {
        Level::Fail => Some("⚠️ REGRESSION DETECTED".into()),
        Level::Warn => Some("Warning: slower, but below what fails or not proven.".into()),
        Level::Inconclusive { more } if verdict.interval.is_none() => Some(format!(
            "Inconclusive: {name} needs {} values on each side; {more} more are missing.",
            verdict.quantile.floor()
        )),
        Level::Inconclusive { more } => Some(format!(
            "Inconclusive: the interval includes no change; about {more} more values on each side would tell."
        )),
        Level::Pass => verdict
            .interval
            .filter(|interval| interval.high >= fail)
            .map(|interval| format!("A change of up to {:.1}% is not excluded.", interval.high)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, LogNormal};

    fn draw(seed: u64, median: f64, n: usize) -> Samples {
        let noise = LogNormal::new(median.ln(), 0.15).unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        Samples::of((0..n).map(|_| noise.sample(&mut random)).collect())
    }

    fn verdict(baseline: &Samples, current: &Samples, quantile: Quantile) -> ExportVerdict {
        judge(baseline, current, quantile, 10.0, 15.0).unwrap()
    }

    fn stated(p95: f64, count: Option<usize>) -> Samples {
        Samples { values: vec![], stated: vec![(Quantile::P95, p95)], count }
    }

    #[test]
    fn a_p95_of_ninety_values_that_is_a_third_slower_fails() {
        let verdict = verdict(&draw(1, 800.0, 90), &draw(2, 1070.0, 100), Quantile::P95);
        assert_eq!(verdict.level, Level::Fail, "{}", verdict.text);
        assert!(verdict.text.starts_with("P95 latency change: "), "{}", verdict.text);
        assert!(verdict.text.contains("\n⚠️ REGRESSION DETECTED"), "{}", verdict.text);
    }

    #[test]
    fn a_fifth_faster_passes() {
        let verdict = verdict(&draw(1, 800.0, 100), &draw(2, 640.0, 100), Quantile::P95);
        assert_eq!(verdict.level, Level::Pass, "{}", verdict.text);
        assert!(verdict.change < -10.0 && !verdict.text.contains("REGRESSION"), "{}", verdict.text);
    }

    #[test]
    fn too_few_values_are_inconclusive_and_say_how_many_are_missing() {
        let ten = |seed, median| draw(seed, median, 10);
        for (quantile, more) in
            [(Quantile::P50, 10), (Quantile::P90, 34), (Quantile::P95, 80), (Quantile::P99, 449)]
        {
            let verdict = verdict(&ten(1, 800.0), &ten(2, 1600.0), quantile);
            assert_eq!((verdict.level, verdict.interval), (Level::Inconclusive { more }, None));
            assert!(verdict.text.contains(&format!("{more} more are missing")), "{}", verdict.text);
        }
    }

    #[test]
    fn a_change_that_the_noise_may_explain_is_inconclusive() {
        // Given one sample in which a few values are far out
        let with = |outliers: usize, value: f64| {
            Samples::of(
                (0..100)
                    .map(|index| if index < outliers { value } else { 100.0 + index as f64 / 10.0 })
                    .collect(),
            )
        };
        // When they move the p95 by much
        let verdict = verdict(&with(5, 400.0), &with(6, 500.0), Quantile::P95);
        // Then the interval knows that two more or fewer would have moved it as far
        assert!(verdict.change >= 15.0, "{}", verdict.text);
        assert!(matches!(verdict.level, Level::Inconclusive { more } if more > 0), "{}", verdict.text);
    }

    #[test]
    fn between_the_thresholds_it_warns() {
        let exactly =
            |scale: f64| Samples::of((0..100).map(|index| scale * (100.0 + f64::from(index % 7))).collect());
        let verdict = verdict(&exactly(1.0), &exactly(1.12), Quantile::P95);
        assert_eq!(verdict.level, Level::Warn, "{}", verdict.text);
    }

    #[test]
    fn a_summary_alone_warns_and_never_fails() {
        let judge = |current, count| verdict(&stated(850.0, count), &stated(current, count), Quantile::P95);
        assert_eq!(judge(1200.0, None).level, Level::Warn);
        assert_eq!(judge(1200.0, Some(200)).level, Level::Warn);
        assert_eq!(judge(680.0, None).level, Level::Pass);
        assert_eq!(judge(680.0, Some(10)).level, Level::Inconclusive { more: 80 });
        assert!(judge(1200.0, None).text.contains("No interval"));
    }

    #[test]
    fn a_side_without_the_quantile_is_an_error_that_names_it() {
        let error = judge(&stated(850.0, None), &stated(850.0, None), Quantile::P50, 10.0, 15.0).unwrap_err();
        assert_eq!(error.to_string(), "the baseline holds no p50, and no values to take it from");
        let error = judge(&stated(850.0, None), &stated(0.0, None), Quantile::P95, 10.0, 15.0).unwrap_err();
        assert_eq!(error.to_string(), "the current result's p95 is not above 0");
    }

    #[test]
    fn of_two_runs_of_the_same_thing_few_fail() {
        for (quantile, n) in [(Quantile::P50, 20), (Quantile::P95, 90)] {
            let failed = |seed: &u64| {
                let (a, b) = (draw(2 * seed, 800.0, n), draw(2 * seed + 1, 800.0, n));
                // The least threshold, so that the interval alone keeps it from failing
                judge(&a, &b, quantile, 0.1, 0.1).unwrap().level == Level::Fail
            };
            let share = (0..1_000).filter(failed).count() as f64 / 1_000.0;
            assert!(share <= 0.05, "{quantile} of {n}: {share}");
        }
    }

    #[test]
    fn a_real_regression_is_mostly_found() {
        let found = |seed: &u64| {
            let verdict =
                verdict(&draw(2 * seed, 800.0, 100), &draw(2 * seed + 1, 1040.0, 100), Quantile::P95);
            verdict.level == Level::Fail
        };
        let share = (0..200).filter(found).count() as f64 / 200.0;
        assert!(share >= 0.9, "{share}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_text_names_a_regression_exactly_when_it_fails(
            a in prop::collection::vec(50.0..150.0_f64, 1..60), b in prop::collection::vec(50.0..250.0_f64, 1..60),
        ) {
            let verdict = verdict(&Samples::of(a), &Samples::of(b), Quantile::P50);
            prop_assert_eq!(verdict.text.contains("REGRESSION DETECTED"), verdict.level == Level::Fail);
        }
    }
}
