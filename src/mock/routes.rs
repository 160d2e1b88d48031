//! The endpoints that clients of a language model use.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use futures::StreamExt;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::catalog;
use crate::seed::{DRAW_HEADER, DrawId, DrawIdError, Noise};
use crate::wire::{ApiError, Ask, Dialect, SCRIPT_HEADER, SERVING_HEADER, Script, Serving};

use super::cache::Plan;
use super::call::{Call, Cut, cut};
use super::faults::{self, FaultKind};
use super::limits::{self, TooMany};
use super::listener::Peer;
use super::log::ReceivedRequest;
use super::pacer::lock;
use super::state::App;
use super::{Defect, MOCK_HEADER, control, embeddings, generate};

const BODY_LIMIT: usize = 16 << 20;

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route(Dialect::Anthropic.path(), post(messages))
        .route(Dialect::OpenAi.path(), post(chat))
        .route(Dialect::Completions.path(), post(completions))
        .route(Dialect::Generate.path(), post(generate))
        .route("/v1/embeddings", post(embeddings::embeddings))
        .route("/health", get(async || json_response(&json!({"status": "ok"}))))
        .route("/v1/models", get(async || json_response(&models())))
        .route("/stats", get(stats))
        .merge(control::router())
        .fallback(path_unknown)
        .method_not_allowed_fallback(method_unknown)
        .layer(body_limit())
        .layer(middleware::from_fn_with_state(Arc::clone(&app), label))
        .with_state(app)
}

pub(crate) async fn path_unknown() -> Response {
    error(Dialect::OpenAi, 404, "not_found_error", "no such path")
}

pub(crate) async fn method_unknown() -> Response {
    error(Dialect::OpenAi, 405, "invalid_request_error", "the path knows another method")
}

pub(crate) fn body_limit() -> DefaultBodyLimit {
    DefaultBodyLimit::max(BODY_LIMIT)
}

/// Says on every response that it is simulated or replayed, and by what.
pub(crate) async fn label(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let version = request.version();
    let mut response = next.run(request).await;
    let label = format!("{}; slowdown={}", app.config.label(), app.config.slowdown);
    if let Ok(label) = HeaderValue::from_str(&label) {
        response.headers_mut().insert(HeaderName::from_static(MOCK_HEADER), label);
    }
    if app.config.defect == Some(Defect::Closing) && version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

pub(crate) type Received = Result<Bytes, BytesRejection>;

async fn messages(
    app: State<Arc<App>>,
    peer: ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Received,
) -> Response {
    answer(Dialect::Anthropic, app, peer, headers, body).await
}

async fn chat(app: State<Arc<App>>, peer: ConnectInfo<Peer>, headers: HeaderMap, body: Received) -> Response {
    answer(Dialect::OpenAi, app, peer, headers, body).await
}

async fn completions(
    app: State<Arc<App>>,
    peer: ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Received,
) -> Response {
    answer(Dialect::Completions, app, peer, headers, body).await
}

async fn generate(
    app: State<Arc<App>>,
    peer: ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Received,
) -> Response {
    answer(Dialect::Generate, app, peer, headers, body).await
}

async fn answer(
    dialect: Dialect,
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Received,
) -> Response {
    let mut response = answered(dialect, &app, &peer, &headers, body).await;
    limits::label(dialect, &mut lock(&app.limiter), app.cache_now(), response.headers_mut());
    response
}

async fn answered(
    dialect: Dialect,
    app: &Arc<App>,
    peer: &Peer,
    headers: &HeaderMap,
    body: Received,
) -> Response {
    let received = Instant::now();
    let body = match body_of(dialect, body) {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let (draw, noise) = match drawn(app, headers, &body) {
        Ok(drawn) => drawn,
        Err(wrong) => return error(dialect, 400, "invalid_request_error", &wrong.to_string()),
    };
    let fault = app.fate(text(headers, DRAW_HEADER), &noise);
    match fault {
        Some(FaultKind::Close) => {
            peer.close();
            return Response::default();
        }
        Some(FaultKind::Status { status, retry_after_s }) => {
            return status_fault(dialect, status, retry_after_s);
        }
        _ => {}
    }
    let call = match call(app, dialect, &body, headers, Fate { draw, noise, fault, received }) {
        Ok(call) => call,
        Err(refused) => return refused.response(dialect),
    };
    if let Some(FaultKind::SlowHeaders { ms }) = fault {
        app.pacer.wait_until(received + Duration::from_millis(ms)).await;
    }
    respond(call).await
}

/// Which draw a request is, if it says so, and the noise that belongs to it.
fn drawn(app: &App, headers: &HeaderMap, body: &[u8]) -> Result<(Option<DrawId>, Noise), DrawIdError> {
    let draw = text(headers, DRAW_HEADER).map(str::parse::<DrawId>).transpose()?;
    let noise = draw.as_ref().map_or_else(|| app.seed().noise_of_body(body), |draw| app.seed().noise(draw));
    Ok((draw, noise))
}

/// What is decided of a request before it is understood.
struct Fate {
    draw: Option<DrawId>,
    noise: Noise,
    fault: Option<FaultKind>,
    received: Instant,
}

/// Why a request is not served.
enum Refused {
    Invalid(ApiError),
    TooMany(TooMany),
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self::Invalid(error)
    }
}

impl Refused {
    fn response(&self, dialect: Dialect) -> Response {
        match self {
            Self::Invalid(stated) => error(dialect, 400, &stated.kind, &stated.message),
            Self::TooMany(limit) => {
                let response = error(dialect, 429, limit.kind(dialect), &limit.to_string());
                retry_after(response, limit.retry_after_s)
            }
        }
    }
}

/// The body, or the refusal of one that could not be received.
#[expect(clippy::result_large_err, reason = "it is the response")]
pub(crate) fn body_of(dialect: Dialect, body: Received) -> Result<Bytes, Response> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            error(dialect, 413, "request_too_large", "the body is longer than 16 MiB")
        }
        _ => error(dialect, 400, "invalid_request_error", &rejection.body_text()),
    })
}

