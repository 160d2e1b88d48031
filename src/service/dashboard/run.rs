//! Starting a benchmark.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Form, State};
use axum::response::Redirect;
use maud::{Markup, html};
use serde::Deserialize;

use super::layout::{Failure, Page, unreadable};
use crate::service::App;
use crate::service::access::Identity;
use crate::service::api;
use crate::service::error::{ApiError, complaint};
use crate::service::jobs::{DEFAULT_MAX_TOKENS, DEFAULT_RUNS, JobRequest, benchmarks, find};
use crate::service::store::Scope;
use crate::settings::KnownTarget;

/// The form.
pub(super) async fn form(
    State(app): State<Arc<App>>,
    Extension(Identity(session)): Extension<Identity>,
) -> Result<Markup, Failure> {
    let known = KnownTarget::all(app.runner.environment());
    let known = known.map_err(|error| ApiError::Internal(error.to_string()))?;
    let targets: Vec<_> = known.iter().filter(|target| !target.key.is_wanting()).collect();
    let may_run = session.scope >= Scope::Run;
    Ok(Page::new("Run a benchmark", "/").with(&html! {
        @if !may_run { p.hint { "This key may only look: a key of scope run starts benchmarks." } }
        form.card method="post" action="/" {
            fieldset {
                legend { "Benchmark" }
                div.choices {
                    @for (number, benchmark) in benchmarks().iter().enumerate() {
                        label.choice {
                            input type="radio" name="benchmark" value=(benchmark.kind) checked[number == 0];
                            span {
                                strong { (benchmark.name) } br;
                                (benchmark.description) br;
                                small { (benchmark.expected_duration) }
                            }
                        }
                    }
                }
            }
            div.fields {
                div {
                    label for="target" { "Target" }
                    select id="target" name="target" {
                        @for target in &targets {
                            option value=(target.name) selected[target.is_chosen] { (target.name) }
                        }
                    }
                    p.hint { "The mock is a simulator: no key, no network, no cost." }
                }
                div {
                    label for="model" { "Model" }
                    input id="model" name="model" maxlength="200" placeholder="the target's own";
                }
                div {
                    label for="runs" { "Runs" }
                    input id="runs" name="runs" type="number" min="1" max="50" value=(DEFAULT_RUNS) required;
                    p.hint { "Rounds that count, of each group of arms." }
                }
            }
            label.check {
                input type="checkbox" name="quick" value="true";
                span { "Quick: 3 runs of the shortest arms, which show that everything works and decide nothing" }
            }
            details {
                summary { "More" }
                div.fields {
                    div {
                        label for="filter" { "Only arms that match" }
                        input id="filter" name="filter" maxlength="200" placeholder="^streaming/(on|off)/50$";
                        p.hint { "A regular expression of group/arm/x; controls come along." }
                    }
                    div {
                        label for="max_tokens" { "Longest answer" }
                        input id="max_tokens" name="max_tokens" type="number" min="50" max="4096" value=(DEFAULT_MAX_TOKENS);
                    }
                }
                label for="prompt" { "A prompt of your own, for streaming" }
                textarea id="prompt" name="prompt" rows="3" maxlength="32000" {}
            }
            button disabled[!may_run] { "Run" }
        }
    }))
}

/// What the form sends. A field that was left empty is one that was not filled in.
#[derive(Debug, Deserialize)]
pub(super) struct Filled {
    benchmark: String,
    #[serde(default)]
    target: String,
    #[serde(default)]
    model: String,
    runs: u32,
    #[serde(default)]
    quick: bool,
    #[serde(default)]
    filter: String,
    #[serde(default)]
    max_tokens: String,
    #[serde(default)]
    prompt: String,
}

/// Puts the job in the queue and shows it.
pub(super) async fn submit(
    State(app): State<Arc<App>>,
    Extension(Identity(session)): Extension<Identity>,
    filled: Result<Form<Filled>, FormRejection>,
) -> Result<Redirect, Failure> {
    let Form(filled) = filled.map_err(unreadable)?;
    let benchmark = find(&filled.benchmark).ok_or(ApiError::NotFound("Benchmark not found"))?;
    let text = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let max_tokens = match filled.max_tokens.trim() {
        "" => DEFAULT_MAX_TOKENS,
        number => number
            .parse()
            .map_err(|_| ApiError::Complaints(vec![complaint("max_tokens", "it is no number")]))?,
    };
    let request = JobRequest {
        model: text(filled.model),
        runs: filled.runs,
        quick: filled.quick,
        prompt: text(filled.prompt),
        max_tokens,
        target: text(filled.target),
        filter: text(filled.filter),
    };
    let job_id = api::submit(&app, &benchmark, &request, &session.key_name).await?;
    Ok(Redirect::to(&format!("/jobs/{job_id}")))
}
