//! From rounds to verdicts.

use crate::experiment::{Arm, Round, Rounds};
use crate::metric::Metric;
use crate::verdict::{Finding, Rule};

/// The verdict on every metric of every arm against its control, in the order of the arms.
pub fn findings(rounds: &Rounds, rule: &Rule) -> Vec<Finding> {
    let group = rounds.group();
    let selected = rounds.selected();
    let compared = selected.iter().filter_map(|&index| {
        let arm = &group.arms[index];
        let control = group.control_of(arm).filter(|control| selected.contains(control))?;
        Some((index, arm, control))
    });
    compared
        .flat_map(|(index, arm, control)| {
            let metrics = group
                .metrics
                .iter()
                .filter(move |metric| group.has(arm, metric) && group.has(&group.arms[control], metric));
            metrics.map(move |metric| finding(rounds, rule, (index, arm), control, metric))
        })
        .collect()
}

fn finding(
    rounds: &Rounds,
    rule: &Rule,
    (index, arm): (usize, &Arm),
    control: usize,
    metric: &Metric,
) -> Finding {
    let group = rounds.group();
    let samples = rounds.so_far().get(1..).unwrap_or_default();
    let value = |round: &Round, arm: usize| round.observations[arm].as_ref()?.values.get(metric).copied();
    let pairs = samples.iter().filter_map(|round| Some((value(round, control)?, value(round, index)?)));
    let (of_control, of_arm): (Vec<_>, Vec<_>) = pairs.unzip();
    let judged = rule.judge(&of_control, &of_arm);
    Finding {
        group: group.name.clone(),
        arm: arm.name.clone(),
        x: arm.x,
        control: group.arms[control].label(),
        metric: metric.name().to_owned(),
        primary: group.primary() == Some(metric),
        verdict: judged.verdict,
        ratio: judged.ratio,
        interval: rule.interval,
        confidence: rule.confidence(),
        rounds: judged.rounds,
    }
}
