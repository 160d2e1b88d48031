//! What a gate found: for a console, a pull request, a program, a build server.

pub mod exports;
#[cfg(feature = "cli")]
pub mod junit;
pub mod markdown;
pub mod text;

use crate::baseline::LIVE_RUNS;
use crate::gate::{BenchReport, Report};
use crate::metric::Metric;
use crate::stats::Interval;
use crate::verdict::gate::{Decision, Judged, Kind, Outcome, Shared};

/// The report as JSON; its schema is `fixtures/schemas/gate.v1.json`.
pub fn json(report: &Report) -> String {
    serde_json::to_string_pretty(report)
        .unwrap_or_else(|error| unreachable!("a report is plain data: {error}"))
}

/// One word for how a benchmark ended.
fn word(decision: &Decision) -> &'static str {
    match decision {
        Decision::Pass => "pass",
        Decision::Improved => "improved",
        Decision::Regression => "REGRESSION",
        Decision::Inconclusive { .. } => "inconclusive",
        Decision::Uncalibrated => "uncalibrated",
    }
}

/// What the column of changes holds.
fn change_heading(bench: &BenchReport) -> &'static str {
    match (bench.verdict.kind, &bench.verdict.shared) {
        (Kind::Ratio, _) => "ratio's change [95%]",
        (Kind::Paired, Some(_)) => "change beyond that [95%]",
        (Kind::Paired, None) => "change [95%]",
    }
}

/// `+12.3% [+10.1, +14.6]`.
fn change(interval: &Interval) -> String {
    let percent = |fraction: f64| format!("{:+.1}", fraction * 100.0).replace('-', "−");
    format!("{}% [{}, {}]", percent(interval.estimate), percent(interval.low), percent(interval.high))
}

/// `72.1 ms → 93.5 ms`.
fn medians(judged: &Judged) -> String {
    let metric = Metric::new(judged.metric.clone(), judged.unit);
    format!("{} → {}", metric.show(judged.before), metric.show(judged.after))
}

/// Why a benchmark ended as it did, where that is not plain.
fn reason(judged: &Judged) -> Option<String> {
    let seen = judged.detectable.map(|change| format!("only {:+.0}% would have been seen", change * 100.0));
    let needs = match judged.decision {
        Decision::Inconclusive { more: Some(more) } => Some(format!("{more} more samples would decide")),
        Decision::Inconclusive { more: None } if judged.note.is_none() => {
            Some("more runs of the baseline would decide".into())
        }
        _ => None,
    };
    let doubt = needs.and_then(|needs| Some(format!("{}; {needs}", seen?)));
    let all: Vec<_> = doubt.into_iter().chain(judged.note.clone()).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// What moved everything alike, in a sentence.
fn shared(shared: &Shared, kind: Kind) -> String {
    let Shared { change: moved, benchmarks, decision } = shared;
    let what = format!("{benchmarks} benchmarks moved alike, by {}", change(moved));
    match (kind, decision) {
        (Kind::Ratio, _) => format!("{what}: drift of the target, taken off"),
        (Kind::Paired, Decision::Regression) => {
            format!("REGRESSION: {what}; each is judged by what it moved beyond that")
        }
        (Kind::Paired, _) => format!("{what}; each is judged by what it moved beyond that"),
    }
}

/// What the judgement of a bench rests on, in sentences.
fn grounds(bench: &BenchReport) -> Vec<String> {
    let mut lines = vec![match bench.verdict.kind {
        Kind::Paired => "Paired round by round: both runs saw the same simulated noise.".to_owned(),
        Kind::Ratio => format!(
            "Live: ratios to the control, over {} baseline runs{}.",
            bench.baseline_runs.len(),
            bench
                .verdict
                .between_runs
                .map(|sd| format!(" that differ by {:.1}% (standard deviation)", sd * 100.0))
                .unwrap_or_default()
        ),
    }];
    if !bench.verdict.calibrated {
        let runs = bench.baseline_runs.len();
        lines.push(format!(
            "UNCALIBRATED: {runs} of the {LIVE_RUNS} runs that a live baseline needs, made at different times (llmlab baseline save NAME --add); nothing fails until then."
        ));
    }
    lines.extend(bench.verdict.shared.as_ref().map(|moved| shared(moved, bench.verdict.kind)));
    if !bench.confirming_runs.is_empty() {
        lines.push(format!("Suspects were measured {} more times.", bench.confirming_runs.len()));
    }
    lines.extend(bench.notes.iter().map(|note| format!("note: {note}")));
    lines
}

/// The whole in one line.
fn headline(report: &Report) -> String {
    let count = |decision: &Decision| {
        report.count(|other| std::mem::discriminant(other) == std::mem::discriminant(decision))
    };
    let counts = [
        Decision::Regression,
        Decision::Inconclusive { more: None },
        Decision::Uncalibrated,
        Decision::Improved,
        Decision::Pass,
    ];
    let shared = report.benches.iter().any(|bench| {
        bench.verdict.shared.as_ref().is_some_and(|moved| moved.decision == Decision::Regression)
    });
    let counts = counts
        .iter()
        .map(|decision| (count(decision), word(decision).to_lowercase()))
        .filter(|(n, _)| *n > 0);
    let counts: Vec<_> = shared
        .then(|| "all slower alike".to_owned())
        .into_iter()
        .chain(counts.map(|(n, word)| format!("{n} {word}")))
        .collect();
    let outcome = match report.outcome {
        Outcome::Pass if report.benches.iter().any(|bench| !bench.verdict.calibrated) => {
            "UNCALIBRATED (nothing fails)"
        }
        Outcome::Pass => "PASS",
        Outcome::Regression => "REGRESSION",
        Outcome::Inconclusive => "INCONCLUSIVE",
    };
    format!("{outcome} against baseline {}: {}", report.baseline, counts.join(", "))
}

/// Benchmarks by how much they matter to a reader: what failed, what is in doubt, what improved.
fn by_weight(bench: &BenchReport) -> Vec<&Judged> {
    let weight = |judged: &&Judged| match (judged.gated, judged.decision) {
        (true, Decision::Regression) => 0,
        (true, Decision::Inconclusive { .. } | Decision::Uncalibrated) => 1,
        (true, Decision::Improved) => 2,
        (true, Decision::Pass) => 3,
        (false, _) => 4,
    };
    let mut judged: Vec<_> = bench.verdict.benchmarks.iter().collect();
    judged.sort_by_key(weight);
    judged
}
