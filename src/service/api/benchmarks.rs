//! What can be run, and running it.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Named;
use crate::service::App;
use crate::service::access::Identity;
use crate::service::error::{ApiError, Complaints, Refusal};
use crate::service::jobs::{Benchmark, JobRequest, benchmarks, find};

/// That a job waits for its turn.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Accepted {
    /// Its id.
    #[schema(example = "3f9a1c07")]
    job_id: String,
    /// What will happen, in words.
    message: String,
    /// Where its progress is told.
    #[schema(example = "/api/ws/3f9a1c07")]
    websocket_url: String,
}

/// What can be run.
#[utoipa::path(
    get,
    path = "/api/benchmarks",
    tag = "benchmarks",
    responses(
        (status = OK, body = Vec<Benchmark>),
    )
)]
pub(super) async fn list() -> Json<Vec<Benchmark>> {
    Json(benchmarks())
}

/// One of them.
#[utoipa::path(
    get,
    path = "/api/benchmarks/{type}",
    tag = "benchmarks",
    params(("type" = String, Path, description = "its type, such as `streaming`")),
    responses(
        (status = OK, body = Benchmark),
        (status = NOT_FOUND, body = Refusal),
    )
)]
pub(super) async fn one(Named(kind): Named<String>) -> Result<Json<Benchmark>, ApiError> {
    find(&kind).map(Json).ok_or(ApiError::NotFound("Benchmark not found"))
}

/// Puts a run in the queue.
#[utoipa::path(
    post,
    path = "/api/benchmarks/{type}/run",
    tag = "benchmarks",
    params(("type" = String, Path, description = "its type, such as `streaming`")),
    request_body(content = Option<JobRequest>, content_type = "application/json"),
    responses(
        (status = ACCEPTED, body = Accepted),
        (status = NOT_FOUND, body = Refusal),
        (status = PAYLOAD_TOO_LARGE, description = "the body is too large", content_type = "text/plain", body = String),
        (status = UNPROCESSABLE_ENTITY, body = Complaints),
    )
)]
pub(super) async fn run(
    State(app): State<Arc<App>>,
    Extension(Identity(session)): Extension<Identity>,
    Named(kind): Named<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<Accepted>), ApiError> {
    let benchmark = find(&kind).ok_or(ApiError::NotFound("Benchmark not found"))?;
    let request = JobRequest::parse(&body).map_err(ApiError::Complaints)?;
    let job_id = submit(&app, &benchmark, &request, &session.key_name).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted::new(&benchmark, job_id))))
}

impl Accepted {
    pub(super) fn new(benchmark: &Benchmark, job_id: String) -> Self {
        let websocket_url = format!("/api/ws/{job_id}");
        Self { message: format!("{} waits for its turn", benchmark.kind), websocket_url, job_id }
    }
}

/// Checks a request and puts it in the queue.
pub(in crate::service) async fn submit(
    app: &App,
    benchmark: &Benchmark,
    request: &JobRequest,
    by: &str,
) -> Result<String, ApiError> {
    request.check(benchmark, app.runner.environment()).map_err(ApiError::Complaints)?;
    let job_id = app.runner.submit(&benchmark.kind, request, by).await?;
    job_id.ok_or(ApiError::TooMany { reason: "Too many jobs wait already", after: 10 })
}
