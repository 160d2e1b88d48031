//! A trend in a terminal.

use comfy_table::{CellAlignment, Table, presets};

use super::{Change, Point, Series, Trend};
use crate::report::figure::{Figure, signed, time};
use crate::stats::LEAST_FOR_CHANGE;

/// The heights of a small curve.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The most values that a small curve shows.
const WIDEST: usize = 60;

/// All series.
pub(super) fn text(trend: &Trend) -> String {
    trend.series.iter().map(|series| one(series, trend.metric)).collect::<Vec<_>>().join("\n\n")
}

fn one(series: &Series, metric: Figure) -> String {
    let mut lines = vec![heading(series), curve(series, metric)];
    let table = table(series, metric).to_string();
    lines.extend(table.lines().map(|line| line.trim_end().to_owned()));
    lines.extend(series.changes.iter().map(|change| sentence(change, metric)));
    if series.changes.is_empty() {
        lines.push(no_change(series.points.len(), metric));
    }
    lines.join("\n")
}

/// What the series is of: `streaming · on/50 · gpt-4o · simulated (profile fast)`.
pub(super) fn heading(series: &Series) -> String {
    let mut parts = vec![series.name.clone(), series.configuration.clone()];
    parts.extend(series.model.clone().filter(|model| *model != series.configuration));
    parts.push(series.source.label());
    parts.extend(series.source.target.clone());
    parts.join(" · ")
}

/// The figure's last values as a small curve from the smallest to the largest of them.
fn curve(series: &Series, metric: Figure) -> String {
    let shown = &series.points[series.points.len().saturating_sub(WIDEST)..];
    let values = || shown.iter().map(|point| point.value_ms);
    let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let bar = |value: f64| match most - least {
        range if range > 0.0 => BARS[(((value - least) / range) * (BARS.len() - 1) as f64).round() as usize],
        _ => BARS[0],
    };
    let bars: String = values().map(bar).collect();
    let part = if shown.len() < series.points.len() { format!("last {WIDEST}, ") } else { String::new() };
    format!("{} {bars} {part}{} to {}", metric.title(), time(least), time(most))
}

fn table(series: &Series, metric: Figure) -> Table {
    let own_column = ![Figure::P50, Figure::P95].contains(&metric);
    let mut header = vec!["#".to_owned(), "date (UTC)".into(), "n".into(), "p50".into(), "p95".into()];
    header.extend(own_column.then(|| metric.title()));
    header.extend([format!("{}, + is slower", metric.title()), String::new()]);
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    let shown = |value: Option<f64>| value.map_or_else(|| "–".into(), time);
    for (number, point) in (1..).zip(&series.points) {
        let mut row = vec![number.to_string(), date(point.timestamp)];
        row.push(point.n.map_or_else(|| "–".into(), |n| n.to_string()));
        row.extend([shown(point.p50_ms), shown(point.p95_ms)]);
        row.extend(own_column.then(|| time(point.value_ms)));
        row.push(point.change_percent.map(signed).unwrap_or_default());
        row.push(marks(series, number, point));
        table.add_row(row);
    }
    let last = table.column_count() - 1;
    for (index, column) in table.column_iter_mut().enumerate() {
        if index != 1 && index != last {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn marks(series: &Series, number: usize, point: &Point) -> String {
    let changed = series.changes.iter().any(|change| change.number == number);
    let marks = [(changed, "◀ new level"), (point.interrupted, "interrupted"), (point.invalid, "INVALID")];
    marks.into_iter().filter(|(holds, _)| *holds).map(|(_, mark)| mark).collect::<Vec<_>>().join(", ")
}

fn sentence(change: &Change, metric: Figure) -> String {
    format!(
        "Change at #{} ({} UTC, {}): {} {} before, {} after, {} (p = {:.3}).",
        change.number,
        date(change.timestamp),
        change.file,
        metric.title(),
        time(change.before_ms),
        time(change.after_ms),
        signed(change.change_percent),
        change.p_value
    )
}

fn no_change(points: usize, metric: Figure) -> String {
    if points < LEAST_FOR_CHANGE {
        return format!(
            "No change of level can be told from {points} results: it takes at least {LEAST_FOR_CHANGE}."
        );
    }
    format!("No change of level in the {} of {points} results.", metric.title())
}

/// A date and time of day, in UTC.
pub(super) fn date(timestamp: jiff::Timestamp) -> String {
    timestamp.strftime("%Y-%m-%d %H:%M").to_string()
}
