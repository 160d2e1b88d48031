//! What all plots share: a white page, its title, readable text, and colours that colour-blind readers can tell
//! apart.

use std::io;

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// A plot, or part of one, in pixels.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// A chart over two axes of plain numbers.
pub(super) type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
/// Why a plot could not be drawn.
pub type DrawError = DrawingAreaErrorKind<io::Error>;

/// The palette of Okabe & Ito (2008), without yellow, which is too light for thin lines.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];
/// What stands back: axes and grids.
pub(super) const GREY: RGBColor = RGBColor(110, 110, 110);
/// The size of labels, in pixels.
pub(super) const SMALL: i32 = 13;
/// The height of a page's title with the line under it, in pixels.
pub(super) const TITLE: i32 = 58;

/// The colour of the series `number`.
pub(super) fn colour(number: usize) -> RGBColor {
    COLOURS[number % COLOURS.len()]
}

/// A text style of `size` pixels.
pub(super) fn style(size: i32, colour: RGBColor, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&colour).pos(Pos::new(horizontal, vertical))
}

/// An SVG of `size` pixels under a title and a line that says what the figures are.
pub(super) fn page(
    size: (u32, u32),
    title: &str,
    subtitle: &str,
    paint: impl FnOnce(&Area<'_>) -> Result<(), DrawError>,
) -> Result<String, DrawError> {
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
    area.fill(&WHITE)?;
    area.draw(&Text::new(title.to_owned(), (16, 12), style(18, BLACK, HPos::Left, VPos::Top)))?;
    area.draw(&Text::new(subtitle.to_owned(), (16, 36), style(SMALL, GREY, HPos::Left, VPos::Top)))?;
    paint(&area)?;
    area.present()?;
    drop(area);
    Ok(text)
}

/// One axis of a chart.
pub(super) struct Axis<'a> {
    /// What it shows, with the unit.
    pub(super) name: &'a str,
    /// About how many labels.
    pub(super) labels: usize,
    /// A label's text.
    pub(super) label: &'a dyn Fn(&f64) -> String,
    /// Whether lines run from its labels through the chart.
    pub(super) grid: bool,
}

/// Draws the axes of a chart; without `y` there is none at the left.
pub(super) fn axes(chart: &mut Chart<'_, '_>, x: &Axis<'_>, y: Option<&Axis<'_>>) -> Result<(), DrawError> {
    let mut mesh = chart.configure_mesh();
    mesh.label_style(style(SMALL, BLACK, HPos::Left, VPos::Top)).axis_style(GREY).light_line_style(WHITE);
    mesh.x_labels(x.labels).x_label_formatter(x.label).x_desc(x.name);
    if !x.grid {
        mesh.disable_x_mesh();
    }
    match y {
        Some(y) => {
            mesh.y_labels(y.labels).y_label_formatter(y.label).y_desc(y.name);
        }
        None => {
            mesh.disable_y_axis().y_labels(0);
        }
    }
    if !y.is_some_and(|y| y.grid) {
        mesh.disable_y_mesh();
    }
    mesh.draw()
}

/// Labels of an axis that spans `span`, with as many digits as tell them apart.
pub(super) fn numbers(span: f64) -> impl Fn(&f64) -> String {
    let digits = match span {
        span if span < 1.0 => 2,
        span if span < 10.0 => 1,
        _ => 0,
    };
    move |value| format!("{value:.digits$}")
}

/// The upper end of an axis that holds `values`, with some air above them.
pub(super) fn upper(values: impl IntoIterator<Item = f64>) -> f64 {
    let most = values.into_iter().fold(0.0, f64::max);
    if most > 0.0 { most * 1.08 } else { 1.0 }
}

/// A text cut to `most` characters.
pub(super) fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.into();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// A text for one side of a vertical line, with its distance, and the end at which it is held: left of a line
/// that stands in the right half, so that it does not leave the panel.
pub(super) fn beside(text: &str, right_half: bool) -> (String, HPos) {
    // An SVG renderer drops plain spaces at the ends.
    let space = "\u{a0}\u{a0}";
    if right_half { (format!("{text}{space}"), HPos::Right) } else { (format!("{space}{text}"), HPos::Left) }
}
