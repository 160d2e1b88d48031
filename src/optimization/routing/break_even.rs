//! From which share of easy questions on a classifier pays.

use super::Strategy;
use super::classifier;
use super::decide::Complexity;
use super::groups::{SMALL, position};
use super::prompts::{Prompt, prompts};
use crate::experiment::{ArmSummary, GroupSummary, Known};
use crate::metric::Metric;
use crate::optimization::formula::{MS, call_on};
use crate::scenario::{self, tokens};

/// Times of a router's parts, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// To classify a question.
    pub classify: f64,
    /// To answer it with the small model.
    pub small: f64,
    /// To answer it with the large one.
    pub large: f64,
}

impl Times {
    /// The share of questions for the small model from which classifying them all saves time:
    /// `p* = T_cls / (T_large - T_small)`. Absent where the small model is no faster; above 1 nothing is enough.
    pub fn break_even(&self) -> Option<f64> {
        let gain = self.large - self.small;
        (gain > 0.0).then(|| self.classify / gain)
    }

    /// The saving of a question on average, where a share `p` goes to the small model.
    pub fn saving(&self, p: f64) -> f64 {
        p * (self.large - self.small) - self.classify
    }
}

/// What the engines take for a labelled prompt, on average; absent where they are not known.
pub(super) fn times(known: &Known<'_>) -> Option<Times> {
    let ((large, slowdown), small) = (known.engine?, known.small?);
    let scenario = scenario::routing();
    let prompts: &[Prompt] = prompts();
    let mean = |size: &dyn Fn(&Prompt) -> u64| {
        prompts.iter().map(|prompt| size(prompt) as f64).sum::<f64>() / prompts.len() as f64
    };
    let time = |engine, input, output| call_on(engine, slowdown, input, output);
    let (system, answer) = (tokens(&scenario.system), f64::from(scenario.max_tokens));
    let question = mean(&|prompt| system + tokens(&prompt.text));
    let classifier = |part: fn((u64, u64)) -> u64| mean(&|prompt| part(classifier::sizes(prompt)));
    Some(Times {
        classify: time(small, classifier(|sizes| sizes.0), classifier(|sizes| sizes.1)),
        small: time(small, question, answer),
        large: time(large, question, answer),
    })
}

/// The break-even of the engines.
pub(super) fn predicted(known: &Known<'_>) -> Option<String> {
    times(known).map(|times| format!("By the engines: {}.", formula(&times)))
}

/// `p* = T_cls / (T_large - T_small) = 14.8 / (60.1 - 27.4) ms = 45%`.
fn formula(times: &Times) -> String {
    let ms = |nanoseconds: f64| format!("{:.1}", nanoseconds / MS);
    let Times { classify, small, large } = *times;
    match times.break_even() {
        Some(share) => format!(
            "p* = T_cls / (T_large - T_small) = {} / ({} - {}) ms = {:.0}%",
            ms(classify),
            ms(large),
            ms(small),
            share * 100.0
        ),
        None => format!(
            "there is no break-even: the small model takes {} ms, the large one {}",
            ms(small),
            ms(large)
        ),
    }
}

/// The mean times of the arms of [`by_complexity`](super::by_complexity), all classes alike.
pub(super) fn measured(summary: &GroupSummary) -> Option<Times> {
    let mean = |strategy: Strategy, metric: &Metric| {
        let means =
            arms(summary, strategy).filter_map(|arm| Some(arm.metrics.get(metric.name())?.summary.mean));
        let means: Vec<f64> = means.collect();
        (!means.is_empty()).then(|| means.iter().sum::<f64>() / means.len() as f64)
    };
    Some(Times {
        classify: mean(Strategy::Routed, &Metric::CLASSIFICATION)?,
        small: mean(Strategy::DirectSmall, &Metric::ANSWER_TIME)?,
        large: mean(Strategy::DirectLarge, &Metric::ANSWER_TIME)?,
    })
}

/// The share of questions that `routed` sent to the small model.
pub(super) fn small_share(summary: &GroupSummary) -> Option<f64> {
    let tallies = arms(summary, Strategy::Routed).filter_map(|arm| arm.tallies.get(SMALL));
    let (count, of) =
        tallies.fold((0, 0), |(count, of), tally| (count + tally.count, of + tally.of.unwrap_or(0)));
    (of > 0).then(|| count as f64 / of as f64)
}

