//! Is it well?

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::service::App;
use crate::service::error::{ApiError, Refusal};
use crate::settings::{Environment, Key, KnownTarget};

/// What a scraper says that takes native histograms.
const PROTOBUF: &str = "application/vnd.google.protobuf";

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// `healthy`, or `degraded` where the database does not answer.
    #[schema(example = "healthy")]
    status: &'static str,
    /// The version of this build.
    version: &'static str,
    /// What it depends on.
    services: Services,
}

/// What the service depends on.
#[derive(Debug, Serialize, ToSchema)]
struct Services {
    /// `healthy`.
    api: &'static str,
    /// `healthy` or `unreachable`.
    database: &'static str,
    /// Where replies are cached.
    cache: &'static str,
    /// Whether traces go to Langfuse: `configured` or `not configured`.
    langfuse: &'static str,
    /// Whether there is a key for Anthropic: `available` or `missing`.
    claude_auth: &'static str,
    /// The same for every target.
    provider_auth: BTreeMap<String, &'static str>,
}

/// How the service is, and what it can reach.
#[utoipa::path(get, path = "/api/health", tag = "service", responses((status = OK, body = Health)))]
pub(super) async fn health(State(app): State<Arc<App>>) -> Json<Health> {
    let environment = app.runner.environment();
    let is_reached = app.store.now().await.is_ok();
    let set = |name: &str| environment.get(name).is_some();
    let langfuse = set("LANGFUSE_PUBLIC_KEY") && set("LANGFUSE_SECRET_KEY");
    Json(Health {
        status: if is_reached { "healthy" } else { "degraded" },
        version: env!("CARGO_PKG_VERSION"),
        services: Services {
            api: "healthy",
            database: if is_reached { "healthy" } else { "unreachable" },
            cache: app.cache_name,
            langfuse: if langfuse { "configured" } else { "not configured" },
            claude_auth: auth(environment, "anthropic"),
            provider_auth: providers(environment),
        },
    })
}

fn auth(environment: &Environment, name: &str) -> &'static str {
    providers(environment).get(name).copied().unwrap_or("missing")
}

fn providers(environment: &Environment) -> BTreeMap<String, &'static str> {
    let word = |key: &Key| match key {
        Key::None => "not needed",
        Key::Set { .. } => "available",
        Key::Missing { optional: true, .. } => "optional",
        Key::Missing { optional: false, .. } => "missing",
    };
    let known = KnownTarget::all(environment).unwrap_or_default();
    known.into_iter().map(|target| (target.name.clone(), word(&target.key))).collect()
}

/// That somebody lives here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Alive {
    /// `success`.
    #[schema(example = "success")]
    message: &'static str,
}

/// That the process lives, whatever it can reach.
#[utoipa::path(get, path = "/healthz", tag = "service", responses((status = OK, body = Alive)))]
pub(super) async fn alive() -> Json<Alive> {
    Json(Alive { message: "success" })
}

/// That requests can be answered: the database is there.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "service",
    responses(
        (status = OK, body = Alive),
        (status = SERVICE_UNAVAILABLE, description = "the database does not answer", body = Refusal),
    )
)]
pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    match app.store.now().await {
        Ok(_) => Json(Alive { message: "success" }).into_response(),
        Err(_) => {
            let detail = "The database does not answer".into();
            (StatusCode::SERVICE_UNAVAILABLE, Json(Refusal { detail })).into_response()
        }
    }
}

/// What Prometheus scrapes: text, or protocol buffers with native histograms where it takes them.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "service",
    responses(
        (status = OK, description = "the metrics", body = String, content_type = "text/plain"),
    )
)]
pub(super) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, ApiError> {
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let jobs = app.store.job_counts().await?;
    if accepted.contains(PROTOBUF) {
        let kind =
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
        let kind = HeaderValue::from_static(kind);
        return Ok(([(header::CONTENT_TYPE, kind)], app.metrics.protobuf(&jobs)).into_response());
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let kind =
        if accepted.contains("openmetrics") { kind } else { "text/plain; version=0.0.4; charset=utf-8" };
    let text = app.metrics.text(&jobs);
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response())
}
