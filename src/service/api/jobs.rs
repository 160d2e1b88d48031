//! Runs under way and done.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::Named;
use super::benchmarks::{Accepted, submit};
use crate::service::App;
use crate::service::access::Identity;
use crate::service::error::{ApiError, Complaint, Complaints, Refusal};
use crate::service::jobs::{JobRequest, ProgressUpdate, find, is_job_id};
use crate::service::store::{Job, JobState, Store, StoreError};
use crate::service::time::rfc3339;

const USUALLY_LISTED: i64 = 100;

/// A job, how far it is, and what came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct JobStatus {
    /// Its id.
    pub(in crate::service) job_id: String,
    /// What is run.
    pub(in crate::service) benchmark_type: String,
    /// How far it is.
    pub(in crate::service) state: JobState,
    /// What was asked for.
    pub(in crate::service) request: JobRequest,
    /// Whose key asked for it; `schedule` for the schedule's own.
    pub(in crate::service) requested_by: String,
    /// When it was asked for, RFC 3339 in UTC.
    pub(in crate::service) created_at: String,
    /// When its run began.
    pub(in crate::service) started_at: Option<String>,
    /// When it ended.
    pub(in crate::service) completed_at: Option<String>,
    /// What was said of it last.
    pub(in crate::service) progress: Option<ProgressUpdate>,
    /// The arms of each result in a few numbers, by the result's name; null in lists and where there is none.
    pub(in crate::service) results: Option<Map<String, Value>>,
    /// The last of its results; null in lists and where there is none.
    pub(in crate::service) result_file: Option<String>,
    /// All of its results, in the order in which they were measured.
    pub(in crate::service) result_files: Vec<String>,
    /// Why it failed.
    pub(in crate::service) error: Option<String>,
    /// Whether the process that ran it ended before it did: it can be run again.
    pub(in crate::service) interrupted: bool,
}

/// The newest jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Jobs {
    /// The jobs, newest first.
    jobs: Vec<JobStatus>,
    /// How many there are in all.
    total: i64,
}

/// How many to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listed {
    /// The most to list.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

impl Listed {
    pub(super) fn most(&self) -> Result<i64, ApiError> {
        let most = self.limit.unwrap_or(USUALLY_LISTED);
        if (1..=1000).contains(&most) {
            return Ok(most);
        }
        Err(ApiError::Complaints(vec![Complaint::of_query("limit is not between 1 and 1000")]))
    }
}

impl JobStatus {
    /// A job as it is listed.
    pub(in crate::service) async fn listed(store: &Store, job: Job) -> Result<Self, StoreError> {
        let last = store.last_update(&job.job_id).await?;
        let progress = last.and_then(|(_, body)| serde_json::from_str(&body).ok());
        Ok(Self {
            request: serde_json::from_str(&job.request).unwrap_or_default(),
            job_id: job.job_id,
            benchmark_type: job.benchmark_type,
            state: job.state,
            requested_by: job.requested_by,
            created_at: rfc3339(job.created_at),
            started_at: job.started_at.map(rfc3339),
            completed_at: job.completed_at.map(rfc3339),
            progress,
            results: None,
            result_file: None,
            result_files: Vec::new(),
            error: job.error,
            interrupted: job.interrupted,
        })
    }

    /// A job with what came of it.
    pub(in crate::service) async fn whole(store: &Store, job: Job) -> Result<Self, StoreError> {
        let results = store.results_of(&job.job_id).await?;
        let status = Self::listed(store, job).await?;
        let stats = |text: &Option<String>| text.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let of_result =
            results.iter().map(|row| (row.benchmark_type.clone(), stats(&row.stats).unwrap_or_default()));
        Ok(Self {
            results: (!results.is_empty()).then(|| of_result.collect()),
            result_file: results.last().map(|row| row.filename.clone()),
            result_files: results.into_iter().map(|row| row.filename).collect(),
            ..status
        })
    }
}

