//! A group's summary as a table for the console.

use std::collections::BTreeSet;

use comfy_table::{CellAlignment, Table, presets};

use crate::experiment::{ArmSummary, GroupSummary, MetricSummary, TallySummary};
use crate::metric::Metric;
use crate::price::Usd;
use crate::provenance::Provenance;
use crate::stats;
use crate::verdict;

/// The title, the table and the sentences of a group.
pub fn group(summary: &GroupSummary, provenance: &Provenance) -> String {
    let mut lines = vec![
        format!("{} · {} · {} · {} rounds", summary.name, provenance.truth, summary.model, summary.rounds),
        summary.question.clone(),
        table(summary).to_string(),
    ];
    if has_marked_p99(summary) {
        lines.push("* fewer than 100 samples: this p99 is little more than the largest of them".into());
    }
    lines.extend(counted(summary).map(|table| table.to_string()));
    lines.extend(cautions(summary));
    lines.extend(verdict::sentences(summary));
    lines.extend(summary.remarks.iter().cloned());
    lines.push(traffic(summary));
    lines.join("\n")
}

/// What keeps a group's figures from meaning what they seem to.
pub(super) fn cautions(summary: &GroupSummary) -> Vec<String> {
    let n = summary.tokens_from_events;
    let uncounted = (n > 0).then(|| {
        format!("tokens of {n} answers are content events, which may hold several: the server gave no count")
    });
    uncounted.into_iter().chain(misses(summary)).collect()
}

/// What was sent, and what failed of it.
fn traffic(summary: &GroupSummary) -> String {
    let classes: Vec<_> = summary.failures.iter().map(|(class, count)| format!("{count} {class}")).collect();
    let failed =
        if classes.is_empty() { "none failed".into() } else { format!("failed: {}", classes.join(", ")) };
    let (requests, rounds, retries) = (summary.requests, summary.rounds + 1, summary.retries);
    format!("{requests} requests in {rounds} rounds (one warms up), {retries} of them retries; {failed}.")
}

fn table(summary: &GroupSummary) -> Table {
    let metric = summary.primary.to_uppercase();
    let x = summary.x_label.clone();
    let mut header = vec!["arm".to_owned()];
    header.extend(x.clone());
    header.extend([
        "n".into(),
        format!("{metric} p50"),
        "p95".into(),
        "p99".into(),
        format!("of {} [95%]", summary.control),
        "saved".into(),
        "predicted".into(),
        "total p50".into(),
        "tokens/s".into(),
        "cache hit".into(),
        "cost/run".into(),
    ]);
    let rows: Vec<_> = summary.arms.iter().map(|arm| row(summary, arm, x.is_some())).collect();
    // A column of which nothing is known says nothing.
    let known: Vec<_> =
        (0..header.len()).map(|column| rows.iter().any(|row| row[column] != unknown())).collect();
    let only_known =
        |row: Vec<String>| row.into_iter().zip(&known).filter(|(_, known)| **known).map(|(cell, _)| cell);
    right_aligned(only_known(header.clone()).collect(), rows.into_iter().map(|row| only_known(row).collect()))
}

/// What was counted beside the times, an arm a row; absent where nothing was.
pub(super) fn counted(summary: &GroupSummary) -> Option<Table> {
    let names: BTreeSet<_> = summary.arms.iter().flat_map(|arm| arm.tallies.keys()).collect();
    let swept = summary.arms.iter().any(|arm| arm.x.is_some());
    let x = summary.x_label.clone().filter(|_| swept);
    let header =
        ["counted".to_owned()].into_iter().chain(x.clone()).chain(names.iter().map(|name| (*name).clone()));
    let row = |arm: &ArmSummary| {
        let position = x.is_some().then(|| arm.x.map(verdict::grouped).unwrap_or_default());
        let cells = names.iter().map(|name| arm.tallies.get(*name).map_or_else(unknown, tally));
        [arm.name.clone()].into_iter().chain(position).chain(cells).collect()
    };
    (!names.is_empty()).then(|| right_aligned(header.collect(), summary.arms.iter().map(row)))
}

