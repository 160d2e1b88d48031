//! The verdicts of a group in sentences.

use super::{Paint, of};
use crate::experiment::{ArmSummary, GroupSummary};
use crate::metric::Metric;
use crate::report::claims;
use crate::report::results::{ArmConfig, ArmResult, Comparison};
use crate::stats::Interval;
use crate::verdict::claims::{Measured, claims as known, judge};
use crate::verdict::{self, Finding, IntervalKind, Verdict};

/// Everything that is said of a group.
pub(super) fn of_group(comparison: &Comparison, group: &GroupSummary, paint: Paint) -> Vec<String> {
    let found: Vec<_> = comparison.verdicts.iter().filter(|finding| finding.group == group.name).collect();
    let mut lines: Vec<String> = found.iter().map(|finding| sentence(group, finding, paint)).collect();
    lines.extend(perceived(comparison, group));
    lines.extend(of(comparison, group).filter_map(cache));
    lines.extend(verdict::unsafe_arms(group).iter().map(|text| paint.bad(text)));
    lines.extend(verdict::agreement(group));
    lines.extend(group.remarks.iter().cloned());
    lines.extend(claimed(comparison, group));
    lines
}

fn sentence(group: &GroupSummary, finding: &Finding, paint: Paint) -> String {
    let arm = arm_of(group, finding);
    let label = finding.x.map_or_else(|| finding.arm.clone(), |x| format!("{}/{x}", finding.arm));
    let predicted = arm.and_then(|arm| predicted(group, arm, &finding.metric));
    let prediction = predicted.map(|change| format!("; predicted {}%", signed(change))).unwrap_or_default();
    format!(
        "{label}: {} {}{}{prediction}",
        finding.metric,
        word(finding, paint),
        finding.ratio.map(|ratio| format!(": {}", change(&ratio))).unwrap_or_default()
            + &format!(" (n = {})", finding.rounds),
    )
}

/// `is faster than off/50's`.
fn word(finding: &Finding, paint: Paint) -> String {
    let control = &finding.control;
    match finding.verdict {
        Verdict::Faster => format!("is {} than {control}'s", paint.good("faster")),
        Verdict::Slower => format!("is {} than {control}'s", paint.bad("slower")),
        Verdict::NoDifferenceLargerThan { margin } => {
            let direction = match finding.ratio {
                Some(ratio) if ratio.high < 1.0 => ", if surely lower",
                Some(ratio) if ratio.low > 1.0 => ", if surely higher",
                _ => "",
            };
            format!("has no difference larger than {}% from {control}'s{direction}", margin * 100.0)
        }
        Verdict::NotEnoughData { more_rounds } => {
            let more = more_rounds.map(|more| {
                format!(", about {more} more {} would do", if more == 1 { "round" } else { "rounds" })
            });
            let text = paint.doubtful("not enough data");
            format!("against {control}'s: {text}{}", more.unwrap_or_default())
        }
    }
}

/// What the intervals promise.
pub(super) fn promise(finding: &Finding) -> String {
    let share = finding.confidence * 100.0;
    match finding.interval {
        IntervalKind::AnytimeValid => format!(
            "Changes are of the geometric mean, with {share:.0}% intervals that hold after every round at once: \
             stopping at the first clear one is fair. Each comparison keeps the interval that decided it, and the \
             {share:.0}% are its own."
        ),
        IntervalKind::Student => format!(
            "Changes are of the geometric mean, with {share:.0}% Student intervals for a number of rounds fixed before."
        ),
    }
}

/// What is claimed of the group's figures, held against them; nothing where they decide nothing.
fn claimed(comparison: &Comparison, group: &GroupSummary) -> Vec<String> {
    let measured = [Measured { truth: comparison.provenance.truth.to_string(), summary: group.clone() }];
    let own = known().iter().filter(|claim| claim.group.as_ref() == Some(&group.name));
    let judged = own.filter(|_| !comparison.smoke).map(|claim| judge(claim, &measured, &[]));
    judged.filter(|judged| judged.standing.is_found()).map(|judged| claims::sentence(&judged)).collect()
}

