//! Comparisons beside each other: each a point with its interval, on one logarithmic axis.

use maud::{Markup, PreEscaped, html};

use super::results::{label, percent};
use crate::verdict::{Finding, Verdict};

/// Pixels of a row, of the labels, of the axis, and of the figures at its right.
const ROW: f64 = 30.0;
const LABELS: f64 = 190.0;
const AXIS: f64 = 420.0;
const FIGURES: f64 = 240.0;
/// Pixels under the rows.
const FOOT: f64 = 34.0;

/// Ratios that an axis may be marked with.
const MARKS: [f64; 13] = [0.01, 0.03, 0.1, 0.2, 0.33, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 10.0, 30.0];

/// The findings that have an interval, as a picture; colours come from the page.
pub(super) fn plot(findings: &[&Finding]) -> Markup {
    let known: Vec<_> = findings.iter().filter_map(|finding| Some((finding, finding.ratio?))).collect();
    let low = known.iter().map(|(_, ratio)| ratio.low).fold(0.9, f64::min).max(0.005);
    let high = known.iter().map(|(_, ratio)| ratio.high).fold(1.1, f64::max).min(50.0);
    let (from, to) = (low.ln() - 0.05, high.ln() + 0.05);
    let x = |ratio: f64| LABELS + ((ratio.ln() - from) / (to - from)).clamp(0.0, 1.0) * AXIS;
    let height = known.len() as f64 * ROW + FOOT;
    let width = LABELS + AXIS + FIGURES;
    let bottom = height - FOOT;
    // Marks that would stand in one another's way are left out, the even line never.
    let mut marks: Vec<f64> = vec![1.0];
    for mark in MARKS {
        if mark.ln() > from && mark.ln() < to && marks.iter().all(|other| (x(*other) - x(mark)).abs() > 48.0)
        {
            marks.push(mark);
        }
    }
    html! {
        svg.forest viewBox=(format!("0 0 {width} {height}")) role="img" aria-label=(described(&known.iter().map(|(finding, _)| **finding).collect::<Vec<_>>())) {
            @for mark in &marks {
                line class=(if *mark == 1.0 { "even" } else { "grid" }) x1=(n(x(*mark))) x2=(n(x(*mark))) y1="0" y2=(n(bottom)) {}
                text.mark x=(n(x(*mark))) y=(n(bottom + 20.0)) text-anchor="middle" { (percent(*mark).replace(".0%", "%")) }
            }
            @for (number, (finding, ratio)) in known.iter().enumerate() {
                @let y = number as f64 * ROW + ROW / 2.0;
                g class=(class(finding)) {
                    text x=(n(LABELS - 12.0)) y=(n(y + 5.0)) text-anchor="end" { (label(finding)) }
                    line.interval x1=(n(x(ratio.low))) x2=(n(x(ratio.high))) y1=(n(y)) y2=(n(y)) {}
                    circle cx=(n(x(ratio.estimate))) cy=(n(y)) r="5" {}
                    text.figure x=(n(LABELS + AXIS + 12.0)) y=(n(y + 5.0)) {
                        (percent(ratio.estimate)) " [" (percent(ratio.low)) ", " (percent(ratio.high)) "]"
                    }
                }
            }
        }
    }
}

fn n(pixels: f64) -> PreEscaped<String> {
    PreEscaped(format!("{pixels:.1}"))
}

fn class(finding: &Finding) -> &'static str {
    match finding.verdict {
        Verdict::Faster => "good",
        Verdict::Slower => "bad",
        Verdict::NoDifferenceLargerThan { .. } => "even",
        Verdict::NotEnoughData { .. } => "doubt",
    }
}

/// The same for whoever cannot see it.
fn described(findings: &[&Finding]) -> String {
    let each = findings.iter().filter_map(|finding| {
        let ratio = finding.ratio?;
        Some(format!(
            "{}: {} [{}, {}]",
            label(finding),
            percent(ratio.estimate),
            percent(ratio.low),
            percent(ratio.high)
        ))
    });
    each.collect::<Vec<_>>().join("; ")
}
