//! How the latencies of each configuration are distributed: 20 bins, with p50 and p95.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{n, subtitle};
use crate::report::exported::{Configuration, Exported};
use crate::report::figure::{Figure, time};
use crate::report::plot::{
    Area, Axis, DrawError, SMALL, TITLE, axes, beside, colour, numbers, page, short, style,
};

/// How many bins.
const BINS: usize = 20;
/// A panel's size in pixels.
const PANEL: (u32, u32) = (520, 300);
/// The width of a panel alone in its file, in pixels.
const ALONE: u32 = 760;
/// The most panels of one file.
const MOST: usize = 24;

pub(super) fn svg(result: &Exported) -> Result<String, DrawError> {
    let with_values: Vec<_> = result.configurations.iter().filter(|c| !c.timings.is_empty()).collect();
    let shown = &with_values[..with_values.len().min(MOST)];
    let columns = if shown.len() > 1 { 2 } else { 1 };
    let rows = shown.len().div_ceil(columns).max(1);
    let mut subtitle = subtitle(result);
    let left_out = result.configurations.len() - shown.len();
    if left_out > 0 {
        subtitle.push_str(&format!(" · {left_out} more without single values, or without room"));
    }
    let size = (if columns > 1 { 2 * PANEL.0 } else { ALONE }, PANEL.1 * rows as u32 + TITLE as u32);
    page(size, &format!("{}: distribution of the total latency", result.name), &subtitle, |area| {
        let (_, rest) = area.split_vertically(TITLE);
        for (part, configuration) in rest.split_evenly((rows, columns)).iter().zip(shown) {
            panel(part, configuration)?;
        }
        Ok(())
    })
}

fn panel(area: &Area<'_>, configuration: &Configuration) -> Result<(), DrawError> {
    let values: Vec<_> = configuration.timings.iter().map(|timing| timing.latency_ms).collect();
    let bins = Bins::of(&values);
    let most = bins.counts.iter().copied().max().unwrap_or_default().max(1);
    let caption = format!("{} · {}", short(&configuration.name, 40), n(configuration));
    let mut chart = ChartBuilder::on(area)
        .caption(caption, style(14, BLACK, HPos::Left, VPos::Top))
        .margin_top(8)
        .margin_left(8)
        .margin_right(24)
        .x_label_area_size(46)
        .y_label_area_size(56)
        // Air above the bars for the names of the percentiles.
        .build_cartesian_2d(bins.low..bins.high(), 0.0..most as f64 * 1.25)?;
    // There is no half request.
    let whole = |value: &f64| if value.fract() == 0.0 { format!("{value:.0}") } else { String::new() };
    axes(
        &mut chart,
        &Axis { name: "total latency (ms)", labels: 7, label: &numbers(bins.high() - bins.low), grid: false },
        Some(&Axis { name: "requests", labels: most.min(5) + 1, label: &whole, grid: true }),
    )?;
    chart.draw_series(bins.counts.iter().enumerate().map(|(index, &count)| {
        let left = bins.low + bins.width * index as f64;
        let mut bar = Rectangle::new([(left, 0.0), (left + bins.width, count as f64)], colour(5).filled());
        bar.set_margin(0, 0, 1, 1);
        bar
    }))?;
    for (number, figure, height) in [(0, Figure::P50, 1.24), (1, Figure::P95, 1.12)] {
        let Some(at) = configuration.figure(figure) else { continue };
        let text = format!("{} {}", figure.title(), time(at));
        let (text, side) = beside(&text, at > (bins.low + bins.high()) / 2.0);
        let (top, ink) = (most as f64 * height, colour(number));
        chart.draw_series([PathElement::new([(at, 0.0), (at, top)], ink.stroke_width(2))])?;
        chart.draw_series([Text::new(text, (at, top), style(SMALL, ink, side, VPos::Top))])?;
    }
    Ok(())
}

/// Values counted in bins of one width.
struct Bins {
    low: f64,
    width: f64,
    counts: [usize; BINS],
}

impl Bins {
    fn of(values: &[f64]) -> Self {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // Values that are all the same still fill a bin that can be seen.
        let (low, high) = if high > low { (low, high) } else { (low * 0.95, low * 1.05) };
        let width = (high - low) / BINS as f64;
        let mut counts = [0; BINS];
        for value in values {
            counts[(((value - low) / width) as usize).min(BINS - 1)] += 1;
        }
        Self { low, width, counts }
    }

    fn high(&self) -> f64 {
        self.low + self.width * BINS as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_falls_into_one_bin() {
        let values: Vec<_> = (0..=100).map(f64::from).collect();
        let bins = Bins::of(&values);
        assert_eq!(bins.counts.iter().sum::<usize>(), 101);
        // The largest value belongs to the last bin
        assert_eq!((bins.counts[0], bins.counts[BINS - 1]), (5, 6));
    }

    #[test]
    fn values_that_are_all_the_same_fill_one_bin() {
        let bins = Bins::of(&[72.0; 9]);
        assert_eq!(bins.counts.iter().filter(|&&count| count == 9).count(), 1);
        assert!(bins.low < 72.0 && bins.high() > 72.0);
    }
}
