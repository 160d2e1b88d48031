//! Each request's time to first token against its total latency.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::subtitle;
use crate::report::exported::{Configuration, Exported};
use crate::report::plot::{
    Area, Axis, DrawError, GREY, SMALL, TITLE, axes, colour, numbers, page, short, style, upper,
};

/// The size of the chart in pixels.
const SIZE: (u32, u32) = (960, 560);
/// The width of the legend, in pixels.
const LEGEND: i32 = 240;
/// The most configurations that can be told apart by colour and legend.
const MOST: usize = 20;

/// A configuration's name and its points: TTFT, total.
type Points = (String, Vec<(f64, f64)>);

pub(super) fn svg(result: &Exported) -> Result<String, DrawError> {
    let streamed: Vec<Points> = result.configurations.iter().filter_map(points).collect();
    let left_out = result.configurations.len() - streamed.len().min(MOST);
    let mut subtitle = subtitle(result);
    if left_out > 0 && !streamed.is_empty() {
        subtitle.push_str(&format!(" · {left_out} without a TTFT (not streamed), or without room"));
    }
    page(SIZE, &format!("{}: time to first token against total latency", result.name), &subtitle, |area| {
        if streamed.is_empty() {
            let text = "No request has a time to first token: the answers were not streamed.";
            let middle = (SIZE.0 as i32 / 2, SIZE.1 as i32 / 2);
            return area.draw(&Text::new(text, middle, style(16, GREY, HPos::Center, VPos::Center)));
        }
        plot(area, &streamed[..streamed.len().min(MOST)])
    })
}

fn points(configuration: &Configuration) -> Option<Points> {
    let points = configuration.timings.iter().filter_map(|timing| Some((timing.ttft_ms?, timing.latency_ms)));
    let points: Vec<_> = points.collect();
    let name = format!("{} · n = {}", short(&configuration.name, 24), points.len());
    (!points.is_empty()).then_some((name, points))
}

fn plot(area: &Area<'_>, streamed: &[Points]) -> Result<(), DrawError> {
    let all = || streamed.iter().flat_map(|(_, points)| points.iter().copied());
    let (right, top) = (upper(all().map(|point| point.0)), upper(all().map(|point| point.1)));
    let mut chart = ChartBuilder::on(area)
        .margin_top(TITLE + 8)
        .margin_right(LEGEND)
        .margin_left(8)
        .margin_bottom(8)
        .x_label_area_size(46)
        .y_label_area_size(72)
        .build_cartesian_2d(0.0..right, 0.0..top)?;
    axes(
        &mut chart,
        &Axis { name: "time to first token (ms)", labels: 8, label: &numbers(right), grid: true },
        Some(&Axis { name: "total latency (ms)", labels: 8, label: &numbers(top), grid: true }),
    )?;
    let left = SIZE.0 as i32 - LEGEND + 20;
    for (number, (name, points)) in streamed.iter().enumerate() {
        let ink = colour(number).mix(0.75).filled();
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 4, ink)))?;
        let y = TITLE + 20 + 22 * number as i32;
        area.draw(&Circle::new((left, y), 5, colour(number).filled()))?;
        let at = (left + 12, y);
        area.draw(&Text::new(name.clone(), at, style(SMALL, BLACK, HPos::Left, VPos::Center)))?;
    }
    Ok(())
}
