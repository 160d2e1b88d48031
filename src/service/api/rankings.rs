//! Which model is best at what.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query as Queried, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::jobs::refused_query;
use super::{Named, json};
use crate::ranking::RankedMetric;
use crate::service::App;
use crate::service::error::{ApiError, Complaints, Refusal};
use crate::service::rankings::{Params, Query, Source};
use crate::service::time::rfc3339;

/// Says where a reply's values come from, such as `measured; live`.
const SOURCE: HeaderName = HeaderName::from_static("x-llmlab-source");

type Asked = Result<Queried<Params>, axum::extract::rejection::QueryRejection>;

/// The models by every metric, the highest mean first unless another order is asked for.
#[utoipa::path(
    get,
    path = "/api/v1/benchmarks/rankings",
    tag = "rankings",
    params(Params),
    responses(
        (
            status = OK,
            description = "one object for each metric, with one list; `x-llmlab-source` says what the values are",
            body = Object,
            example = json!({"data": [{"ttft": [{"llm_name": "GPT-4o", "mean_value": 1.07}]}]}),
        ),
        (status = NOT_FOUND, description = "nothing is ranked yet, or not this workload", body = Refusal),
        (status = UNPROCESSABLE_ENTITY, body = Complaints),
    )
)]
pub(super) async fn all(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    asked: Asked,
) -> Result<Response, ApiError> {
    let Queried(params) = asked.map_err(refused_query)?;
    reply(&app, &Query::new(None, params), &headers).await
}

/// The models by one metric.
#[utoipa::path(
    get,
    path = "/api/v1/benchmarks/rankings/{metric_name}",
    tag = "rankings",
    params(("metric_name" = String, Path, description = "`ttft`, `tps`, `e2e_latency` or `rps`"), Params),
    responses(
        (status = OK, description = "as without a metric, with one list", body = Object),
        (status = NOT_FOUND, description = "there is no such metric, or no such ranking", body = Refusal),
        (status = UNPROCESSABLE_ENTITY, body = Complaints),
    )
)]
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Named(metric_name): Named<String>,
    headers: HeaderMap,
    asked: Asked,
) -> Result<Response, ApiError> {
    let metric = RankedMetric::ALL.into_iter().find(|metric| metric.name() == metric_name);
    let metric = metric.ok_or(ApiError::NotFound("Metric not found"))?;
    let Queried(params) = asked.map_err(refused_query)?;
    reply(&app, &Query::new(Some(metric), params), &headers).await
}

async fn reply(app: &App, query: &Query, headers: &HeaderMap) -> Result<Response, ApiError> {
    let fresh = headers.get(header::CACHE_CONTROL).is_some_and(|value| value == "no-cache");
    let entry = app.rankings.reply(query, fresh).await?;
    let entry = entry.ok_or(ApiError::NotFound("Nothing is ranked yet that fits"))?;
    let source =
        HeaderValue::try_from(entry.source).map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(([(SOURCE, source)], json(entry.body)).into_response())
}

/// What models were asked that are ranked.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Workload {
    /// Whether anybody was asked.
    source: Source,
    /// What answered: `simulated`, `replayed` or `live`.
    mode: String,
    /// Its name.
    workload: String,
    /// The models that are ranked.
    models: usize,
    /// When the ranking was made, RFC 3339 in UTC.
    made_at: String,
}

/// What can be asked for as `workload`, what is served by default first.
#[utoipa::path(
    get,
    path = "/api/v1/benchmarks/workloads",
    tag = "rankings",
    responses(
        (status = OK, body = Vec<Workload>),
    )
)]
pub(super) async fn workloads(State(app): State<Arc<App>>) -> Result<Json<Vec<Workload>>, ApiError> {
    let all = app.rankings.all().await?;
    let each = all.into_iter().flat_map(|made| {
        let (source, made_at) = (made.source, rfc3339(made.made_at));
        made.rankings.into_iter().map(move |ranking| {
            let models = ranking.boards.iter().map(|board| board.standings.len()).max().unwrap_or_default();
            Workload {
                source,
                mode: ranking.mode,
                workload: ranking.workload,
                models,
                made_at: made_at.clone(),
            }
        })
    });
    Ok(Json(each.collect()))
}
