//! Which model is best at what.

use std::sync::Arc;

use axum::extract::{Query, State};
use maud::{Markup, html};
use serde::Deserialize;

use super::layout::{Failure, Page, empty, mode};
use crate::ranking::{Board, Order, Standing};
use crate::service::App;
use crate::service::rankings::{Ranking, Source};
use crate::service::time::rfc3339;

/// What is shown: a source, what answered, and a workload, with colons between them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Shown {
    ranking: Option<String>,
}

fn address(source: Source, ranking: &Ranking) -> String {
    format!("{}:{}:{}", source.word(), ranking.mode, ranking.workload)
}

/// The boards, the best model first.
pub(super) async fn page(State(app): State<Arc<App>>, Query(shown): Query<Shown>) -> Result<Markup, Failure> {
    let all = app.rankings.all().await?;
    let each = all.iter().flat_map(|made| made.rankings.iter().map(move |ranking| (made, ranking)));
    let each: Vec<_> = each.collect();
    let fits = |source: Source, ranking: &Ranking| {
        shown.ranking.as_ref().is_none_or(|wanted| *wanted == address(source, ranking))
    };
    let chosen = each.iter().find(|(made, ranking)| fits(made.source, ranking));
    Ok(Page::new("Rankings", "/rankings").with(&html! {
        @match chosen {
            None => (empty("Nothing is ranked yet.", &html! {
                "Models are ranked once they were measured: " a href="/" { "run a benchmark" } " of two models, or let the schedule do it."
            })),
            Some((made, ranking)) => {
                form.inline method="get" {
                    label for="workload" { "Workload" }
                    select id="workload" name="ranking" {
                        @for (made, other) in &each {
                            option value=(address(made.source, other)) selected[std::ptr::eq(*other, *ranking)] {
                                (other.workload) " (" (made.source.word()) ", " (other.mode) ")"
                            }
                        }
                    }
                    button { "Show" }
                }
                p { (mode(&ranking.mode)) " " (made.source.word()) ", made " (rfc3339(made.made_at)) }
                @if made.source == Source::Simulated {
                    p.hint { "Nobody was asked: these values are drawn at random from the same range for every model, and their order is chance." }
                }
                @for board in ranking.boards.iter().filter(|board| !board.standings.is_empty()) { (self::board(board)) }
                p.hint { "A rank counts the models that are better by more than chance explains; = marks one that is shared. Bars are means, lines their 95% intervals." }
            }
        }
    }))
}

fn board(board: &Board) -> Markup {
    let board = board.clone().listed(Order::Best);
    let better = if board.metric.lower_is_better() { "lower is better" } else { "higher is better" };
    let most = board.standings.iter().map(|standing| standing.stats.mean).fold(f64::MIN_POSITIVE, f64::max);
    html! {
        section {
            h2 { (board.metric) " " small { (board.metric.unit()) ", " (better) } }
            div.scroll { table {
                thead { tr { th.number { "Rank" } th { "Model" } th.number { "Mean" } th { span.hidden { "Bar" } } th.number { "95% interval" } th.number { "p50" } th.number { "p99" } th.number { "n" } } }
                tbody { @for standing in &board.standings { (row(&board, standing, most)) } }
            } }
        }
    }
}

fn row(board: &Board, standing: &Standing, most: f64) -> Markup {
    let stats = &standing.stats;
    let share = |value: f64| format!("{:.1}", (value / most * 100.0).clamp(0.0, 110.0));
    html! {
        tr {
            td.number { @if board.is_tied(standing) { "=" } (standing.rank) }
            td { (standing.llm_name) }
            td.number { (number(stats.mean)) }
            td {
                svg.bar viewBox="0 0 110 12" preserveAspectRatio="none" aria-hidden="true" {
                    rect x="0" y="2" height="8" width=(share(stats.mean)) {}
                    @if let Some(interval) = &stats.mean_interval {
                        line x1=(share(interval.low)) x2=(share(interval.high)) y1="6" y2="6" {}
                    }
                }
            }
            td.number { @if let Some(interval) = &stats.mean_interval { (number(interval.low)) " to " (number(interval.high)) } @else { "–" } }
            td.number { (number(stats.p50)) }
            td.number { (number(stats.p99)) }
            td.number { (stats.n) }
        }
    }
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
