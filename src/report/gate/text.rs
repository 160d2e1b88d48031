//! A gate's findings for a console.

use comfy_table::{CellAlignment, Table, presets};

use super::{by_weight, change, change_heading, grounds, headline, medians, reason, word};
use crate::gate::{BenchReport, Report};
use crate::verdict::gate::{Decision, Judged};

/// The columns that hold numbers.
const NUMBERS: [usize; 3] = [2, 5, 6];

/// Benchmarks that passed are counted, and shown only with `all`.
pub fn report(report: &Report, all: bool) -> String {
    let mut lines = Vec::new();
    for bench in &report.benches {
        lines.push(format!(
            "{} · {} · {} · run {}",
            bench.bench, bench.mode, bench.model, bench.new_run.run_id
        ));
        lines.extend(grounds(bench));
        lines.push(table(bench, all));
        lines.push(String::new());
    }
    lines.push(headline(report));
    lines.join("\n")
}

fn table(bench: &BenchReport, all: bool) -> String {
    let shown =
        |judged: &&&Judged| all || !matches!(judged.decision, Decision::Pass) || judged.change.is_none();
    let judged = by_weight(bench);
    let rows: Vec<_> = judged.iter().filter(shown).collect();
    let hidden = judged.len() - rows.len();
    let passed =
        (hidden > 0).then(|| format!("{hidden} of {} benchmarks passed (--all shows them)", judged.len()));
    if rows.is_empty() {
        return passed.unwrap_or_default();
    }
    let mut table = Table::new();
    let change = change_heading(bench);
    let header = ["", "benchmark", "n", "p50", change, "limit", "p", ""];
    table.load_style(presets::NOTHING).set_header(header);
    for judged in rows {
        table.add_row(row(judged));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        if NUMBERS.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    [Some(table.to_string()), passed].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn row(judged: &Judged) -> [String; 8] {
    let ended = if judged.gated {
        word(&judged.decision).to_owned()
    } else {
        format!("({})", word(&judged.decision).to_lowercase())
    };
    [
        ended,
        judged.id.clone(),
        format!("{}/{}", judged.n_baseline, judged.n_new),
        medians(judged),
        judged.change.as_ref().map(change).unwrap_or_else(|| "–".into()),
        format!("{:.0}%", judged.limit * 100.0),
        judged.p.map(p_value).unwrap_or_else(|| "–".into()),
        reason(judged).unwrap_or_default(),
    ]
}

fn p_value(p: f64) -> String {
    if p < 0.001 { "<0.001".into() } else { format!("{p:.3}") }
}