/// Understands a request and takes it into the books.
fn call(
    app: &Arc<App>,
    dialect: Dialect,
    body: &Bytes,
    headers: &HeaderMap,
    Fate { draw, noise, fault, received }: Fate,
) -> Result<Call, Refused> {
    let ask = dialect.decode_request(body).map_err(|wrong| invalid(&wrong))?;
    let ask = instructed(ask, headers)?;
    let (plan, counts_writes) = plan(dialect, &ask)?;
    app.admit(plan.input()).map_err(Refused::TooMany)?;
    let hash = xxh3_64(body);
    let record = lock(&app.log).push(ReceivedRequest {
        number: 0,
        dialect,
        model: ask.model.clone(),
        draw: text(headers, DRAW_HEADER).map(str::to_owned),
        max_tokens: ask.max_tokens,
        stream: ask.stream,
        usage: None,
        body_bytes: body.len(),
        body_hash: format!("{hash:016x}"),
        body: app.config.keep_bodies.then(|| String::from_utf8_lossy(body).into_owned()),
    });
    let prefix = match dialect {
        Dialect::Anthropic => "msg_",
        Dialect::Completions => "cmpl-",
        Dialect::OpenAi | Dialect::Generate => "chatcmpl-",
    };
    let id = format!("{prefix}{hash:016x}{record:08x}");
    let (app, _in_flight) = (Arc::clone(app), app.enter(dialect));
    Ok(Call { app, dialect, ask, plan, counts_writes, draw, noise, id, record, fault, received, _in_flight })
}

/// The request with what its sender tells the simulator alone: what to say, and how to serve.
fn instructed(ask: Ask, headers: &HeaderMap) -> Result<Ask, ApiError> {
    let script = text(headers, SCRIPT_HEADER).map(Script::from_header).transpose();
    let serving = text(headers, SERVING_HEADER).map(Serving::from_header).transpose();
    Ok(Ask {
        script: script.map_err(|wrong| invalid(&wrong))?.map(Arc::new),
        serving: serving.map_err(|wrong| invalid(&wrong))?.unwrap_or_default(),
        ..ask
    })
}

pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn invalid(wrong: &dyn std::error::Error) -> ApiError {
    ApiError { kind: "invalid_request_error".to_owned(), message: wrong.to_string() }
}

