//! Tasks by combinations of optimisations, as a table, and the optimisations ranked for each task.

use comfy_table::{CellAlignment, Table, presets};

use super::results::{Comparison, Ending};
use crate::experiment::{ArmSummary, GroupSummary};
use crate::metric::Metric;
use crate::stats::Interval;
use crate::verdict::claims::{Measured, Ranking, mean_reduction, rank};

/// The groups of a comparison with what their figures are.
pub fn measured(comparison: &Comparison) -> Vec<Measured> {
    let truth = comparison.provenance.truth.to_string();
    comparison
        .summary
        .iter()
        .map(|summary| Measured { truth: truth.clone(), summary: summary.clone() })
        .collect()
}

/// The matrix of a comparison that [`scenarios`](crate::optimization::agent::scenarios) made.
pub fn text(comparison: &Comparison) -> String {
    let truth = &comparison.provenance.truth;
    let rounds = comparison.summary.iter().map(|group| group.rounds).min().unwrap_or_default();
    let mut lines = vec![format!("makespan by task and optimisation · {truth} · n = {rounds}")];
    lines.extend(table(&comparison.summary).map(|table| table.to_string()));
    lines.push("changes are of the mean, paired by round, with 95% intervals; ✗ marks wrong answers".into());
    let mut remarks: Vec<_> =
        comparison.summary.iter().flat_map(|group| group.remarks.iter().cloned()).collect();
    remarks.sort();
    remarks.dedup();
    lines.extend(remarks);
    let measured = measured(comparison);
    for metric in [Metric::MAKESPAN, Metric::PERCEIVED] {
        lines.extend(rankings(&rank(&measured, metric.name())));
    }
    if comparison.ending != Ending::AllRounds {
        lines.push(format!("The run ended early: {:?}.", comparison.ending));
    }
    lines.join("\n")
}

/// A row for each combination, a column for each task; absent without groups.
fn table(groups: &[GroupSummary]) -> Option<Table> {
    let first = groups.first()?;
    let name = |group: &GroupSummary| group.name.rsplit('/').next().unwrap_or_default().to_owned();
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["optimisation".to_owned()].into_iter().chain(groups.iter().map(name)));
    for arm in &first.arms {
        let cells = groups.iter().map(|group| {
            let own = group.arms.iter().find(|own| own.name == arm.name);
            own.map_or_else(|| "–".into(), |own| cell(group, own))
        });
        table.add_row([arm.name.clone()].into_iter().chain(cells));
    }
    table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    Some(table)
}

/// `−32.1% [−33.0, −31.2]`, or the time of the unoptimised task.
fn cell(group: &GroupSummary, arm: &ArmSummary) -> String {
    let makespan = Metric::MAKESPAN;
    let Some(metric) = arm.metrics.get(makespan.name()) else { return "–".into() };
    let figure = match mean_reduction(group, arm, makespan.name()) {
        None => makespan.show(metric.summary.mean),
        Some((reduction, _)) => {
            let percent = |share: f64| format!("{:+.1}", -share * 100.0).replace('-', "−");
            let Interval { estimate, low, high } = reduction;
            format!("{}% [{}, {}]", percent(estimate), percent(high), percent(low))
        }
    };
    let wrong = arm.tallies.get("right answers").is_some_and(|right| Some(right.count) != right.of);
    if wrong { format!("{figure} ✗") } else { figure }
}

/// `tool_multi_step, by makespan: 1. parallel_tools −41%, 2. speculation −12%`.
pub(super) fn rankings(rankings: &[Ranking]) -> Vec<String> {
    let line = |ranking: &Ranking| {
        let gains = ranking.ranks.iter().filter(|ranked| ranked.reduction.low > 0.0);
        let gains: Vec<_> = gains
            .map(|ranked| {
                format!("{}. {} −{:.0}%", ranked.rank, ranked.toggle, ranked.reduction.estimate * 100.0)
            })
            .collect();
        let gains = if gains.is_empty() { "nothing gains".into() } else { gains.join(", ") };
        format!("{}, by {}: {gains}", ranking.task, ranking.metric)
    };
    rankings.iter().map(line).collect()
}
