//! Two or more exported results side by side: what the later ones improved against the first.

use comfy_table::{CellAlignment, Table, presets};
use serde::{Serialize, Serializer};
use thiserror::Error;

use super::exported::{Configuration, Exported};
use super::figure::{Figure, signed, time};
use crate::stats::{self, Interval};

/// What is compared, in the order of the table.
const FIGURES: [Figure; 4] = [Figure::P50, Figure::P95, Figure::P99, Figure::TTFT_P50];
/// The version of the JSON's form.
pub const COMPARE_SCHEMA_VERSION: u32 = 1;
/// The seed of the bootstrap: the same files always give the same intervals.
const SEED: u64 = 0x636f_6d70;

/// One result against the first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The first file.
    pub first: String,
    /// The file compared with it.
    pub other: String,
    /// The figures of the configurations that both hold.
    pub rows: Vec<Row>,
    /// What the reader must know besides: other sources, configurations in one file alone.
    pub remarks: Vec<String>,
}

/// Several results, each compared with the first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparisons {
    /// The version of this form.
    pub schema_version: u32,
    /// In the order in which the results were named.
    pub comparisons: Vec<Comparison>,
}

impl Comparisons {
    /// Comparisons in their order.
    pub fn new(comparisons: Vec<Comparison>) -> Self {
        Self { schema_version: COMPARE_SCHEMA_VERSION, comparisons }
    }

    /// As tables, see [`table`].
    pub fn text(&self, colour: bool) -> String {
        self.comparisons.iter().map(|comparison| table(comparison, colour)).collect::<Vec<_>>().join("\n\n")
    }
}

/// One figure of one configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The configuration's name.
    pub configuration: String,
    /// The figure.
    #[serde(serialize_with = "by_name")]
    pub figure: Figure,
    /// How many values each side has, the first file's first.
    pub n: [Option<usize>; 2],
    /// The figure on each side in milliseconds, the first file's first.
    pub values: [f64; 2],
    /// By how much the other is faster than the first, in percent of the first: above 0 is faster.
    pub improvement: f64,
    /// The improvement with its 95% interval, where both sides have single values and enough of them
    /// ([`stats::gate_floor`]). The values of two runs are unpaired: see [`stats::quantile_ratio`].
    pub interval: Option<Interval>,
}

/// Two results without a configuration in common.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{other} and {first} have no configuration in common: {theirs} there, {ours} here")]
pub struct NothingInCommon {
    other: String,
    first: String,
    theirs: String,
    ours: String,
}

impl Comparison {
    /// Compares `other` with `first`.
    ///
    /// # Errors
    /// When they have no configuration in common.
    pub fn of(first: &Exported, other: &Exported) -> Result<Self, NothingInCommon> {
        let (ours, theirs) = (&first.configurations, &other.configurations);
        let pairs = first.beside(other).filter_map(|(ours, theirs)| Some((ours, theirs?)));
        let rows: Vec<Row> = pairs.flat_map(|(ours, theirs)| rows(ours, theirs)).collect();
        if rows.is_empty() {
            return Err(NothingInCommon {
                other: other.path.display().to_string(),
                first: first.path.display().to_string(),
                theirs: names(theirs),
                ours: names(ours),
            });
        }
        let [first_name, other_name] = file_names(first, other);
        Ok(Self { remarks: remarks(first, other), first: first_name, other: other_name, rows })
    }
}

/// The files' names, with their folders where the names alone are the same.
fn file_names(first: &Exported, other: &Exported) -> [String; 2] {
    let names = [first, other].map(Exported::file_name);
    if names[0] == names[1] { [first, other].map(|file| file.path.display().to_string()) } else { names }
}

