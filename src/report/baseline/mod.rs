//! Baselines for the console: what was saved, what there is, how two sides differ.

pub mod json;

use comfy_table::{CellAlignment, Table, presets};

use crate::baseline::{
    BaselineError, BenchRuns, Change, Installed, Mode, Pair, Saved, SavedBench, Warning, changes, fit,
};
use crate::provenance::Machine;

/// A bench in the list of baselines.
#[derive(Debug)]
pub struct Listed<'a> {
    /// The baseline.
    pub name: &'a str,
    /// The bench.
    pub runs: &'a BenchRuns,
    /// The bytes that it takes.
    pub bytes: u64,
}

/// What was saved, and what to do with it.
pub fn saved(name: &str, saved: &Saved) -> String {
    let mut lines: Vec<_> = saved
        .benches
        .iter()
        .map(|bench| {
            let SavedBench { bench, benchmarks, runs } = bench;
            format!(
                "{bench}: {} and {} in {}",
                count(*benchmarks, "benchmark"),
                count(*runs, "run"),
                saved.path.display()
            )
        })
        .collect();
    lines.extend(saved.warnings.iter().map(|warning| format!("note: {warning}")));
    lines.push(format!("Commit it, and compare later runs with it: llmlab baseline diff {name}"));
    lines.join("\n")
}

/// What was installed, and the command that compares with it.
pub fn installed(name: &str, installed: &[Installed], now: Option<&Mode>) -> String {
    let mut lines = Vec::new();
    let here = Machine::here().class();
    for Installed { bench, benchmarks, mode, machine } in installed {
        lines.push(format!("{bench}: {} installed as `{name}`", count(*benchmarks, "benchmark")));
        if let Some(now) = now.filter(|now| *now != mode) {
            lines.push(format!("note: it was measured {mode}, and the present settings are {now}"));
        }
        if *machine != here {
            lines.push(format!("note: it was measured on another kind of machine ({machine}, here {here})"));
        }
    }
    let command = |bench: &Installed| format!("  cargo bench --bench {} -- --baseline {name}", bench.bench);
    lines.push("Compare with it:".into());
    lines.extend(installed.iter().map(command));
    lines.join("\n")
}

/// Every baseline that can be read, and why the others cannot.
pub fn list(listed: &[Listed<'_>], broken: &[(String, BaselineError)]) -> String {
    let header = ["name", "bench", "mode", "model", "runs", "benchmarks", "samples", "last run", "KB"]
        .map(String::from);
    let row = |entry: &Listed<'_>| {
        let bench = entry.runs;
        [
            entry.name.into(),
            bench.bench.clone(),
            bench.fits.mode.to_string(),
            bench.fits.model.clone(),
            bench.runs.len().to_string(),
            bench.benchmarks.len().to_string(),
            samples(bench),
            bench.runs.last().map(|run| run.started.clone()).unwrap_or_default(),
            entry.bytes.div_ceil(1024).to_string(),
        ]
    };
    let mut lines = Vec::new();
    if listed.is_empty() && broken.is_empty() {
        lines.push("no baseline yet: run `cargo bench`, then `llmlab baseline save NAME`".into());
    }
    if !listed.is_empty() {
        lines.push(table(header.into(), listed.iter().map(|entry| row(entry).into()), &[4, 5, 6, 8]));
    }
    lines.extend(broken.iter().map(|(name, error)| format!("{name}: cannot be used: {error}")));
    lines.join("\n")
}

/// How two sides of each bench differ.
pub fn differences(pairs: &[Pair<'_>]) -> String {
    pairs.iter().map(difference).collect::<Vec<_>>().join("\n")
}

/// How two sides of a bench differ, benchmark by benchmark.
pub fn difference(Pair { before, after, name, other }: &Pair<'_>) -> String {
    let header = ["benchmark", "p50 before", "p50 after", "change", "samples"].map(String::from);
    let row = |change: &Change| {
        let share = change.share().map_or("?".into(), |share| format!("{:+.1}%", share * 100.0));
        let (old, new) = change.samples;
        vec![
            change.id.clone(),
            change.metric.show(change.before),
            change.metric.show(change.after),
            share.replace('-', "−"),
            format!("{old} → {new}"),
        ]
    };
    let changes = changes(before, after);
    let mut lines = vec![format!(
        "{}: {name} ({}) against {other} ({}), the largest increase first; no verdict: llmlab gate decides",
        before.bench, before.fits.mode, after.fits.mode
    )];
    match fit(before, after) {
        Ok(warnings) => lines.extend(warnings.iter().map(|Warning(text)| format!("note: {text}"))),
        Err(mismatch) => lines.push(format!("note: not comparable: {mismatch}")),
    }
    lines.push(table(header.into(), changes.iter().map(row), &[1, 2, 3, 4]));
    lines.join("\n")
}

fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// How many values a benchmark has over all runs.
fn samples(bench: &BenchRuns) -> String {
    let counts = bench.benchmarks.iter().map(|benchmark| benchmark.runs.iter().map(Vec::len).sum::<usize>());
    match (counts.clone().min(), counts.max()) {
        (Some(least), Some(most)) if least != most => format!("{least} to {most}"),
        (Some(all), _) => all.to_string(),
        _ => "0".into(),
    }
}

fn table(header: Vec<String>, rows: impl Iterator<Item = Vec<String>>, right: &[usize]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for &column in right {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
