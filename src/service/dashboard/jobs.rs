//! Runs under way and done.

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::response::Redirect;
use maud::{Markup, html};

use super::layout::{Failure, Page, empty};
use crate::service::App;
use crate::service::access::Identity;
use crate::service::api::{self, JobStatus, found};
use crate::service::error::ApiError;
use crate::service::jobs::find;
use crate::service::store::JobState;
use crate::service::time::shown;

const LISTED: i64 = 100;
/// How often the list is loaded anew.
const REFRESH: u32 = 5;

/// The newest jobs.
pub(super) async fn list(State(app): State<Arc<App>>) -> Result<Markup, Failure> {
    let (jobs, total) = app.store.jobs(LISTED).await?;
    let under_way = jobs.iter().any(|job| !job.state.is_final());
    let page = Page { refresh: under_way.then_some(REFRESH), ..Page::new("Jobs", "/jobs") };
    Ok(page.with(&html! {
        @if jobs.is_empty() {
            (empty("No job was started yet.", &html! { a href="/" { "Run a benchmark" } " to see it here." }))
        } @else {
            div.scroll { table {
                thead { tr { th { "Job" } th { "Benchmark" } th { "State" } th { "By" } th { "Requested" } th { "Ended" } } }
                tbody {
                    @for job in &jobs {
                        tr {
                            td { a href={ "/jobs/" (job.job_id) } { (job.job_id) } }
                            td { (job.benchmark_type) }
                            td { (state(job.state)) @if job.interrupted { " interrupted" } }
                            td { (job.requested_by) }
                            td.time { (shown(job.created_at)) }
                            td.time { (job.completed_at.map(shown).unwrap_or_default()) }
                        }
                    }
                }
            } }
            @if total > LISTED { p.hint { "The newest " (LISTED) " of " (total) "." } }
        }
    }))
}

pub(super) fn state(state: JobState) -> Markup {
    html! { span class={ "badge " (state.word()) } { (state.word()) } }
}

/// One job, followed as it runs.
pub(super) async fn one(State(app): State<Arc<App>>, Path(job_id): Path<String>) -> Result<Markup, Failure> {
    let job = found(&app, &job_id).await?;
    let status = JobStatus::whole(&app.store, job).await?;
    let is_final = status.state.is_final();
    let progress = status.progress.as_ref();
    let (run, of) = progress.map_or((0, 0), |progress| (progress.current_run, progress.total_runs));
    let message = progress.map_or("waiting for its turn", |progress| progress.message.as_str());
    let title = format!("{} {}", status.benchmark_type, status.job_id);
    let page = Page { live: true, ..Page::new(&title, "/jobs") };
    Ok(page.with(&html! {
        section.card data-job=(status.job_id) data-final=[is_final.then_some("true")] {
            p { span.badge.(status.state.word()) id="state" { (status.state.word()) } " " span id="group" { (progress.map_or("", |progress| progress.current_benchmark.as_str())) } }
            p id="message" role="status" aria-live="polite" { (message) }
            label for="progress" { "Runs of this group: " span id="runs" { (run) " of " (of) } }
            progress id="progress" value=(run) max=(of.max(1)) { (run) " of " (of) }
            @if let Some(error) = &status.error { p.bad role="alert" { (error) } }
            div.buttons {
                @if is_final {
                    form method="post" action={ "/jobs/" (status.job_id) "/retry" } { button { "Run again" } }
                } @else {
                    form method="post" action={ "/jobs/" (status.job_id) "/cancel" } { button.danger { "Cancel" } }
                }
            }
        }
        section id="live" hidden[is_final] {
            h2 { "This run" }
            noscript { p.hint { "Load the page again to see how far it is: following it needs JavaScript." } }
            div.scroll { table {
                caption.hint { "Medians of the latest run's requests; the final result is what counts." }
                thead { tr { th { "Arm" } th.number { "TTFT" } th.number { "Latency" } th.number { "Tokens/s" } th.number { "Requests" } th.number { "Failed" } } }
                tbody id="arms" {}
            } }
            figure { div id="chart" {} figcaption.hint { "Total latency by run, one line for each arm." } }
        }
        section {
            h2 { "Results" }
            @if status.result_files.is_empty() {
                p { @if is_final { "It left no result." } @else { "They appear here when the job has ended." } }
            } @else {
                ul { @for name in &status.result_files { li { a href={ "/results/" (name) } { (name) } } } }
            }
        }
        section {
            h2 { "Request" }
            dl {
                dt { "Requested" } dd { (status.created_at) " by " (status.requested_by) }
                dt { "Runs" } dd { @if status.request.quick { "quick" } @else { (status.request.runs) } }
                @if let Some(target) = &status.request.target { dt { "Target" } dd { (target) } }
                @if let Some(model) = &status.request.model { dt { "Model" } dd { (model) } }
                @if let Some(filter) = &status.request.filter { dt { "Arms" } dd { code { (filter) } } }
                @if let Some(prompt) = &status.request.prompt { dt { "Prompt" } dd { (prompt) } }
            }
        }
    }))
}

/// Cancels a job.
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Path(job_id): Path<String>,
) -> Result<Redirect, Failure> {
    // One that ended meanwhile needs no cancelling, and its page says so.
    app.runner.cancel(&job_id).await?.ok_or(ApiError::NotFound("Job not found"))?;
    Ok(Redirect::to(&format!("/jobs/{job_id}")))
}

/// Runs a job's request once more.
pub(super) async fn retry(
    State(app): State<Arc<App>>,
    Extension(Identity(session)): Extension<Identity>,
    Path(job_id): Path<String>,
) -> Result<Redirect, Failure> {
    let job = found(&app, &job_id).await?;
    let benchmark = find(&job.benchmark_type).ok_or(ApiError::NotFound("Benchmark not found"))?;
    let request =
        serde_json::from_str(&job.request).map_err(|error| ApiError::Internal(error.to_string()))?;
    let job_id = api::submit(&app, &benchmark, &request, &session.key_name).await?;
    Ok(Redirect::to(&format!("/jobs/{job_id}")))
}
