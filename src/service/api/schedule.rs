//! What is done again and again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::service::App;
use crate::service::error::ApiError;
use crate::service::store::ScheduleState;
use crate::service::time::rfc3339;

const LISTED: i64 = 100;

/// The schedule, and what it did.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct Scheduled {
    /// What is done; null where nothing is.
    pub(in crate::service) task: Option<String>,
    /// The seconds between two runs.
    pub(in crate::service) every_seconds: u64,
    /// When the next run is due, RFC 3339 in UTC; null where nothing is done.
    pub(in crate::service) next_due: Option<String>,
    /// The newest runs, those that were missed or failed included.
    pub(in crate::service) runs: Vec<Run>,
}

/// A run of the schedule.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::service) struct Run {
    /// What was to be done.
    pub(in crate::service) task: String,
    /// When it was due, RFC 3339 in UTC.
    pub(in crate::service) due_at: String,
    /// What became of it.
    pub(in crate::service) state: ScheduleState,
    /// How often it was tried; 0 where nobody was there.
    pub(in crate::service) attempts: i64,
    /// When it began.
    pub(in crate::service) started_at: Option<String>,
    /// When it ended.
    pub(in crate::service) finished_at: Option<String>,
    /// The process that did it.
    pub(in crate::service) runner: Option<String>,
    /// What came of it, in words.
    pub(in crate::service) detail: Option<String>,
}

/// The schedule, and what it did.
#[utoipa::path(
    get,
    path = "/api/schedule",
    tag = "service",
    responses(
        (status = OK, body = Scheduled),
    )
)]
pub(super) async fn schedule(State(app): State<Arc<App>>) -> Result<Json<Scheduled>, ApiError> {
    Ok(Json(Scheduled::of(&app).await?))
}

impl Scheduled {
    pub(in crate::service) async fn of(app: &App) -> Result<Self, ApiError> {
        let runs = app.store.schedule_runs(LISTED).await?.into_iter().map(|run| Run {
            task: run.task,
            due_at: rfc3339(run.due_at),
            state: run.state,
            attempts: run.attempts,
            started_at: run.started_at.map(rfc3339),
            finished_at: run.finished_at.map(rfc3339),
            runner: run.runner,
            detail: run.detail,
        });
        let runs = runs.collect();
        let task = app.schedule.name();
        let next_due = match &task {
            Some(_) => Some(rfc3339(app.schedule.next(app.store.now().await?))),
            None => None,
        };
        Ok(Self { task, every_seconds: app.schedule.every.as_secs(), next_due, runs })
    }
}
