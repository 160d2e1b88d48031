//! Pages: rendered here, with nothing from outside and no build step. They work without scripts; one script follows a
//! job as it runs.

mod forest;
mod jobs;
mod layout;
mod login;
mod rankings;
mod results;
mod run;
mod schedule;
mod targets;
mod trends;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use tower::service_fn;
use tower_http::services::ServeDir;

use super::App;
use super::access::{self, Identity};
use super::error::ApiError;
use super::store::Scope;
use layout::Failure;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("live.js");

pub(super) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let missing = service_fn(async |_: Request| Ok::<_, Infallible>(layout::no_reports().into_response()));
    let criterion =
        ServeDir::new(&app.criterion_dir).append_index_html_on_directories(true).fallback(missing);
    let pages = Router::new()
        .route("/", get(run::form).post(run::submit))
        .route("/jobs", get(jobs::list))
        .route("/jobs/{job_id}", get(jobs::one))
        .route("/jobs/{job_id}/cancel", post(jobs::cancel))
        .route("/jobs/{job_id}/retry", post(jobs::retry))
        .route("/results", get(results::list))
        .route("/results/{filename}", get(results::one))
        .route("/rankings", get(rankings::page))
        .route("/trends", get(trends::page))
        .route("/trends.svg", get(trends::svg))
        .route("/targets", get(targets::page))
        .route("/schedule", get(schedule::page))
        .route("/logout", post(login::logout))
        .nest_service("/criterion", criterion)
        .layer(from_fn_with_state(Arc::clone(app), let_in));
    Router::new()
        .route("/login", get(login::form).post(login::check))
        .route("/static/style.css", get(|| async { asset("text/css; charset=utf-8", STYLE) }))
        .route("/static/live.js", get(|| async { asset("text/javascript; charset=utf-8", SCRIPT) }))
        .merge(pages)
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    // It changes with the build alone, and is small.
    let kept = HeaderValue::from_static("no-cache");
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (header::CACHE_CONTROL, kept)], text)
        .into_response()
}

/// Lets a browser in that showed a key; on a machine without a configured one, any browser on it.
async fn let_in(
    State(app): State<Arc<App>>,
    ConnectInfo(_peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Result<Response, Failure> {
    if !access::host_is_ours(&app, request.headers()) {
        return Err(ApiError::Misdirected("This host name is not the service's").into());
    }
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let known = access::granted(&app, request.headers()).await.map_err(ApiError::from)?;
    let (session, cookie) = match known {
        Some(session) => (session, None),
        None => match app.keys.everybody() {
            Some(session) => {
                let cookie = access::issue(&app, session, request.headers()).await.map_err(ApiError::from)?;
                (session.clone(), Some(cookie))
            }
            None => return Ok(Redirect::to("/login").into_response()),
        },
    };
    if !is_read && !access::is_same_origin(request.headers()) {
        return Err(ApiError::Forbidden("Another site's page may not ask").into());
    }
    if !is_read && session.scope < Scope::Run {
        return Err(ApiError::Forbidden("This key may only read").into());
    }
    app.limits.check(&session.key_name)?;
    request.extensions_mut().insert(Identity(session));
    // Criterion's pages have scripts and styles within them.
    let is_report = request.uri().path().starts_with("/criterion");
    let mut response = next.run(request).await;
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    if is_report {
        let policy = "default-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
    Ok(response)
}
