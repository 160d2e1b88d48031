//! What can be asked, and whether it answers.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::jobs::refused_query;
use super::json;
use crate::report::targets::{TargetRow, Targets};
use crate::service::App;
use crate::service::error::{ApiError, Complaints};
use crate::session::Check;
use crate::settings::KnownTarget;

/// How to list targets.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Checked {
    /// See whether they answer: those that have their key are asked for the list of their models.
    check: bool,
}

/// What can be asked, and whether it answers. No key is ever shown.
#[utoipa::path(
    get,
    path = "/api/targets",
    tag = "service",
    params(Checked),
    responses(
        (status = OK, description = "as `llmlab targets --json`", body = Object),
        (status = UNPROCESSABLE_ENTITY, body = Complaints),
    )
)]
pub(super) async fn targets(
    State(app): State<Arc<App>>,
    checked: Result<Query<Checked>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(checked) = checked.map_err(refused_query)?;
    let targets = look(&app, checked.check).await?;
    Ok(json(serde_json::to_string(&targets).map_err(|error| ApiError::Internal(error.to_string()))?))
}

/// The targets of the service, looked at or not.
pub(in crate::service) async fn look(app: &App, check: bool) -> Result<Targets, ApiError> {
    let environment = app.runner.environment();
    let known = KnownTarget::all(environment).map_err(|error| ApiError::Internal(error.to_string()))?;
    let checks = known.iter().map(async |target| {
        let is_wanted = check && !target.key.is_wanting();
        if is_wanted { Some(Check::of_known(target, environment, false).await) } else { None }
    });
    let checks = futures::future::join_all(checks).await;
    Ok(Targets::new(known.iter().zip(checks).map(|(target, check)| TargetRow::new(target, check)).collect()))
}
