//! A trend as an SVG: a panel for each series, its levels as lines, its changes marked with their date.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::table::{date, heading};
use super::{Change, Series, Trend};
use crate::report::figure::{Figure, signed};
use crate::report::plot::{
    Area, Axis, Chart, DrawError, GREY, SMALL, TITLE, axes, beside, colour, numbers, page, short, style,
    upper,
};

/// A panel's size in pixels.
const PANEL: (u32, u32) = (900, 280);
/// The most panels of one file.
const MOST: usize = 24;

/// The plot of all series.
pub(super) fn svg(trend: &Trend) -> Result<String, DrawError> {
    let panels = &trend.series[..trend.series.len().min(MOST)];
    let title = format!("{} over time", trend.metric.title());
    let left_out = trend.series.len() - panels.len();
    let mut subtitle = String::from("each point one result; grey: the level; dashed: a change of level");
    if left_out > 0 {
        subtitle.push_str(&format!("; {left_out} further series are not shown"));
    }
    let height = PANEL.1 * panels.len().max(1) as u32 + TITLE as u32;
    page((PANEL.0, height), &title, &subtitle, |area| {
        let (_, rest) = area.split_vertically(TITLE);
        for (part, series) in rest.split_evenly((panels.len().max(1), 1)).iter().zip(panels) {
            panel(part, series, trend.metric)?;
        }
        Ok(())
    })
}

fn panel(area: &Area<'_>, series: &Series, metric: Figure) -> Result<(), DrawError> {
    let unit = unit(series);
    let times: Vec<_> = series.points.iter().map(|point| point.timestamp.as_second() as f64 / unit).collect();
    let (first, last) = (times.first().copied().unwrap_or(0.0), times.last().copied().unwrap_or(0.0));
    // A lone result stands in the middle.
    let margin = if last > first { (last - first) * 0.03 } else { 0.5 };
    let top = upper(series.points.iter().map(|point| point.value_ms));
    let caption = format!("{} · {} results", short(&heading(series), 90), series.points.len());
    let mut chart = ChartBuilder::on(area)
        .caption(caption, style(14, BLACK, HPos::Left, VPos::Top))
        .margin_top(8)
        .margin_left(8)
        .margin_right(28)
        .x_label_area_size(44)
        .y_label_area_size(72)
        .build_cartesian_2d(first - margin..last + margin, 0.0..top)?;
    let name = format!("{} (ms)", metric.title());
    axes(
        &mut chart,
        &Axis { name: "date (UTC)", labels: 8, label: &|at| label(*at, unit), grid: false },
        Some(&Axis { name: &name, labels: 6, label: &numbers(top), grid: true }),
    )?;
    let points = || times.iter().zip(&series.points).map(|(&at, point)| (at, point.value_ms));
    chart.draw_series(
        levels(series, &times).into_iter().map(|ends| PathElement::new(ends, GREY.mix(0.5).stroke_width(6))),
    )?;
    chart.draw_series(LineSeries::new(points(), colour(0).stroke_width(1)))?;
    // A year of days would be one thick line.
    let radius = if times.len() > 100 { 2 } else { 4 };
    chart.draw_series(points().map(|point| Circle::new(point, radius, colour(0).filled())))?;
    for change in &series.changes {
        let at = times[change.number - 1];
        mark(&mut chart, change, at, top, at > (first + last) / 2.0)?;
    }
    Ok(())
}

/// A dashed line where the level changed, with the change beside it.
fn mark(
    chart: &mut Chart<'_, '_>,
    change: &Change,
    at: f64,
    top: f64,
    right_half: bool,
) -> Result<(), DrawError> {
    let ink = colour(1);
    chart.draw_series(DashedLineSeries::new([(at, 0.0), (at, top)], 5, 4, ink.stroke_width(2)))?;
    let day = &date(change.timestamp)[..10];
    let text = format!("#{} {day} {}", change.number, signed(change.change_percent));
    let (text, side) = beside(&text, right_half);
    chart.draw_series([Text::new(text, (at, top * 0.08), style(SMALL, ink, side, VPos::Bottom))])?;
    Ok(())
}

/// The levels between the changes, from end to end.
fn levels(series: &Series, times: &[f64]) -> Vec<Vec<(f64, f64)>> {
    let Some(first) = series.changes.first() else { return Vec::new() };
    let mut levels = vec![(1, first.before_ms)];
    levels.extend(series.changes.iter().map(|change| (change.number, change.after_ms)));
    let ends = levels.iter().skip(1).map(|(number, _)| *number).chain([times.len()]);
    levels
        .iter()
        .zip(ends)
        .map(|((from, level), to)| vec![(times[from - 1], *level), (times[to - 1], *level)])
        .collect()
}

/// The unit of the time axis in seconds, so that its marks stand at midnights or at full hours.
fn unit(series: &Series) -> f64 {
    let ends = series.points.first().zip(series.points.last());
    let span = ends.map_or(0, |(first, last)| last.timestamp.as_second() - first.timestamp.as_second());
    if span < 3 * 86_400 { 3_600.0 } else { 86_400.0 }
}

/// A date, with the time of day where the unit is an hour.
fn label(at: f64, unit: f64) -> String {
    let format = if unit < 86_400.0 { "%m-%d %H:%M" } else { "%Y-%m-%d" };
    jiff::Timestamp::from_second((at * unit) as i64).unwrap_or_default().strftime(format).to_string()
}