/// What the dialect's prompt cache makes of a request, and whether the answer counts what was written to it.
fn plan(dialect: Dialect, ask: &Ask) -> Result<(Plan, bool), ApiError> {
    let model = catalog::model(&ask.model);
    let rules = model.map(|model| model.cache).unwrap_or_default();
    Ok(match dialect {
        Dialect::Anthropic => (Plan::explicit(ask, &ask.model, rules)?, true),
        Dialect::OpenAi | Dialect::Completions => {
            let pays_for_writes = model.and_then(|m| m.price).is_some_and(|p| p.cache_write_5m.is_some());
            (Plan::automatic(ask, &ask.model, rules), pays_for_writes)
        }
        Dialect::Generate => (Plan::none(ask), false),
    })
}

async fn respond(call: Call) -> Response {
    let (dialect, id) = (call.dialect, call.id.clone());
    if call.ask.stream {
        return with_headers(dialect, &id, "text/event-stream", call.stream());
    }
    let reply = match dialect {
        Dialect::Generate => generate::reply(&call).await,
        _ => call.reply().await,
    };
    if let Some(FaultKind::Stall { ms, .. }) = call.fault {
        call.app.pacer.wait_until(Instant::now() + Duration::from_millis(ms)).await;
    }
    let bytes = Bytes::from(dialect.encode_reply(&reply));
    let half = bytes.slice(..bytes.len() / 2);
    let body = match call.fault {
        Some(FaultKind::Error { .. }) => return status_fault(dialect, 500, None),
        Some(FaultKind::Garbage { .. }) => Body::from(half),
        Some(FaultKind::Cut { .. }) => {
            let broken = futures::stream::once(async move { Err(cut(&call.app).await) });
            Body::from_stream(futures::stream::iter([Ok::<_, Cut>(half)]).chain(broken))
        }
        _ => Body::from(bytes),
    };
    with_headers(dialect, &id, "application/json", body)
}

fn with_headers(dialect: Dialect, id: &str, content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    let name = if dialect == Dialect::Anthropic { "request-id" } else { "x-request-id" };
    if let Ok(id) = HeaderValue::from_str(&request_id(id)) {
        headers.insert(HeaderName::from_static(name), id);
    }
    response
}

fn request_id(id: &str) -> String {
    format!("req_{}", id.rsplit(['_', '-']).next().unwrap_or(id))
}

fn status_fault(dialect: Dialect, status: u16, retry_after_s: Option<u64>) -> Response {
    let wanted = faults::error_of(status);
    retry_after(error(dialect, status, &wanted.kind, &wanted.message), retry_after_s)
}

fn retry_after(mut response: Response, seconds: Option<u64>) -> Response {
    if let Some(seconds) = seconds {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// An error in the dialect's shape.
pub(crate) fn error(dialect: Dialect, status: u16, kind: &str, message: &str) -> Response {
    let stated = ApiError { kind: kind.to_owned(), message: message.to_owned() };
    let id = format!("err_{:016x}", xxh3_64(message.as_bytes()));
    let body = dialect.encode_error(&stated, &request_id(&id));
    let mut response = with_headers(dialect, &id, "application/json", Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

pub(crate) fn json_response(value: &Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn models() -> Value {
    let models = catalog::models().iter().map(|model| {
        json!({
            "id": model.id,
            "object": "model",
            "owned_by": model.provider,
            "max_model_len": model.context_tokens,
        })
    });
    json!({"object": "list", "data": models.collect::<Vec<_>>()})
}

async fn stats(State(app): State<Arc<App>>) -> Response {
    let state = app.state();
    let counts = state.generate;
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    json_response(&json!({
        "requests": state.requests.values().sum::<u64>(),
        "in_flight": state.in_flight,
        "cache_entries": counts.entries,
        "cache_hits": counts.hits,
        "cache_misses": counts.misses,
        "cache_joined": counts.joined,
        "cache_bypasses": counts.bypasses,
        "cache_hit_rate": share(counts.hits + counts.joined, counts.hits + counts.joined + counts.misses),
        "batches": counts.batches,
        "average_batch_size": share(counts.batched, counts.batches),
    }))
}
