//! How figures move over results.

use std::path::Path;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::layout::{Failure, Page, empty, mode};
use crate::report::exported::Exported;
use crate::report::figure::Figure;
use crate::report::trend::Trend;
use crate::service::App;
use crate::service::error::ApiError;

/// Results that are looked at: the newest ones.
const LOOKED_AT: i64 = 300;
const FIGURES: [&str; 5] = ["p50", "p95", "p99", "ttft_p50", "ttft_p95"];

/// What is followed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Followed {
    metric: Option<String>,
    configuration: Option<String>,
}

impl Followed {
    fn figure(&self) -> Figure {
        self.metric.as_deref().and_then(|metric| metric.parse().ok()).unwrap_or(Figure::P95)
    }

    fn only(&self) -> Option<&str> {
        self.configuration.as_deref().filter(|name| !name.is_empty())
    }
}

async fn trend(app: &App, followed: &Followed) -> Result<Trend, ApiError> {
    let files = app.store.bodies(LOOKED_AT).await?;
    let (figure, only) = (followed.figure(), followed.only().map(str::to_owned));
    let drawn = tokio::task::spawn_blocking(move || {
        let results = files.iter().filter_map(|(name, text)| Exported::parse(Path::new(name), text).ok());
        // A quick run decides nothing, and is no point of a series.
        let results = results.filter(|result| !result.smoke);
        Trend::of(results, figure, only.as_deref())
    });
    drawn.await.map_err(|error| ApiError::Internal(error.to_string()))
}

/// The series, with what changed.
pub(super) async fn page(
    State(app): State<Arc<App>>,
    Query(followed): Query<Followed>,
) -> Result<Markup, Failure> {
    let mut trend = trend(&app, &followed).await?;
    // One result is no series.
    trend.series.retain(|series| series.points.len() > 1);
    let shown = followed.figure().to_string();
    let query = format!("metric={shown}&configuration={}", encoded(followed.only().unwrap_or_default()));
    Ok(Page::new("Trends", "/trends").with(&html! {
        form.inline method="get" {
            label for="metric" { "Figure" }
            select id="metric" name="metric" {
                @for figure in FIGURES { option value=(figure) selected[figure == shown] { (figure) } }
            }
            label for="configuration" { "Configuration" }
            input id="configuration" name="configuration" value=(followed.only().unwrap_or_default()) placeholder="all, or one such as on/50";
            button { "Show" }
        }
        @if trend.series.is_empty() {
            (empty("There is no series yet.", &html! { "A series needs two results of the same benchmark, target and model." }))
        } @else {
            @let changed: Vec<_> = trend.series.iter().filter(|series| !series.changes.is_empty()).collect();
            section {
                h2 { "Changes of level" }
                @if changed.is_empty() { p { "No change beyond what chance explains." } }
                ul {
                    @for series in &changed {
                        @for change in &series.changes {
                            li {
                                (series.name) " " (series.configuration) " " (mode(&series.source.mode)) ": "
                                (format!("{:+.1}%", change.change_percent).replace('-', "−"))
                                " from " a href={ "/results/" (change.file) } { (change.file) } " on, "
                                (format!("{:.1} ms to {:.1} ms, p = {:.3}", change.before_ms, change.after_ms, change.p_value))
                            }
                        }
                    }
                }
            }
            figure.chart { img src={ "/trends.svg?" (query) } alt="Each series over time, with its changes of level"; }
        }
    }))
}

/// The series as a picture.
pub(super) async fn svg(
    State(app): State<Arc<App>>,
    Query(followed): Query<Followed>,
) -> Result<Response, Failure> {
    let mut trend = trend(&app, &followed).await?;
    trend.series.retain(|series| series.points.len() > 1);
    let svg = trend.svg().map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"))], svg).into_response())
}

/// A text as a part of an address.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
