//! Profiles of an endpoint, for the console and as a file.
//!
//! The console's tables and the names of the file's fields are those that earlier profilers of such endpoints had, so
//! that whoever reads them, or parses them, need not change; what is more comes after it.

pub mod compare;
mod hints;
pub mod latency;
pub mod throughput;

use serde::Serialize;

use crate::instrument::Certificate;
use crate::profile::{Asking, Statistics};
use crate::provenance::Provenance;
use crate::session::{Estimate, Session};
use crate::stats;
use crate::stats::Percentiles;

/// The version of [`Document`]'s format.
pub const PROFILE_SCHEMA_VERSION: u32 = 1;

/// The width of most tables.
const NARROW: usize = 80;
/// The most characters of a prompt or an error that are shown.
const SHOWN: usize = 60;

/// What a profile found, as a file. The names of its fields stay as they are.
#[derive(Debug, Clone, Serialize)]
pub struct Document<Found> {
    /// The version of this format.
    pub schema_version: u32,
    /// What was profiled: `latency`, `latency_by_tokens`, `throughput`, `providers`.
    pub name: &'static str,
    /// When it started: seconds since 1970 in a comparison, as earlier profilers had it, else RFC 3339 in UTC.
    pub timestamp: serde_json::Value,
    /// Whether somebody stopped it. What was measured until then is here.
    pub interrupted: bool,
    /// Why it ended before it was complete, in words.
    pub error: Option<String>,
    /// What the figures are: simulated, replayed or live.
    pub provenance: Provenance,
    /// What is known of the instrument that measured; null until it is.
    pub instrument: Option<Certificate>,
    /// The figures.
    #[serde(flatten)]
    pub found: Found,
}

impl<Found> Document<Found> {
    /// The document of what `session` measured, by what was asked.
    pub fn new(session: &Session, name: &'static str, asking: &Asking, model: &str, found: Found) -> Self {
        let of_session = session.provenance().clone();
        let provenance = Provenance { dialect: asking.dialect, model: model.into(), ..of_session };
        let timestamp = provenance.started.clone().into();
        let (schema_version, interrupted, error) = (PROFILE_SCHEMA_VERSION, false, None);
        let instrument = None;
        Self { schema_version, name, timestamp, interrupted, error, provenance, instrument, found }
    }

    /// The same with its time as seconds since 1970.
    #[must_use]
    pub fn in_seconds(self) -> Self {
        let started = self.provenance.started.parse::<jiff::Timestamp>();
        Self { timestamp: started.map_or(serde_json::Value::Null, |at| at.as_second().into()), ..self }
    }
}

/// What will be sent to a live target, and for how much; absent for a simulated one, which costs nothing.
pub fn announcement(session: &Session, models: &[String], estimate: &Estimate) -> Option<String> {
    let cost = match estimate.usd {
        Some(usd) => format!("and spend at most about {usd}"),
        None => "at a price that is not known (prices in llmlab.toml)".into(),
    };
    let (url, requests) = (&session.provenance().base_url, estimate.requests);
    (!session.is_simulated())
        .then(|| format!("will send {requests} requests to {url} ({}), {cost}", models.join(", ")))
}

/// The same text with failures in red and advice in yellow.
pub fn painted(text: &str) -> String {
    let paint = |line: &str| match () {
        () if line.contains('❌') => format!("\x1b[31m{line}\x1b[0m"),
        () if line.starts_with('💡') => format!("\x1b[33m{line}\x1b[0m"),
        () => line.to_owned(),
    };
    text.split('\n').map(paint).collect::<Vec<_>>().join("\n")
}

/// What answers, and how it can be repeated.
fn source(session: &Session, asking: &Asking) -> String {
    let provenance = session.provenance();
    let (url, dialect) = (&provenance.base_url, asking.dialect.name());
    let streamed = if asking.stream { "" } else { ", not streamed" };
    format!("   Target: {url} ({dialect}{streamed}), {}, seed {}", provenance.truth, provenance.seed)
}

/// A prompt on one line, cut where it is long.
fn prompt(asking: &Asking) -> String {
    format!("   Prompt: {}", cut(&asking.prompt))
}

fn cut(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= SHOWN {
        return line;
    }
    line.chars().take(SHOWN).chain("...".chars()).collect()
}