/// The predicted change of a metric in percent of the control's mean.
fn predicted(group: &GroupSummary, arm: &ArmSummary, metric: &str) -> Option<f64> {
    let saving = arm.metrics.get(metric)?.predicted.as_ref()?.saving;
    let control = |same_x: bool| {
        let matches = |other: &&ArmSummary| {
            other.name == group.control && if same_x { other.x == arm.x } else { other.x.is_none() }
        };
        group.arms.iter().find(matches)
    };
    let mean = control(true).or_else(|| control(false))?.metrics.get(metric)?.summary.mean;
    Some(-saving / mean * 100.0)
}

fn arm_of<'a>(group: &'a GroupSummary, finding: &Finding) -> Option<&'a ArmSummary> {
    group.arms.iter().find(|arm| arm.name == finding.arm && arm.x == finding.x)
}

/// `−93.4% [−94.0, −92.8]`.
fn change(ratio: &Interval) -> String {
    let percent = |ratio: f64| signed((ratio - 1.0) * 100.0);
    format!("{}% [{}, {}]", percent(ratio.estimate), percent(ratio.low), percent(ratio.high))
}

fn signed(percent: f64) -> String {
    let text = format!("{percent:+.1}").replace('-', "−");
    if percent.abs() < 0.05 { "0.0".into() } else { text }
}

/// What a reader gains from streaming: two sentences for each pair of arms.
fn perceived(comparison: &Comparison, group: &GroupSummary) -> Vec<String> {
    let metric = Metric::PERCEIVED;
    let name = metric.name();
    let found = |finding: &Finding| finding.group == group.name && finding.metric == name;
    if group.primary != name && !comparison.verdicts.iter().any(found) {
        return Vec::new();
    }
    let all: Vec<_> = of(comparison, group).collect();
    let treated: Vec<_> = all.iter().filter(|result| !result.config.is_control).collect();
    let sentences = treated.iter().filter_map(|result| {
        let control =
            all.iter().find(|other| other.config.is_control && other.config.x == result.config.x)?;
        let (first, whole) = (result.stats.ttft_p50_ms?, control.stats.latency_p50_ms?);
        let at = if treated.len() > 1 { position(&result.config) } else { String::new() };
        Some([
            format!(
                "Perceived latency improvement from streaming: {:.1}%{at}",
                (whole - first) / whole * 100.0
            ),
            format!("User sees first content in {first:.0}ms vs waiting {whole:.0}ms{at}"),
        ])
    });
    sentences.flatten().collect()
}

/// ` (50 answer tokens)`.
fn position(config: &ArmConfig) -> String {
    let label = config.x_label.as_deref().unwrap_or_default();
    config.x.map(|x| format!(" ({} {label})", verdict::grouped(x))).unwrap_or_default()
}

/// How much of its prompts an arm read from the cache, where it read any.
fn cache(result: &ArmResult) -> Option<String> {
    let (tokens, requests) = (result.stats.token_weighted_cache_hit_rate?, result.stats.avg_cache_hit_rate?);
    (tokens > 0.0).then(|| {
        format!(
            "{}: cache hit rate {:.1}% of prompt tokens, {:.1}% averaged over rounds",
            result.config.name,
            tokens * 100.0,
            requests * 100.0
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_has_its_sign_and_nothing_has_none() {
        assert_eq!(change(&Interval { estimate: 0.066, low: 0.06, high: 1.072 }), "−93.4% [−94.0, +7.2]");
        assert_eq!([signed(-0.01), signed(0.04), signed(-0.06)], ["0.0", "0.0", "−0.1"]);
        assert_eq!([signed(-10.0), signed(10.0)], ["−10.0", "+10.0"]);
    }
}
