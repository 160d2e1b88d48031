//! The addresses of the service, and what they answer.
//!
//! The OpenAPI document is made of the handlers themselves; Swagger UI shows it at `/api/docs`, its files inside this
//! binary.

mod benchmarks;
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
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::error::ApiError;
use super::{App, access, dashboard};

/// The largest body of a request.
const LARGEST_BODY: usize = 256 * 1024;
/// The largest result that is taken: one of all optimisations over 50 rounds has some 10 MiB.
const LARGEST_RESULT: usize = 32 * 1024 * 1024;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "LLM Latency Lab",
        description = "Benchmarks of latency optimisations as jobs, their results, and rankings of models. \
                       Every address but those of health and of this document wants a key in `x-api-key`.",
        license(name = "MIT", identifier = "MIT"),
    ),
    tags(
        (name = "benchmarks", description = "What can be run, and running it"),
        (name = "jobs", description = "Runs under way and done"),
        (name = "results", description = "What was measured"),
        (name = "rankings", description = "Which model is best at what"),
        (name = "service", description = "The service itself"),
    )
)]
struct Document;

/// What every address may reply that wants a key.
const GUARDED: [(&str, &str); 4] = [
    ("401", "there is no key"),
    ("403", "the key is none, or allows less"),
    ("421", "the host name is not the service's"),
    ("429", "too many requests, or too much at once"),
];

/// Everything that the service answers.
pub(super) fn router(app: &Arc<App>) -> Router {
    let (public, of_public) = OpenApiRouter::with_openapi(Document::openapi())
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
    let document = document(of_public, of_guarded);
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

/// The document, with the key that all guarded addresses want.
fn document(
    mut public: utoipa::openapi::OpenApi,
    mut guarded: utoipa::openapi::OpenApi,
) -> utoipa::openapi::OpenApi {
    let requirement = utoipa::openapi::security::SecurityRequirement::new("key", Vec::<String>::new());
    for item in guarded.paths.paths.values_mut() {
        for operation in
            [&mut item.get, &mut item.post, &mut item.put, &mut item.delete].into_iter().flatten()
        {
            operation.security = Some(vec![requirement.clone()]);
            for (status, description) in GUARDED {
                let refusal = Content::new(Some(Ref::from_schema_name("Refusal")));
                let response =
                    ResponseBuilder::new().description(description).content("application/json", refusal);
                operation.responses.responses.insert(status.into(), RefOr::T(response.build()));
            }
        }
    }
    public.merge(guarded);
    for (path, item) in &mut public.paths.paths {
        let methods = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in methods.into_iter().filter_map(|(method, of)| Some((method, of.as_mut()?)))
        {
            // Handlers of several modules have one name.
            let words = path.split(['/', '{', '}']).filter(|word| !word.is_empty());
            operation.operation_id = Some(words.fold(method.to_owned(), |id, word| format!("{id}_{word}")));
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response
                    && response.description.is_empty()
                {
                    let status = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
                    let reason = status.and_then(|status| status.canonical_reason());
                    response.description = reason.unwrap_or("other").to_lowercase();
                }
            }
        }
    }
    let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("x-api-key")));
    public.components.get_or_insert_default().add_security_scheme("key", key);
    public
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