/// A title between two lines.
fn title(text: &str, width: usize) -> String {
    let line = "=".repeat(width);
    format!("\n{line}\n{text}\n{line}")
}

/// The nine numbers of a sample under a heading.
fn block(heading: &str, statistics: &Statistics) -> String {
    let stdev = statistics.stdev.map_or_else(|| format!("{:>8}", "–"), |stdev| format!("{stdev:8.2}"));
    let row = |label: &str, value: &str, q: Option<f64>| {
        let few = q.and_then(stats::marked_below).is_some_and(|least| statistics.n < least);
        format!("   {label:<8}: {value}{}", if few { " *" } else { "" })
    };
    let number = |label: &str, value: f64, q| row(label, &format!("{value:8.2}"), q);
    let rows = [
        number("Mean", statistics.mean, None),
        number("Median", statistics.median, None),
        row("Std Dev", &stdev, None),
        number("Min", statistics.min, None),
        number("Max", statistics.max, None),
        number("P50", statistics.p50, Some(0.5)),
        number("P90", statistics.p90, Some(0.9)),
        number("P95", statistics.p95, Some(0.95)),
        number("P99", statistics.p99, Some(0.99)),
    ];
    format!("\n{heading}:\n{}", rows.join("\n"))
}

/// What the marks and the method of the percentiles mean; absent where there is nothing to say.
fn about_percentiles(percentiles: Percentiles, marked: bool) -> Option<String> {
    let floor = (percentiles == Percentiles::Floor).then_some(
        "Percentiles are the value at floor(n·q), not between values, for comparing with older figures.",
    );
    let few = marked.then_some("* of too few values: little more than the largest of them");
    let lines: Vec<_> = few.into_iter().chain(floor).collect();
    (!lines.is_empty()).then(|| format!("\n{}", lines.join("\n")))
}

/// The errors with how often each came, the most frequent first.
fn errors<'a>(errors: impl IntoIterator<Item = (&'a String, &'a usize)>) -> Option<String> {
    let mut errors: Vec<_> = errors.into_iter().collect();
    errors.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let line = |(error, count): (&String, &usize)| {
        let error: String = error.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("   {count} x {error}")
    };
    let lines: Vec<_> = errors.into_iter().map(line).collect();
    (!lines.is_empty()).then(|| format!("\n❌ Errors:\n{}", lines.join("\n")))
}

/// Sentences of advice.
fn advice(hints: &[String]) -> Option<String> {
    let lines: Vec<_> = hints.iter().map(|hint| format!("💡 {hint}")).collect();
    (!lines.is_empty()).then(|| format!("\n{}", lines.join("\n")))
}

/// How a request ended, at the end of its line.
fn mark(error: Option<&str>) -> String {
    error.map_or_else(|| "✅".into(), |error| format!("❌ {}", cut(error)))
}

/// A number without digits after the point, or a dash.
fn whole(value: Option<f64>, width: usize) -> String {
    value.map_or_else(|| format!("{:>width$}", "–"), |value| format!("{value:width$.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_the_shape_of_earlier_profilers_and_marks_what_rests_on_too_few() {
        let statistics =
            Statistics::of((1..=10).map(|n| f64::from(n) * 100.0), Percentiles::default()).unwrap();
        let expected = "\n⏱️  Total Latency:\n   Mean    :   550.00\n   Median  :   550.00\n   Std Dev :   302.77\n   \
            Min     :   100.00\n   Max     :  1000.00\n   P50     :   550.00\n   P90     :   910.00\n   \
            P95     :   955.00 *\n   P99     :   991.00 *";
        assert_eq!(block("⏱️  Total Latency", &statistics), expected);
    }

    #[test]
    fn failures_and_advice_alone_are_painted() {
        assert_eq!(painted("a\n💡 b\n  ❌ c"), "a\n\x1b[33m💡 b\x1b[0m\n\x1b[31m  ❌ c\x1b[0m");
    }

    #[test]
    fn a_long_prompt_is_cut_and_stays_on_one_line() {
        assert_eq!(cut("Count\n from 1"), "Count from 1");
        assert_eq!(cut(&"é".repeat(61)), format!("{}...", "é".repeat(60)));
    }
}
