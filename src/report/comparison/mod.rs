//! A comparison for the console: a table of latencies, and a sentence for each verdict.
//!
//! It shows what an exported [`Comparison`] holds and nothing else, so a file read back reads the same.

mod sentences;
mod variance;

use super::instrument;
use super::results::{ArmResult, Comparison, Ending, WHOLE};
use super::table;
use crate::experiment::GroupSummary;
use crate::instrument::Certificate;
use crate::stats;

const TITLE: &str = "Benchmark Comparison";
/// The columns and their widths; between them stands a space, but for the first.
const COLUMNS: [(&str, usize); 7] = [
    ("Config", 25),
    ("p50", 12),
    ("p95", 12),
    ("p99", 12),
    ("TTFT p50", 12),
    ("Tokens/s", 10),
    ("Success", 8),
];
/// What stands in place of a figure that does not exist.
const NONE: &str = "N/A";
/// Errors of one arm that are shown; the file has all.
const ERRORS_SHOWN: usize = 3;

/// Colours for a terminal, or none.
#[derive(Debug, Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    fn doubtful(self, text: &str) -> String {
        self.with("33", text)
    }
}

/// The whole comparison as text, with colours only if `colour`.
pub fn text(comparison: &Comparison, colour: bool) -> String {
    let paint = Paint(colour);
    let groups = comparison.summary.iter().map(|group| section(comparison, group, paint));
    let mut lines: Vec<String> = groups.flatten().collect();
    if comparison.results.iter().any(|result| result.stats.count > 1) {
        lines.push(variance::LEGEND.into());
    }
    lines.extend(comparison.verdicts.first().map(sentences::promise));
    lines.push(ending(comparison, paint));
    if let Some(certificate) = &comparison.instrument {
        lines.extend(certified(certificate, paint));
    }
    lines.join("\n")
}

/// The results of one group.
fn of<'a>(comparison: &'a Comparison, group: &'a GroupSummary) -> impl Iterator<Item = &'a ArmResult> {
    comparison.results.iter().filter(|result| result.config.group == group.name)
}

fn section(comparison: &Comparison, group: &GroupSummary, paint: Paint) -> Vec<String> {
    let header = row(COLUMNS.map(|(name, _)| name.to_owned()));
    let rule = "=".repeat(header.len());
    let mut lines = vec![rule.clone(), paint.bold(TITLE), rule, header];
    lines.extend(of(comparison, group).map(|result| line(result, paint)));
    if of(comparison, group).any(|result| is_marked(result.stats.count)) {
        lines.push("* fewer than 100 rounds: this p99 is little more than the largest value".into());
    }
    lines.extend(unnamed_latency(group));
    let truth = &comparison.provenance.truth;
    lines.extend([
        String::new(),
        paint.bold(&format!(
            "{} · {truth} · {} · n = {} rounds after one to warm up",
            group.name, group.model, group.rounds
        )),
        group.question.clone(),
    ]);
    lines.extend(table::counted(group).map(|table| table.to_string()));
    lines.extend(table::cautions(group).iter().map(|text| paint.doubtful(text)));
    lines.extend(sentences::of_group(comparison, group, paint));
    lines.extend(variance::of_group(comparison, group, paint));
    lines.extend(errors(comparison, group, paint));
    lines.push(String::new());
    lines
}

fn line(result: &ArmResult, paint: Paint) -> String {
    let stats = &result.stats;
    let time = |value: Option<f64>| value.map_or_else(|| NONE.to_owned(), milliseconds);
    let mark = if is_marked(stats.count) && stats.latency_p99_ms.is_some() { "*" } else { "" };
    let text = row([
        result.config.name.clone(),
        time(stats.latency_p50_ms),
        time(stats.latency_p95_ms),
        time(stats.latency_p99_ms) + mark,
        time(stats.ttft_p50_ms),
        stats.avg_tokens_per_second.map_or_else(|| NONE.to_owned(), |rate| format!("{rate:.1}")),
        format!("{:.1}%", result.success_rate),
    ]);
    if result.success_rate < 100.0 { paint.doubtful(&text) } else { text }
}

