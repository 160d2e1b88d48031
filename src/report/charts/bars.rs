//! The p50 and p95 of each configuration, as bars side by side.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{n, subtitle};
use crate::report::exported::{Configuration, Exported};
use crate::report::figure::{Figure, time};
use crate::report::plot::{
    Area, Axis, Chart, DrawError, SMALL, TITLE, axes, colour, numbers, page, short, style, upper,
};

/// What is shown, with the number of its colour.
const FIGURES: [(Figure, usize); 2] = [(Figure::P50, 0), (Figure::P95, 1)];
/// The height of a configuration's two bars with their distance, in pixels.
const ROW: u32 = 56;
/// The width of the names, in pixels.
const NAMES: u32 = 230;

pub(super) fn svg(result: &Exported) -> Result<String, DrawError> {
    let rows = result.configurations.len();
    let size = (960, TITLE as u32 + ROW * rows as u32 + 90);
    page(size, &format!("{}: total latency by configuration", result.name), &subtitle(result), |area| {
        let values = result.configurations.iter().flat_map(|c| FIGURES.map(|(figure, _)| c.figure(figure)));
        // Room for the text after the longest bar.
        let right = upper(values.flatten()) * 1.12;
        let mut chart = ChartBuilder::on(area)
            .margin_top(TITLE + 24)
            .margin_right(24)
            .margin_left(8)
            .margin_bottom(8)
            .x_label_area_size(46)
            .y_label_area_size(NAMES)
            .build_cartesian_2d(0.0..right, 0.0..rows as f64)?;
        let x = Axis { name: "total latency (ms)", labels: 8, label: &numbers(right), grid: true };
        axes(&mut chart, &x, None)?;
        for (index, configuration) in result.configurations.iter().enumerate() {
            let middle = rows as f64 - index as f64 - 0.5;
            bars(&mut chart, configuration, middle)?;
            let (x, y) = chart.backend_coord(&(0.0, middle));
            let name = format!("{} · {}", short(&configuration.name, 24), n(configuration));
            area.draw(&Text::new(name, (x - 10, y), style(SMALL, BLACK, HPos::Right, VPos::Center)))?;
        }
        legend(area)
    })
}

/// A configuration's bars around `middle`, each with its value.
fn bars(chart: &mut Chart<'_, '_>, configuration: &Configuration, middle: f64) -> Result<(), DrawError> {
    for (place, (figure, number)) in FIGURES.into_iter().enumerate() {
        let Some(value) = configuration.figure(figure) else { continue };
        let top = middle + 0.38 - 0.38 * place as f64;
        chart.draw_series([Rectangle::new([(0.0, top - 0.34), (value, top)], colour(number).filled())])?;
        let text = format!("\u{a0}{}", time(value));
        let beside = style(SMALL, BLACK, HPos::Left, VPos::Center);
        chart.draw_series([Text::new(text, (value, top - 0.17), beside)])?;
    }
    Ok(())
}

/// What the colours mean.
fn legend(area: &Area<'_>) -> Result<(), DrawError> {
    for (place, (figure, number)) in FIGURES.into_iter().enumerate() {
        let left = NAMES as i32 + 8 + 90 * place as i32;
        area.draw(&Rectangle::new([(left, TITLE + 2), (left + 14, TITLE + 16)], colour(number).filled()))?;
        let at = (left + 20, TITLE + 9);
        area.draw(&Text::new(figure.title(), at, style(SMALL, BLACK, HPos::Left, VPos::Center)))?;
    }
    Ok(())
}
