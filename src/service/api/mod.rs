//! The addresses of the service, and what they answer.
//!
//! The OpenAPI document is made of the handlers themselves; Swagger UI shows it at `/api/docs`, its files inside this
//! binary.

mod benchmarks;
mod document;
mod health;
mod jobs;
mod progress;
mod rankings;
mod results;
mod schedule;
mod targets;

pub(super) use benchmarks::submit;
pub(super) use jobs::{JobStatus, found};
pub(super) use results::body;
pub(super) use schedule::Scheduled;
pub(super) use targets::look;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, MatchedPath, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::error::ApiError;
use super::{App, access, dashboard};

/// The largest body of a request.
const LARGEST_BODY: usize = 256 * 1024;
/// The largest result that is taken: one of all optimisations over 50 rounds has some 10 MiB.
const LARGEST_RESULT: usize = 32 * 1024 * 1024;

/// Everything that the service answers.
pub(super) fn router(app: &Arc<App>) -> Router {
    let (public, of_public) = OpenApiRouter::with_openapi(document::Document::openapi())
        .routes(routes!(health::health))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .split_for_parts();
    let (guarded, of_guarded) = OpenApiRouter::new()
        .routes(routes!(benchmarks::list))
        .routes(routes!(benchmarks::one))
        .routes(routes!(benchmarks::run))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::one, jobs::cancel))
        .routes(routes!(jobs::retry))
        .routes(routes!(progress::watch))
        .routes(routes!(results::list))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(results::one, results::upload))
                .layer(DefaultBodyLimit::max(LARGEST_RESULT)),
        )
        .routes(routes!(results::download))
        .routes(routes!(results::chart))
        .routes(routes!(rankings::all))
        .routes(routes!(rankings::one))
        .routes(routes!(rankings::workloads))
        .routes(routes!(schedule::schedule))
        .routes(routes!(targets::targets))
        .routes(routes!(health::metrics))
        .split_for_parts();
    let document = document::of(of_public, of_guarded);
    let docs = SwaggerUi::new("/api/docs").url("/api/openapi.json", document);
    let docs = docs.config(Config::from("/api/openapi.json").validator_url("none"));
    let guarded = guarded.layer(from_fn_with_state(Arc::clone(app), access::guard));
    Router::new()
        .merge(public)
        .merge(guarded)
        .merge(dashboard::router(app))
        .with_state(Arc::clone(app))
        .merge(docs)
        .fallback(|| async { ApiError::NotFound("Not Found") })
        .method_not_allowed_fallback(|| async {
            (
                StatusCode::METHOD_NOT_ALLOWED,
                axum::Json(serde_json::json!({ "detail": "Method Not Allowed" })),
            )
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn_with_state(Arc::clone(app), observe))
}

/// What is noted of every request, and what is said with every reply.
async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().as_str().to_owned();
    // An address that is none would make a label of whatever somebody types.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let is_page = !request.uri().path().starts_with("/api/docs");
    let mut response = next.run(request).await;
    app.metrics.answered(
        &method,
        route.as_deref().unwrap_or("none"),
        response.status().as_u16(),
        began.elapsed(),
    );
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // Swagger UI, and Criterion's reports, have scripts and styles within their pages.
    if is_page {
        let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(policy));
    }
    response
}

/// A part of an address; one that is no text names nothing.
#[derive(Debug)]
pub(super) struct Named<T>(T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(name)| Self(name)).map_err(|_| ApiError::NotFound("Not Found"))
    }
}

/// A reply in JSON that was made before.
fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
}
