//! A gate's findings for a pull request or a job summary.

use super::{by_weight, change, change_heading, grounds, headline, medians, reason, word};
use crate::gate::{BenchReport, Report};
use crate::verdict::gate::{Decision, Judged, Outcome};

/// The headline, what did not pass as a table, and everything behind a fold.
pub fn report(report: &Report) -> String {
    let mark = match report.outcome {
        Outcome::Pass => "✅",
        Outcome::Regression => "❌",
        Outcome::Inconclusive => "❔",
    };
    let mut parts = vec![format!("### {mark} Latency gate: {}", headline(report))];
    parts.extend(report.benches.iter().map(bench));
    parts.join("\n\n") + "\n"
}

fn bench(bench: &BenchReport) -> String {
    let judged = by_weight(bench);
    let notable: Vec<_> =
        judged.iter().copied().filter(|judged| judged.gated && judged.decision != Decision::Pass).collect();
    let mut parts = vec![format!("**{}** · {} · {}", bench.bench, bench.mode, bench.model)];
    parts.push(grounds(bench).into_iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n"));
    if !notable.is_empty() {
        parts.push(table(bench, &notable));
    }
    parts.push(format!(
        "<details><summary>all {} benchmarks</summary>\n\n{}\n\n</details>",
        judged.len(),
        table(bench, &judged)
    ));
    parts.join("\n\n")
}

fn table(bench: &BenchReport, judged: &[&Judged]) -> String {
    let head = format!("| | benchmark | n | p50 | {} | |\n|---|---|---:|---|---|---|", change_heading(bench));
    let row = |judged: &&Judged| {
        let ended = if judged.gated {
            word(&judged.decision).to_owned()
        } else {
            format!("({})", word(&judged.decision).to_lowercase())
        };
        format!(
            "| {ended} | `{}` | {}/{} | {} | {} | {} |",
            judged.id,
            judged.n_baseline,
            judged.n_new,
            medians(judged),
            judged.change.as_ref().map(change).unwrap_or_else(|| "–".into()),
            reason(judged).unwrap_or_default()
        )
    };
    std::iter::once(head).chain(judged.iter().map(row)).collect::<Vec<_>>().join("\n")
}