fn arms(summary: &GroupSummary, strategy: Strategy) -> impl Iterator<Item = &ArmSummary> {
    summary.arms.iter().filter(move |arm| arm.name == strategy.name())
}

/// What `routed` saves by class, and whether the traffic of the group has enough easy questions.
pub(super) fn conclude_rows(summary: &GroupSummary) -> Vec<String> {
    let savings = savings(summary);
    let rows = Complexity::ALL.into_iter().filter_map(|class| {
        let (_, saving) = savings.iter().find(|(x, _)| *x == position(class))?;
        let word = if *saving > 0.0 { "sooner" } else { "later" };
        Some(format!("{class} {} {word}", Metric::ANSWER_TIME.show(saving.abs())))
    });
    let rows: Vec<_> = rows.collect();
    let rows = (!rows.is_empty()).then(|| format!("routed answers {}.", rows.join(", ")));
    rows.into_iter().chain(enough(summary)).collect()
}

fn enough(summary: &GroupSummary) -> Option<String> {
    let (times, share) = (measured(summary)?, small_share(summary)?);
    let verdict = match times.break_even() {
        Some(least) if share > least => "more than that: routing saves time here",
        Some(_) => "not more than that: routing costs time here",
        None => "and routing costs time whatever the share",
    };
    let (formula, percent) = (formula(&times), share * 100.0);
    Some(format!("Measured: {formula}; {percent:.0}% were sent to the small model, {verdict}."))
}

/// Where the savings of a sweep over the share of simple questions change their sign, in percent: the zero of the
/// straight line through them (least squares). Absent where they do not grow with the share.
pub(super) fn crossing(points: &[(f64, f64)]) -> Option<f64> {
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let (covered, spread) = points.iter().fold((0.0, 0.0), |(covered, spread), point| {
        (covered + (point.0 - x) * (point.1 - y), spread + (point.0 - x).powi(2))
    });
    let slope = covered / spread;
    (slope > 0.0).then(|| x - y / slope)
}

/// The measured savings of `routed`, by percentage of simple questions.
pub(super) fn savings(summary: &GroupSummary) -> Vec<(f64, f64)> {
    let saving = |arm: &ArmSummary| {
        let metric = arm.metrics.get(Metric::ANSWER_TIME.name())?;
        Some((arm.x?, metric.versus_control.as_ref()?.difference.estimate))
    };
    arms(summary, Strategy::Routed).filter_map(saving).collect()
}

/// Where the sweep crosses.
pub(super) fn conclude_share(summary: &GroupSummary) -> Vec<String> {
    let points = savings(summary);
    if points.len() < 2 {
        return Vec::new();
    }
    let sentence = match crossing(&points) {
        Some(share) if (0.0..=100.0).contains(&share) => {
            format!(
                "Measured: routing pays from {share:.0}% of simple questions on, by the straight line through the savings."
            )
        }
        Some(share) if share < 0.0 => "Measured: routing pays whatever the share of simple questions.".into(),
        _ => "Measured: routing pays at no share of simple questions.".into(),
    };
    vec![sentence]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_classifier_of_300_ms_pays_from_a_third_on() {
        let times = Times { classify: 300e6, small: 600e6, large: 1_500e6 };
        assert!(formula(&times).ends_with("300.0 / (1500.0 - 600.0) ms = 33%"), "{}", formula(&times));
        let least = times.break_even().unwrap();
        assert!(times.saving(least - 0.05) < 0.0 && times.saving(least + 0.05) > 0.0);
    }

    #[test]
    fn a_small_model_that_is_no_faster_never_pays() {
        // Published of two models of 2024: 13.98 and 14.17 s.
        let near = Times { classify: 300e6, small: 13_980e6, large: 14_170e6 };
        assert!(near.break_even().unwrap() > 1.0);
        assert_eq!(Times { small: 2e9, large: 1e9, ..near }.break_even(), None);
    }

    proptest! {
        #[test]
        fn the_line_through_the_savings_crosses_at_the_break_even(
            classify in 1e6..1e9, small in 1e6..1e9, gain in 1e6..1e9
        ) {
            let times = Times { classify, small, large: small + gain };
            let points: Vec<_> =
                [0.0, 25.0, 50.0, 75.0, 100.0].map(|x| (x, times.saving(x / 100.0))).to_vec();
            let (crossing, least) = (crossing(&points).unwrap(), times.break_even().unwrap() * 100.0);
            prop_assert!((crossing - least).abs() <= 1e-6 * least);
        }
    }
}