fn names(configurations: &[Configuration]) -> String {
    configurations.iter().map(|configuration| configuration.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn rows(first: &Configuration, other: &Configuration) -> Vec<Row> {
    let row = |figure: Figure| {
        let values = [first.figure(figure)?, other.figure(figure)?];
        let (before, after) = (first.values(figure.cost), other.values(figure.cost));
        let q = figure.quantile.position();
        let enough = before.values.len().min(after.values.len()) >= stats::gate_floor(q)?;
        let ratio = stats::quantile_ratio(&before.values, &after.values, q, SEED).filter(|_| enough);
        Some(Row {
            configuration: first.name.clone(),
            figure,
            n: [before.n(), after.n()],
            values,
            improvement: improvement(values[1] / values[0]),
            interval: ratio.map(|ratio| Interval {
                estimate: improvement(ratio.estimate),
                low: improvement(ratio.high),
                high: improvement(ratio.low),
            }),
        })
    };
    FIGURES.into_iter().filter_map(row).collect()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn by_name<S: Serializer>(figure: &Figure, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(figure)
}

fn improvement(ratio: f64) -> f64 {
    (1.0 - ratio) * 100.0
}

fn remarks(first: &Exported, other: &Exported) -> Vec<String> {
    let [a, b] = file_names(first, other);
    let mut remarks = Vec::new();
    if first.source != other.source {
        let label = |file: &Exported| {
            let target = file.source.target.as_ref().map(|target| format!(" of {target}"));
            format!("{}{}", file.source.label(), target.unwrap_or_default())
        };
        remarks.push(format!(
            "{a} is {}, {b} is {}: more than the code differs between them.",
            label(first),
            label(other)
        ));
    }
    remarks.extend(other_models(first, other, [&a, &b]));
    for (file, ours, theirs) in [(&a, first, other), (&b, other, first)] {
        let alone = ours.beside(theirs).filter(|(_, theirs)| theirs.is_none());
        let alone: Vec<_> = alone.map(|(ours, _)| ours.name.as_str()).collect();
        if !alone.is_empty() {
            remarks.push(format!("Only in {file}: {}.", alone.join(", ")));
        }
        if ours.interrupted {
            remarks.push(format!("{file} was interrupted before its end."));
        }
        if let Some(reason) = &ours.invalid {
            remarks.push(format!("{file} is INVALID: {reason}."));
        }
    }
    remarks
}

/// A sentence for each pair of models that were asked in the same configuration.
fn other_models(first: &Exported, other: &Exported, [a, b]: [&str; 2]) -> Vec<String> {
    let pairs = first.beside(other).filter_map(|(ours, theirs)| Some((ours, theirs?)));
    let model = |of: &Configuration| of.model.clone().unwrap_or_else(|| "no named model".into());
    let mut sentences: Vec<String> = pairs
        .filter(|(ours, theirs)| ours.model != theirs.model)
        .map(|(ours, theirs)| format!("{a} asked {}, {b} {}.", model(ours), model(theirs)))
        .collect();
    sentences.sort_unstable();
    sentences.dedup();
    sentences
}

/// The comparison as a table; `colour` paints what is surely faster green and what is surely slower red.
pub fn table(comparison: &Comparison, colour: bool) -> String {
    let mut table = Table::new();
    let (first, other) = (&comparison.first, &comparison.other);
    let header = ["config", "figure", "n", first, other, "95% interval", "improvement"];
    table.load_style(presets::NOTHING).set_header(header);
    for row in &comparison.rows {
        table.add_row(cells(row));
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let text = table.to_string();
    let mut lines =
        vec![format!("Improvement of {other} against {first}: positive = faster, negative = slower")];
    let mut body = text.lines().map(str::trim_end);
    lines.extend(body.next().map(str::to_owned));
    lines.extend(
        body.zip(&comparison.rows).map(|(line, row)| if colour { paint(line, row) } else { line.into() }),
    );
    if comparison.rows.iter().any(|row| !mark(row).is_empty()) {
        lines.push("* fewer than 100 values: this p99 is little more than the largest of them".into());
    }
    if comparison.rows.iter().any(|row| row.interval.is_none()) {
        lines.push("– no interval: single values are missing, or too few for this percentile".into());
    }
    lines.extend(comparison.remarks.iter().cloned());
    lines.join("\n")
}

fn cells(row: &Row) -> [String; 7] {
    let n = row.n.map(|n| n.map_or_else(|| "?".into(), |n| n.to_string()));
    let interval =
        row.interval.map(|interval| format!("[{}, {}]", signed(interval.low), signed(interval.high)));
    [
        row.configuration.clone(),
        format!("{}{}", row.figure.title(), mark(row)),
        if n[0] == n[1] { n[0].clone() } else { n.join(" / ") },
        time(row.values[0]),
        time(row.values[1]),
        interval.unwrap_or_else(|| "–".into()),
        signed(row.improvement),
    ]
}

/// The mark of a percentile that its sample is too small for.
fn mark(row: &Row) -> &'static str {
    let fewest = row.n.iter().flatten().min();
    let least = stats::marked_below(row.figure.quantile.position());
    let small = fewest.zip(least).is_some_and(|(&n, least)| n < least);
    if row.figure.quantile == crate::verdict::Quantile::P99 && small { "*" } else { "" }
}

/// The line with its improvement, which stands last, in colour; not where the interval includes none.
fn paint(line: &str, row: &Row) -> String {
    let cell = signed(row.improvement);
    let sure = row.interval.is_none_or(|interval| !interval.contains(0.0));
    match line.strip_suffix(&cell) {
        Some(rest) if sure && row.improvement > 0.0 => format!("{rest}\u{1b}[32m{cell}\u{1b}[0m"),
        Some(rest) if sure && row.improvement < 0.0 => format!("{rest}\u{1b}[31m{cell}\u{1b}[0m"),
        _ => line.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn exported(name: &str, values: &[f64]) -> Exported {
        let timings: Vec<_> =
            values.iter().map(|ms| serde_json::json!({"latency_ms": ms, "ttft_ms": ms / 4.0})).collect();
        let file = serde_json::json!({"results": [{"config": {"name": "on"}, "timing_results": timings}]});
        Exported::parse(Path::new(name), &file.to_string()).unwrap()
    }

    fn spread(scale: f64) -> Vec<f64> {
        (0..50).map(|index| scale * (100.0 + f64::from(index * 7 % 50))).collect()
    }

    #[test]
    fn faster_is_positive_and_green() {
        let comparison = Comparison::of(&exported("a", &spread(1.0)), &exported("b", &spread(0.5))).unwrap();
        let p50 = &comparison.rows[0];
        assert!((p50.improvement - 50.0).abs() < 1e-9 && p50.interval.unwrap().low > 0.0, "{p50:?}");
        assert!(table(&comparison, true).contains("\u{1b}[32m+50.0%\u{1b}[0m"));
        assert!(!table(&comparison, false).contains('\u{1b}'));
    }

    #[test]
    fn slower_is_negative_and_red_and_what_is_not_sure_has_no_colour() {
        let slower = Comparison::of(&exported("a", &spread(1.0)), &exported("b", &spread(1.5))).unwrap();
        assert!(table(&slower, true).contains("\u{1b}[31m−50.0%\u{1b}[0m"));
        let hardly = Comparison::of(&exported("a", &spread(1.0)), &exported("b", &spread(1.001))).unwrap();
        let p50 = table(&hardly, true).lines().nth(2).unwrap().to_owned();
        assert!(!p50.contains('\u{1b}'), "{p50:?}");
    }

    #[test]
    fn a_percentile_of_too_few_values_has_no_interval() {
        let few = Comparison::of(&exported("a", &spread(1.0)), &exported("b", &spread(0.9))).unwrap();
        let interval = |figure| few.rows.iter().find(|row| row.figure == figure).unwrap().interval;
        assert!(interval(Figure::P50).is_some() && interval(Figure::TTFT_P50).is_some());
        assert_eq!((interval(Figure::P95), interval(Figure::P99)), (None, None));
    }
}