/// What the percentiles are of, where the arms have neither a total nor a makespan.
fn unnamed_latency(group: &GroupSummary) -> Option<String> {
    let mut measured = group.arms.iter().flat_map(|arm| arm.metrics.keys());
    let primary = &group.primary;
    (!measured.any(|name| WHOLE.iter().any(|whole| whole.name() == name)))
        .then(|| format!("p50, p95 and p99 are of {primary}."))
}

/// Cells padded to their columns' widths; what is longer pushes the rest to the right.
fn row(cells: [String; COLUMNS.len()]) -> String {
    let mut text = String::new();
    for (index, (cell, (_, width))) in cells.iter().zip(COLUMNS).enumerate() {
        if index > 1 || (index == 1 && cells[0].chars().count() >= COLUMNS[0].1) {
            text.push(' ');
        }
        text += &format!("{cell:<width$}");
    }
    text
}

/// `89ms`, `1.35s`; below 10 ms with a decimal.
fn milliseconds(value: f64) -> String {
    match value {
        value if value >= 1e3 => format!("{:.2}s", value / 1e3),
        value if value >= 10.0 => format!("{value:.0}ms"),
        value => format!("{value:.1}ms"),
    }
}

/// Whether the sample is too small for its 99th percentile.
fn is_marked(n: usize) -> bool {
    stats::marked_below(0.99).is_some_and(|least| n < least)
}

fn errors(comparison: &Comparison, group: &GroupSummary, paint: Paint) -> Vec<String> {
    let failed: Vec<_> = of(comparison, group).filter(|result| !result.errors.is_empty()).collect();
    let mut lines = Vec::new();
    if !failed.is_empty() {
        lines.push(paint.doubtful("Requests failed; their times are in no figure above:"));
    }
    for result in failed {
        let name = &result.config.name;
        lines.extend(result.errors.iter().take(ERRORS_SHOWN).map(|error| format!("  {name}: {error}")));
        if let Some(more) = result.errors.len().checked_sub(ERRORS_SHOWN).filter(|&more| more > 0) {
            lines.push(format!("  {name}: and {more} more"));
        }
    }
    lines
}

/// What is known of the instrument, and whether it makes the figures worthless.
fn certified(certificate: &Certificate, paint: Paint) -> Vec<String> {
    let lines = instrument::lines(certificate);
    let bad = |line: String| if line.starts_with("INVALID") { paint.bad(&line) } else { line };
    lines.into_iter().map(bad).collect()
}

/// Why the run ended, in a sentence.
fn ending(comparison: &Comparison, paint: Paint) -> String {
    let why = comparison.error.as_deref().map(|error| format!(" ({error})")).unwrap_or_default();
    if comparison.smoke && comparison.ending == Ending::AllRounds {
        return "Smoke run: so few rounds show that it works and decide nothing.".into();
    }
    match comparison.ending {
        Ending::Decided if comparison.verdicts.is_empty() => {
            "Nothing was compared: no arm that was asked has a control beside it.".into()
        }
        Ending::Decided => "Every comparison of a primary metric is decided.".into(),
        Ending::AllRounds => "As many rounds were made as were asked for.".into(),
        Ending::MaxRounds => {
            paint.doubtful("The most rounds were made (--max-rounds), and something stayed open.")
        }
        Ending::Budget => {
            paint.doubtful(&format!("The budget is spent; the figures are of the rounds until then{why}."))
        }
        Ending::Interrupted => paint.doubtful("Interrupted; the figures are of the rounds until then."),
        Ending::Failed => {
            paint.bad(&format!("An arm failed for good{why}; the figures are of the rounds until then."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_the_columns_and_widths_that_scripts_know() {
        let header = row(COLUMNS.map(|(name, _)| name.to_owned()));
        assert_eq!(
            header.trim_end(),
            "Config                   p50          p95          p99          TTFT p50     Tokens/s   Success"
        );
    }

    #[test]
    fn times_are_milliseconds_below_a_second() {
        assert_eq!([3.12, 89.4, 999.0, 1_345.0].map(milliseconds), ["3.1ms", "89ms", "999ms", "1.34s"]);
    }

    #[test]
    fn colours_are_left_out_unless_asked_for() {
        assert_eq!(Paint(false).good("faster"), "faster");
        assert_eq!(Paint(true).good("faster"), "\x1b[32mfaster\x1b[0m");
    }
}
