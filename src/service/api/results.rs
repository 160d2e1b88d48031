//! What was measured.

use std::path::Path as FilePath;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::jobs::{Listed, refused_query};
use super::{Named, json};
use crate::report::charts::{self, Chart};
use crate::report::exported::Exported;
use crate::service::App;
use crate::service::error::{ApiError, Complaints, Refusal, complaint};
use crate::service::jobs::read;
use crate::service::store::ResultRow;
use crate::service::time::rfc3339;

/// The longest name of a file.
const LONGEST_NAME: usize = 200;

/// A result without its details.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ResultSummary {
    /// Its file's name.
    #[schema(example = "streaming_20260131_101500.json")]
    filename: String,
    /// What was run; `unknown` where the file is no result.
    benchmark_type: String,
    /// The model that was asked.
    model: Option<String>,
    /// What answered: `simulated`, `replayed` or `live`.
    mode: Option<String>,
    /// When it was measured, RFC 3339 in UTC.
    created_at: String,
    /// The job that it is of.
    job_id: Option<String>,
    /// The arms in a few numbers.
    #[schema(value_type = Option<Object>)]
    stats: Option<Value>,
}

impl From<ResultRow> for ResultSummary {
    fn from(row: ResultRow) -> Self {
        Self {
            filename: row.filename,
            benchmark_type: row.benchmark_type,
            model: row.model,
            mode: row.mode,
            created_at: rfc3339(row.created_at),
            job_id: row.job_id,
            stats: row.stats.and_then(|text| serde_json::from_str(&text).ok()),
        }
    }
}

/// The newest results, those of `llmlab run` in the results directory included.
#[utoipa::path(
    get,
    path = "/api/results",
    tag = "results",
    params(Listed),
    responses(
        (status = OK, body = Vec<ResultSummary>),
        (status = UNPROCESSABLE_ENTITY, body = Complaints),
    )
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    listed: Result<Query<Listed>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Vec<ResultSummary>>, ApiError> {
    let Query(listed) = listed.map_err(refused_query)?;
    app.imports.look().await?;
    let rows = app.store.results(listed.most()?).await?;
    Ok(Json(rows.into_iter().map(ResultSummary::from).collect()))
}

/// A result as it was written.
#[utoipa::path(
    get,
    path = "/api/results/{filename}",
    tag = "results",
    params(("filename" = String, Path, description = "its file's name")),
    responses(
        (status = OK, description = "the file", body = Object),
        (status = BAD_REQUEST, description = "the name is none of a result", body = Refusal),
        (status = NOT_FOUND, body = Refusal),
    )
)]
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Named(filename): Named<String>,
) -> Result<Response, ApiError> {
    body(&app, &filename).await.map(json)
}

/// A result as a file to keep.
#[utoipa::path(
    get,
    path = "/api/results/{filename}/download",
    tag = "results",
    params(("filename" = String, Path, description = "its file's name")),
    responses(
        (status = OK, description = "the file", body = Object),
        (status = BAD_REQUEST, description = "the name is none of a result", body = Refusal),
        (status = NOT_FOUND, body = Refusal),
    )
)]
pub(super) async fn download(
    State(app): State<Arc<App>>,
    Named(filename): Named<String>,
) -> Result<Response, ApiError> {
    let text = body(&app, &filename).await?;
    // The name has been checked: it holds letters, digits, dots, dashes and underscores alone.
    let kept = HeaderValue::try_from(format!("attachment; filename=\"{filename}\""));
    let kept = kept.map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(([(header::CONTENT_DISPOSITION, kept)], json(text)).into_response())
}

/// Keeps a result that was measured elsewhere; a name that is known is refused.
#[utoipa::path(
    put,
    path = "/api/results/{filename}",
    tag = "results",
    params(("filename" = String, Path, description = "its file's name")),
    request_body(content = Object, content_type = "application/json", description = "what `llmlab` wrote"),
    responses(
        (status = CREATED, body = ResultSummary),
        (status = BAD_REQUEST, description = "the name is none of a result", body = Refusal),
        (status = CONFLICT, description = "there is one of that name", body = Refusal),
        (status = PAYLOAD_TOO_LARGE, description = "the body is too large", content_type = "text/plain", body = String),
        (status = UNPROCESSABLE_ENTITY, body = Complaints),
    )
)]
pub(super) async fn upload(
    State(app): State<Arc<App>>,
    Named(filename): Named<String>,
    content: Bytes,
) -> Result<(StatusCode, Json<ResultSummary>), ApiError> {
    check(&filename)?;
    let refused = |why: String| ApiError::Complaints(vec![complaint("", &why)]);
    let text = String::from_utf8(content.to_vec()).map_err(|error| refused(error.to_string()))?;
    Exported::parse(FilePath::new(&filename), &text).map_err(|error| refused(error.to_string()))?;
    let row = app.store.add(&read(&filename, text, None)).await?;
    let row = row.ok_or(ApiError::Conflict("There is a result of that name"))?;
    app.rankings.measure().await?;
    Ok((StatusCode::CREATED, Json(row.into())))
}

/// A chart of a result.
#[utoipa::path(
    get,
    path = "/api/results/{filename}/charts/{chart}",
    tag = "results",
    params(
        ("filename" = String, Path, description = "its file's name"),
        ("chart" = String, Path, description = "`histogram`, `percentiles` or `ttft`"),
    ),
    responses(
        (status = OK, description = "an SVG", body = String, content_type = "image/svg+xml"),
        (status = BAD_REQUEST, description = "the name is none of a result", body = Refusal),
        (status = NOT_FOUND, body = Refusal),
    )
)]
pub(super) async fn chart(
    State(app): State<Arc<App>>,
    Named((filename, chart)): Named<(String, String)>,
) -> Result<Response, ApiError> {
    let chart: Chart = chart.parse().map_err(|_| ApiError::NotFound("Chart not found"))?;
    let text = body(&app, &filename).await?;
    let drawn = tokio::task::spawn_blocking(move || {
        let result = Exported::parse(FilePath::new(&filename), &text).ok()?;
        charts::svg(&result, chart).ok()
    });
    let svg = drawn.await.ok().flatten().ok_or(ApiError::NotFound("Chart not found"))?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"))], svg).into_response())
}

/// A result's file. No name ever reaches the file system: it is looked up among those that are known.
pub(in crate::service) async fn body(app: &App, filename: &str) -> Result<String, ApiError> {
    check(filename)?;
    app.store.result(filename).await?.ok_or(ApiError::NotFound("Result not found"))
}

fn check(filename: &str) -> Result<(), ApiError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let fits =
        filename.ends_with(".json") && filename.len() <= LONGEST_NAME && filename.chars().all(is_plain);
    if fits {
        Ok(())
    } else {
        Err(ApiError::BadRequest("The name of a result ends in .json and is one name"))
    }
}
