//! A job's progress as it happens.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};
use utoipa::IntoParams;

use super::Named;
use super::jobs::refused_query;
use crate::service::App;
use crate::service::error::{ApiError, Complaints, Refusal};
use crate::service::jobs::{ProgressUpdate, is_job_id};
use crate::service::store::{JobState, StoreError};

/// How long nothing is said until something is, so that whoever listens knows that somebody is there.
const SILENCE: Duration = Duration::from_secs(30);
/// The largest message that a client may send.
const LARGEST: usize = 4 * 1024;
/// The close code of a job that is not there.
const NO_JOB: u16 = 4004;
/// The close code of a job that has ended.
const NORMAL: u16 = 1000;
/// The close code of a service that stops.
const GOING_AWAY: u16 = 1001;

/// From where on progress is told.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Since {
    /// Begin with all that was said of the job, instead of what was said last.
    all: bool,
}

/// Tells a job's progress over a WebSocket: what was said last, then every message as it comes, one for each round. It
/// closes with 1000 after the job's end, and with 4004 at once where there is no such job. `ping` is answered with
/// `pong`, and `{"type":"heartbeat"}` comes where nothing else was said for 30 seconds.
#[utoipa::path(
    get,
    path = "/api/ws/{job_id}",
    tag = "jobs",
    params(("job_id" = String, Path, description = "the job's id"), Since),
    responses(
        (status = SWITCHING_PROTOCOLS, description = "a WebSocket; each message is a progress update", body = ProgressUpdate),
        (status = BAD_REQUEST, description = "this is no request for a WebSocket", body = Refusal),
        (status = NOT_FOUND, body = Refusal),
        (status = UNPROCESSABLE_ENTITY, body = Complaints),
    )
)]
pub(super) async fn watch(
    State(app): State<Arc<App>>,
    Named(job_id): Named<String>,
    since: Result<Query<Since>, axum::extract::rejection::QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let Query(since) = since.map_err(refused_query)?;
    let upgrade = upgrade.map_err(|_| ApiError::BadRequest("This address is a WebSocket's"))?;
    let upgrade = upgrade.max_message_size(LARGEST);
    Ok(upgrade.on_upgrade(async move |socket| {
        // Whoever is gone needs no word of it.
        let _ = Box::pin(tell(&app, &job_id, since.all, socket)).await;
    }))
}

/// Why nothing more is told.
enum Ended {
    Gone,
    Store(StoreError),
}

impl From<axum::Error> for Ended {
    fn from(_: axum::Error) -> Self {
        Self::Gone
    }
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

async fn tell(app: &App, job_id: &str, all: bool, mut socket: WebSocket) -> Result<(), Ended> {
    let (code, reason) = match Box::pin(follow(app, job_id, all, &mut socket)).await {
        Ok(end) => end,
        Err(Ended::Gone) => return Ok(()),
        Err(Ended::Store(error)) => {
            crate::report::say(&format!("[llmlab] error: {error}"));
            (1011, "internal error")
        }
    };
    Ok(socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await?)
}

async fn follow(
    app: &App,
    job_id: &str,
    all: bool,
    socket: &mut WebSocket,
) -> Result<(u16, &'static str), Ended> {
    let job = if is_job_id(job_id) { app.store.job(job_id).await? } else { None };
    let Some(job) = job else { return Ok((NO_JOB, "Job not found")) };
    let last = app.store.last_update(job_id).await?;
    let mut told = match (all, last) {
        (false, Some((seq, body))) => {
            socket.send(Message::text(body)).await?;
            seq
        }
        (_, last) => {
            if last.is_none() {
                let waiting = ProgressUpdate::new(job_id, job.state, "waiting for its turn");
                socket.send(Message::text(waiting.json())).await?;
            }
            0
        }
    };
    let mut silent_until = Instant::now() + SILENCE;
    loop {
        // The state is read first: what was said before the end is read after it.
        let state = app.store.job(job_id).await?.map_or(JobState::Cancelled, |job| job.state);
        for (seq, body) in app.store.updates(job_id, told).await? {
            socket.send(Message::text(body)).await?;
            (told, silent_until) = (seq, Instant::now() + SILENCE);
        }
        if state.is_final() {
            return Ok((NORMAL, "the job has ended"));
        }
        tokio::select! {
            () = app.runner.news() => {}
            () = app.stop.cancelled() => return Ok((GOING_AWAY, "the service stops")),
            () = sleep_until(silent_until) => {
                socket.send(Message::text(r#"{"type":"heartbeat"}"#)).await?;
                silent_until = Instant::now() + SILENCE;
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) if text.trim() == "ping" => socket.send(Message::text("pong")).await?,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Ended::Gone),
                Some(Ok(_)) => {}
            },
        }
    }
}
