//! By how much, from where on, as predicted or not, and at what price.

use crate::experiment::{ArmSummary, CacheSummary, GroupSummary, Guard, MetricSummary};
use crate::stats::{Paired, median, sorted};

/// Differences inside this share of the control are called no difference, whatever their interval.
const MARGIN: f64 = 0.01;

/// What an arm does to a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Lower, by more than the margin.
    Faster,
    /// Higher, by more than the margin.
    Slower,
    /// Within the margin, surely.
    Same,
    /// The interval spans too much to say.
    Unclear,
}

impl Effect {
    /// The effect that a paired comparison shows.
    pub fn of(paired: &Paired) -> Self {
        let (low, high) = (paired.ratio.low, paired.ratio.high);
        if high < 1.0 - MARGIN {
            Self::Faster
        } else if low > 1.0 + MARGIN {
            Self::Slower
        } else if low > 1.0 - MARGIN && high < 1.0 + MARGIN {
            Self::Same
        } else {
            Self::Unclear
        }
    }
}

/// From which position of a sweep on an arm is faster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Crossing {
    /// At every position.
    Everywhere,
    /// From this position on, and at every later one.
    From(f64),
    /// At none, or not at the last.
    Nowhere,
}

impl Crossing {
    /// The crossing of effects in the order of their positions.
    pub fn of(effects: &[(f64, Effect)]) -> Self {
        let faster = effects.iter().rev().take_while(|(_, effect)| *effect == Effect::Faster).count();
        match effects.len() - faster {
            _ if faster == 0 => Self::Nowhere,
            0 => Self::Everywhere,
            before => Self::From(effects[before].0),
        }
    }
}

/// The summary of a group in a few sentences.
pub fn sentences(summary: &GroupSummary) -> Vec<String> {
    let mut treatments: Vec<&str> = Vec::new();
    for arm in summary.arms.iter().filter(|arm| arm.name != summary.control) {
        if !treatments.contains(&arm.name.as_str()) {
            treatments.push(&arm.name);
        }
    }
    let swept = summary.arms.iter().any(|arm| arm.x.is_some());
    let mut sentences: Vec<String> = treatments
        .into_iter()
        .filter_map(|name| {
            let arms: Vec<_> = summary.arms.iter().filter(|arm| arm.name == name).collect();
            if swept { along_sweep(summary, name, &arms) } else { at_once(summary, arms[0]) }
        })
        .collect();
    sentences.extend(unsafe_arms(summary));
    sentences.extend(agreement(summary));
    if swept {
        sentences.extend(price(summary));
    }
    sentences
}

fn primary<'a>(summary: &GroupSummary, arm: &'a ArmSummary) -> Option<(&'a MetricSummary, &'a Paired)> {
    let metric = arm.metrics.get(&summary.primary)?;
    Some((metric, metric.versus_control.as_ref()?))
}

fn along_sweep(summary: &GroupSummary, name: &str, arms: &[&ArmSummary]) -> Option<String> {
    let x_label = summary.x_label.as_deref().unwrap_or("x");
    let mut points: Vec<_> = arms.iter().filter_map(|arm| Some((arm.x?, primary(summary, arm)?.1))).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let effects: Vec<_> = points.iter().map(|(x, paired)| (*x, Effect::of(paired))).collect();
    let (last_x, last) = points.last()?;
    let at_last = format!("{} at {}", change(last), grouped(*last_x));
    let metric = summary.primary.to_uppercase();
    let mut text = match Crossing::of(&effects) {
        Crossing::Everywhere => format!("{name}: {metric} is lower everywhere, {at_last} {x_label}"),
        Crossing::From(from) => {
            let first = points.iter().find(|(x, _)| *x == from)?.1;
            format!(
                "{name}: {metric} is lower from {} {x_label} on ({}); {at_last}",
                grouped(from),
                change(first)
            )
        }
        Crossing::Nowhere => {
            let unclear = effects.last().is_some_and(|(_, effect)| *effect == Effect::Unclear);
            let word = if unclear { "not clearly lower" } else { "not lower" };
            format!("{name}: {metric} is {word} at the end of the sweep ({at_last} {x_label})")
        }
    };
    if let Some(claimed) = summary.claimed {
        let percent = claimed * 100.0;
        let reached = points.iter().find(|(_, paired)| paired.ratio.high <= 1.0 - claimed);
        text += &match reached {
            Some((x, _)) => format!("; {percent:.0}% less is reached at {}", grouped(*x)),
            None => format!("; {percent:.0}% less is not reached"),
        };
    }
    Some(text + ".")
}

/// What is unsafe, or not shown to be safe, arm by arm.
pub fn unsafe_arms(summary: &GroupSummary) -> Vec<String> {
    let watched = summary.guards.iter().flat_map(|guard| summary.arms.iter().map(move |arm| (guard, arm)));
    let sentence = |(guard, arm): (&Guard, &ArmSummary)| {
        let share = arm.tallies.get(&*guard.tally)?.share?;
        let place = arm.x.map_or_else(|| arm.name.clone(), |x| format!("{} at {}", arm.name, grouped(x)));
        let figures = format!(
            "{} {:.1}% [{:.1}, {:.1}], at most {:.1}% allowed",
            guard.tally,
            share.estimate * 100.0,
            share.low * 100.0,
            share.high * 100.0,
            guard.most * 100.0
        );
        if share.estimate > guard.most {
            Some(format!("{place} is UNSAFE: {} ({figures}).", guard.harm))
        } else if share.high > guard.most {
            Some(format!("{place} is not shown to be safe: too few were tried ({figures})."))
        } else {
            None
        }
    };
    watched.filter_map(sentence).collect()
}