/// The newest jobs.
#[utoipa::path(
    get,
    path = "/api/jobs",
    tag = "jobs",
    params(Listed),
    responses(
        (status = OK, body = Jobs),
        (status = UNPROCESSABLE_ENTITY, body = Complaints),
    )
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    listed: Result<Query<Listed>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Jobs>, ApiError> {
    let Query(listed) = listed.map_err(refused_query)?;
    let (rows, total) = app.store.jobs(listed.most()?).await?;
    let mut jobs = Vec::with_capacity(rows.len());
    for row in rows {
        jobs.push(JobStatus::listed(&app.store, row).await?);
    }
    Ok(Json(Jobs { jobs, total }))
}

/// How far a job is, and what came of it.
#[utoipa::path(
    get,
    path = "/api/jobs/{job_id}",
    tag = "jobs",
    params(("job_id" = String, Path, description = "the job's id")),
    responses(
        (status = OK, body = JobStatus),
        (status = NOT_FOUND, body = Refusal),
    )
)]
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Named(job_id): Named<String>,
) -> Result<Json<JobStatus>, ApiError> {
    Ok(Json(JobStatus::whole(&app.store, found(&app, &job_id).await?).await?))
}

/// Cancels a job: nothing more is asked for it, and what it measured is kept. One that has ended stays as it is.
#[utoipa::path(
    delete,
    path = "/api/jobs/{job_id}",
    tag = "jobs",
    params(("job_id" = String, Path, description = "the job's id")),
    responses(
        (status = OK, body = JobStatus),
        (status = NOT_FOUND, body = Refusal),
        (status = CONFLICT, description = "it has ended already", body = Refusal),
    )
)]
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Named(job_id): Named<String>,
) -> Result<Json<JobStatus>, ApiError> {
    match app.runner.cancel(&job_id).await? {
        None => Err(ApiError::NotFound("Job not found")),
        Some(true) => one(State(app), Named(job_id)).await,
        Some(false) => match found(&app, &job_id).await?.state {
            // Asking twice is no mistake.
            JobState::Cancelled => one(State(app), Named(job_id)).await,
            _ => Err(ApiError::Conflict("Job has ended already")),
        },
    }
}

/// Puts what a job was asked for in the queue once more, as a new job.
#[utoipa::path(
    post,
    path = "/api/jobs/{job_id}/retry",
    tag = "jobs",
    params(("job_id" = String, Path, description = "the job's id")),
    responses(
        (status = ACCEPTED, body = Accepted),
        (status = NOT_FOUND, body = Refusal),
        (status = CONFLICT, description = "it has not ended yet", body = Refusal),
        (status = UNPROCESSABLE_ENTITY, body = Complaints),
    )
)]
pub(super) async fn retry(
    State(app): State<Arc<App>>,
    Extension(Identity(session)): Extension<Identity>,
    Named(job_id): Named<String>,
) -> Result<(StatusCode, Json<Accepted>), ApiError> {
    let job = found(&app, &job_id).await?;
    if !job.state.is_final() {
        return Err(ApiError::Conflict("Job has not ended yet"));
    }
    let benchmark = find(&job.benchmark_type).ok_or(ApiError::NotFound("Benchmark not found"))?;
    let request =
        serde_json::from_str(&job.request).map_err(|error| ApiError::Internal(error.to_string()))?;
    let job_id = submit(&app, &benchmark, &request, &session.key_name).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted::new(&benchmark, job_id))))
}

/// The job of that id.
pub(in crate::service) async fn found(app: &App, job_id: &str) -> Result<Job, ApiError> {
    let job = if is_job_id(job_id) { app.store.job(job_id).await? } else { None };
    job.ok_or(ApiError::NotFound("Job not found"))
}

/// What is wrong with the part of an address behind its `?`.
pub(super) fn refused_query(rejection: axum::extract::rejection::QueryRejection) -> ApiError {
    ApiError::Complaints(vec![Complaint::of_query(&rejection.body_text())])
}
