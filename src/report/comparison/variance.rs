//! How noisy a group's arms were, and what its rounds could show at all.

use super::{Paint, of};
use crate::experiment::{ArmSummary, GroupSummary};
use crate::report::results::{ArmResult, Comparison};
use crate::stats::{self, Noise};

/// A coefficient of variation beyond which more rounds are advised.
const HIGH_VARIANCE: f64 = 0.2;

/// What the table's columns mean.
pub(super) const LEGEND: &str = "A/A floor: what two identical arms differ by in 95 of 100 runs of as many rounds. \
     Detectable: the smallest gain that so many rounds show with 90% power. Outliers: mild + severe (Tukey).";

const COLUMNS: [&str; 5] = ["Variance", "CV", "A/A floor", "Detectable", "Outliers"];

/// The table, its legend, and a hint where the variance is high.
pub(super) fn of_group(comparison: &Comparison, group: &GroupSummary, paint: Paint) -> Vec<String> {
    let results: Vec<_> = of(comparison, group).filter(|result| result.stats.count > 1).collect();
    if results.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![
        String::new(),
        row(COLUMNS.map(|name| {
            if name == COLUMNS[0] { format!("{name} of {}", group.primary) } else { name.to_owned() }
        })),
    ];
    lines.extend(results.iter().map(|result| line(group, result)));
    let noisy: Vec<_> = results
        .iter()
        .filter(|result| cv(group, result).is_some_and(|cv| cv > HIGH_VARIANCE))
        .map(|result| result.config.name.as_str())
        .collect();
    if !noisy.is_empty() {
        lines.push(paint.doubtful(&format!(
            "high variance: more rounds (a CV above {:.0}%: {})",
            HIGH_VARIANCE * 100.0,
            noisy.join(", ")
        )));
    }
    lines
}

fn line(group: &GroupSummary, result: &ArmResult) -> String {
    let versus = primary(group, result).and_then(|metric| metric.versus_control);
    let noise: Option<Noise> = result.stats.primary_noise;
    row([
        result.config.name.clone(),
        percent(cv(group, result)),
        percent(noise.and_then(|noise| noise.floor)),
        percent(versus.and_then(|paired| stats::detectable(&paired))),
        noise.map_or_else(unknown, |noise| format!("{} + {}", noise.outliers.mild, noise.outliers.severe)),
    ])
}

fn primary<'a>(group: &'a GroupSummary, result: &ArmResult) -> Option<&'a crate::experiment::MetricSummary> {
    let is_it = |arm: &&ArmSummary| arm.name == result.config.arm && arm.x == result.config.x;
    group.arms.iter().find(is_it)?.metrics.get(&group.primary)
}

fn cv(group: &GroupSummary, result: &ArmResult) -> Option<f64> {
    primary(group, result)?.summary.cv
}

fn row(cells: [String; COLUMNS.len()]) -> String {
    let [name, rest @ ..] = cells;
    let rest: Vec<_> = rest.iter().map(|cell| format!("{cell:<12}")).collect();
    format!("{name:<25}{}", rest.join(" ")).trim_end().to_owned()
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(unknown, |share| format!("{:.1}%", share * 100.0))
}

fn unknown() -> String {
    "–".into()
}