fn at_once(summary: &GroupSummary, arm: &ArmSummary) -> Option<String> {
    let (_, paired) = primary(summary, arm)?;
    let effect = match Effect::of(paired) {
        Effect::Faster => "lower than",
        Effect::Slower => "higher than",
        Effect::Same => "the same as",
        Effect::Unclear => "not clearly different from",
    };
    let cache = arm.cache.map(|cache| format!("; cache {}", cache_word(&cache))).unwrap_or_default();
    Some(format!(
        "{}: {} is {effect} {}'s: {}{cache}.",
        arm.name,
        summary.primary.to_uppercase(),
        summary.control,
        change(paired)
    ))
}

/// What the cache did: `HIT`, `HIT 50%` in part, `CREATED`, or `NONE`.
fn cache_word(cache: &CacheSummary) -> String {
    match cache.hit_share {
        share if share > 0.9 => "HIT".into(),
        share if share > 0.01 => format!("HIT {:.0}%", share * 100.0),
        _ if cache.written_tokens > 0.0 => "CREATED".into(),
        _ => "NONE".into(),
    }
}

/// How many predictions agree, how far fitted ones are off, and where their constants come from.
pub fn agreement(summary: &GroupSummary) -> Option<String> {
    let predicted: Vec<_> = summary
        .arms
        .iter()
        .filter_map(|arm| Some((arm, arm.metrics.get(&summary.primary)?.predicted.as_ref()?)))
        .collect();
    let (_, first) = predicted.first()?;
    let agree = predicted.iter().filter(|(_, prediction)| prediction.agrees).count();
    let off: Vec<_> = predicted
        .iter()
        .filter(|(_, prediction)| !prediction.agrees)
        .map(|(arm, _)| arm.x.map_or_else(|| arm.name.clone(), grouped))
        .collect();
    let off = if off.is_empty() { String::new() } else { format!("; not at {}", off.join(", ")) };
    let errors: Vec<f64> =
        predicted.iter().filter_map(|(_, prediction)| Some(prediction.error?.abs())).collect();
    let fitted = median(&sorted(&errors)).map(|error| {
        format!(
            "; speeds fitted to half of the rounds are off by {:.0}% in the other half (median)",
            error * 100.0
        )
    });
    Some(format!(
        "Prediction: agrees with {agree} of {} savings within 10% or 1 ms{off}{} ({}).",
        predicted.len(),
        fitted.unwrap_or_default(),
        first.source
    ))
}

/// What the treatment costs against the control, over all rounds.
fn price(summary: &GroupSummary) -> Option<String> {
    let with = || summary.arms.iter().filter_map(|arm| Some((arm.x?, &arm.name, arm.cost?.versus_control?)));
    let (x, _, ratio) = with().max_by(|a, b| a.0.total_cmp(&b.0))?;
    let rounds = summary.rounds + 1;
    let last: Vec<_> = with().filter(|(at, ..)| *at == x).collect();
    if last.len() > 1 {
        let ratios: Vec<_> = last.iter().map(|(_, name, ratio)| format!("{name} {ratio:.2}")).collect();
        return Some(format!(
            "Cost at {}, in times the control's over {rounds} runs (the first one included): {}.",
            grouped(x),
            ratios.join(", ")
        ));
    }
    Some(format!(
        "Cost: {ratio:.2} times the control's over {rounds} requests at {} (the first one included).",
        grouped(x)
    ))
}

/// `−93.1% [−93.4, −92.8]`.
fn change(paired: &Paired) -> String {
    let percent = |ratio: f64| (ratio - 1.0) * 100.0;
    let signed = |value: f64| format!("{value:+.1}").replace('-', "−");
    let ratio = paired.ratio;
    format!(
        "{}% [{}, {}]",
        signed(percent(ratio.estimate)),
        signed(percent(ratio.low)),
        signed(percent(ratio.high))
    )
}

/// `100,000`.
pub(crate) fn grouped(x: f64) -> String {
    if x.fract() != 0.0 {
        return x.to_string();
    }
    let digits = format!("{x:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Interval;

    fn paired(low: f64, estimate: f64, high: f64) -> Paired {
        let ratio = Interval { estimate, low, high };
        Paired { n: 20, ratio, difference: ratio }
    }

    #[test]
    fn an_effect_needs_its_whole_interval_beyond_the_margin() {
        assert_eq!(Effect::of(&paired(0.90, 0.93, 0.97)), Effect::Faster);
        assert_eq!(Effect::of(&paired(0.90, 0.95, 0.995)), Effect::Unclear);
        assert_eq!(Effect::of(&paired(0.995, 1.0, 1.005)), Effect::Same);
        assert_eq!(Effect::of(&paired(1.02, 1.05, 1.09)), Effect::Slower);
    }

    #[test]
    fn a_crossing_holds_from_its_position_to_the_end() {
        use Effect::*;
        let crossing = |effects: &[Effect]| {
            let effects: Vec<_> = effects.iter().enumerate().map(|(x, effect)| (x as f64, *effect)).collect();
            Crossing::of(&effects)
        };
        assert_eq!(crossing(&[Same, Faster, Faster]), Crossing::From(1.0));
        assert_eq!(crossing(&[Faster, Unclear, Faster]), Crossing::From(2.0));
        assert_eq!(crossing(&[Faster, Faster]), Crossing::Everywhere);
        assert_eq!(crossing(&[Faster, Slower]), Crossing::Nowhere);
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!((grouped(512.0), grouped(100_000.0)), ("512".into(), "100,000".into()));
    }
}