/// `3 of 120 (2.5%)`, or how many a run saw.
fn tally(tally: &TallySummary) -> String {
    match (tally.of, tally.share) {
        (Some(of), Some(share)) => format!("{} of {of} ({:.1}%)", tally.count, share.estimate * 100.0),
        (Some(of), None) => format!("{} of {of}", tally.count),
        (None, _) => format!("{:.1} a run", tally.per_run),
    }
}

fn right_aligned(header: Vec<String>, rows: impl Iterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header).add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn row(summary: &GroupSummary, arm: &ArmSummary, swept: bool) -> Vec<String> {
    let primary = arm.metrics.get(&summary.primary);
    let time = |value: f64| Metric::TTFT.show(value);
    let mut row = vec![arm.name.clone()];
    if swept {
        row.push(arm.x.map(verdict::grouped).unwrap_or_default());
    }
    row.push(primary.map(|metric| metric.summary.n.to_string()).unwrap_or_default());
    row.push(show(primary, |metric| Some(time(metric.summary.p50))));
    row.push(show(primary, |metric| Some(time(metric.summary.p95))));
    row.push(show(primary, |metric| {
        Some(format!("{}{}", time(metric.summary.p99), p99_mark(metric.summary.n)))
    }));
    row.push(show(primary, |metric| {
        let ratio = metric.versus_control?.ratio;
        Some(format!("{:.3} [{:.3}, {:.3}]", ratio.estimate, ratio.low, ratio.high))
    }));
    row.push(show(primary, |metric| Some(time(metric.versus_control?.difference.estimate))));
    row.push(show(primary, |metric| {
        let predicted = metric.predicted.as_ref()?;
        let saving = if predicted.saving == 0.0 { "none".to_owned() } else { time(predicted.saving) };
        Some(format!("{saving} {}", if predicted.agrees { "✓" } else { "✗" }))
    }));
    row.push(show(arm.metrics.get(Metric::TOTAL.name()), |metric| Some(time(metric.summary.p50))));
    row.push(show(arm.metrics.get(Metric::TPOT.name()), |metric| {
        Some(format!("{:.0}", 1e9 / metric.summary.p50))
    }));
    row.push(arm.cache.map_or_else(unknown, |cache| format!("{:.0}%", cache.hit_share * 100.0)));
    row.push(arm.cost.map_or_else(unknown, |cost| dollars(cost.per_run)));
    row
}

fn show(metric: Option<&MetricSummary>, cell: impl Fn(&MetricSummary) -> Option<String>) -> String {
    metric.and_then(cell).unwrap_or_else(unknown)
}

fn unknown() -> String {
    "–".into()
}

fn dollars(usd: Usd) -> String {
    usd.to_string()
}

/// The mark of a percentile that its sample is too small for.
fn p99_mark(n: usize) -> &'static str {
    if stats::marked_below(0.99).is_some_and(|least| n < least) { "*" } else { "" }
}

fn has_marked_p99(summary: &GroupSummary) -> bool {
    summary
        .arms
        .iter()
        .flat_map(|arm| arm.metrics.get(&summary.primary))
        .any(|metric| !p99_mark(metric.summary.n).is_empty())
}

/// Arms that should have been served from the cache and were not.
fn misses(summary: &GroupSummary) -> Vec<String> {
    let missed =
        summary.arms.iter().filter_map(|arm| Some((arm, arm.cache.filter(|cache| cache.missed > 0)?)));
    missed
        .map(|(arm, cache)| {
            let x = arm.x.map(|x| format!("/{}", verdict::grouped(x))).unwrap_or_default();
            format!(
                "{}{x} MISSED the cache in {} of {} rounds: its figures are no cached ones.",
                arm.name, cache.missed, summary.rounds
            )
        })
        .collect()
}
