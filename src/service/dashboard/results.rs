//! What was measured: verdicts with their intervals, and distributions.

use std::path::Path as FilePath;
use std::sync::Arc;

use axum::extract::{Path, State};
use maud::{Markup, html};

use super::forest;
use super::layout::{Failure, Page, empty, mode};
use crate::experiment::GroupSummary;
use crate::report::charts::Chart;
use crate::report::comparison;
use crate::report::exported::Exported;
use crate::report::results::{Comparison, Ending};
use crate::service::App;
use crate::service::api;
use crate::service::time::shown;
use crate::verdict::{Finding, Verdict};

const LISTED: i64 = 200;

/// The newest results.
pub(super) async fn list(State(app): State<Arc<App>>) -> Result<Markup, Failure> {
    app.imports.look().await?;
    let results = app.store.results(LISTED).await?;
    Ok(Page::new("Results", "/results").with(&html! {
        @if results.is_empty() {
            (empty("Nothing was measured yet.", &html! { a href="/" { "Run a benchmark" } ", or put what " code { "llmlab run" } " wrote into the results directory." }))
        } @else {
            div.scroll { table {
                thead { tr { th { "Result" } th { "Benchmark" } th { "Model" } th { "Source" } th { "Measured" } th { "Job" } } }
                tbody {
                    @for result in &results {
                        tr {
                            td { a href={ "/results/" (result.filename) } { (result.filename) } }
                            td { (result.benchmark_type) }
                            td { (result.model.as_deref().unwrap_or("–")) }
                            td { @if let Some(word) = &result.mode { (mode(word)) } @else { "–" } }
                            td.time { (shown(result.created_at)) }
                            td { @if let Some(job_id) = &result.job_id { a href={ "/jobs/" (job_id) } { (job_id) } } @else { "–" } }
                        }
                    }
                }
            } }
        }
    }))
}

/// One result.
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(filename): Path<String>,
) -> Result<Markup, Failure> {
    let text = api::body(&app, &filename).await?;
    let comparison: Option<Comparison> = serde_json::from_str(&text).ok();
    let charts = Exported::parse(FilePath::new(&filename), &text).is_ok();
    let content = html! {
        @match &comparison {
            Some(comparison) => (whole(comparison)),
            None if charts => p.hint { "This is no comparison of arms, so there are no verdicts: the charts show what it holds." },
            None => (empty("This file is no result.", &html! { "Its content can be downloaded all the same." })),
        }
        @if charts {
            section {
                h2 { "Distributions" }
                @for chart in Chart::ALL {
                    figure.chart {
                        img src={ "/api/results/" (filename) "/charts/" (chart.name()) } alt=(described(chart)) loading="lazy";
                    }
                }
            }
        }
        p { a href={ "/api/results/" (filename) "/download" } { "Download " (filename) } }
    };
    Ok(Page::new(&filename, "/results").with(&content))
}

fn described(chart: Chart) -> &'static str {
    match chart {
        Chart::Histogram => "How the total latencies of each arm are distributed",
        Chart::Percentiles => "The percentiles of the arms beside each other",
        Chart::Ttft => "Each request's time to first token against its total latency",
    }
}

fn whole(comparison: &Comparison) -> Markup {
    let invalid = comparison.instrument.as_ref().filter(|certificate| !certificate.valid);
    html! {
        p {
            (mode(comparison.provenance.truth.word())) " "
            (comparison.provenance.truth) " · " (comparison.provenance.target) " · " (comparison.provenance.model)
            " · seed " (comparison.provenance.seed) " · " (comparison.timestamp)
        }
        @if let Some(note) = note(comparison) { p.bad role="alert" { (note) } }
        @if let Some(certificate) = invalid {
            p.bad role="alert" { "INVALID: the instrument was past its bounds: " (certificate.reasons.join("; ")) }
        }
        @for group in &comparison.summary { (section(comparison, group)) }
        @if !comparison.skipped.is_empty() {
            section { h2 { "Left out" } ul { @for reason in &comparison.skipped { li { (reason) } } } }
        }
        details {
            summary { "The same as text, with every sentence" }
            pre { (comparison::text(comparison, false)) }
        }
    }
}

/// What a reader must know before the figures.
fn note(comparison: &Comparison) -> Option<String> {
    let error = comparison.error.clone().unwrap_or_default();
    match comparison.ending {
        _ if comparison.smoke => {
            Some("A quick run: it shows that everything works, and its figures decide nothing.".into())
        }
        Ending::Interrupted => {
            Some("It was stopped before its end: here is what was measured until then.".into())
        }
        Ending::Failed => Some(format!("An arm failed: {error}")),
        Ending::Budget => Some(format!("The budget was spent: {error}")),
        Ending::Decided | Ending::AllRounds | Ending::MaxRounds => None,
    }
}

fn section(comparison: &Comparison, group: &GroupSummary) -> Markup {
    let found: Vec<&Finding> =
        comparison.verdicts.iter().filter(|finding| finding.group == group.name).collect();
    let decides = found.iter().filter(|finding| finding.primary).copied().collect::<Vec<_>>();
    html! {
        section {
            h2 { (group.name) }
            p { (group.question) }
            @if !decides.is_empty() && !comparison.smoke {
                figure {
                    (forest::plot(&decides))
                    figcaption.hint {
                        (group.primary) " against " (group.control) ": left of the line is faster. Bars are "
                        (format!("{:.0}", decides[0].confidence * 100.0)) "% intervals, n = " (group.rounds) " rounds."
                    }
                }
            }
            @if !found.is_empty() { (verdicts(&found)) }
            @for remark in &group.remarks { p.hint { (remark) } }
        }
    }
}

fn verdicts(found: &[&Finding]) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { th { "Arm" } th { "Metric" } th { "Verdict" } th.number { "Change" } th.number { "Interval" } th.number { "n" } } }
            tbody {
                @for finding in found {
                    tr {
                        td { (label(finding)) }
                        td { (finding.metric) @if finding.primary { " " abbr title="it decides" { "*" } } }
                        td { (word(finding)) }
                        td.number { @if let Some(ratio) = &finding.ratio { (percent(ratio.estimate)) } @else { "–" } }
                        td.number { @if let Some(ratio) = &finding.ratio { (percent(ratio.low)) " to " (percent(ratio.high)) } @else { "–" } }
                        td.number { (finding.rounds) }
                    }
                }
            }
        } }
    }
}

/// An arm with its position on the sweep.
pub(super) fn label(finding: &Finding) -> String {
    finding.x.map_or_else(|| finding.arm.clone(), |x| format!("{}/{x}", finding.arm))
}

fn word(finding: &Finding) -> Markup {
    let control = &finding.control;
    match finding.verdict {
        Verdict::Faster => html! { span.good { "faster" } " than " (control) },
        Verdict::Slower => html! { span.bad { "slower" } " than " (control) },
        Verdict::NoDifferenceLargerThan { margin } => {
            html! { "no difference larger than " (margin * 100.0) "% from " (control) }
        }
        Verdict::NotEnoughData { more_rounds } => html! {
            span.doubt { "not enough data" }
            @if let Some(more) = more_rounds { ", about " (more) " more rounds would do" }
        },
    }
}

/// A ratio as a change in percent.
pub(super) fn percent(ratio: f64) -> String {
    let text = format!("{:+.1}%", (ratio - 1.0) * 100.0).replace('-', "−");
    if text == "−0.0%" { "+0.0%".into() } else { text }
}
