//! The endpoints under `/_mock`, by which a test or a client in any language looks inside and steers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::wire::Dialect;

use super::faults::Fault;
use super::pacer::lock;
use super::routes::{error, json_response};
use super::state::App;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/_mock/state", get(state))
        .route("/_mock/requests", get(requests))
        .route("/_mock/cache/clear", post(clear_cache))
        .route("/_mock/clock", post(clock))
        .route("/_mock/seed", post(seed))
        .route("/_mock/faults", post(faults))
        .route("/_mock/reset", post(reset))
}

type Shared = State<Arc<App>>;

async fn state(State(app): Shared) -> Response {
    json_response(&json!(app.state()))
}

async fn requests(State(app): Shared) -> Response {
    let last = lock(&app.log).last();
    json_response(&json!(last))
}

async fn clear_cache(State(app): Shared) -> Response {
    app.clear_caches();
    done()
}

async fn reset(State(app): Shared) -> Response {
    app.reset();
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Clock {
    advance_s: f64,
}

async fn clock(State(app): Shared, body: Bytes) -> Response {
    with::<Clock>(&body, |clock| {
        Duration::try_from_secs_f64(clock.advance_s)
            .map(|by| app.advance(by))
            .map_err(|wrong| format!("advance_s: {wrong}"))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSeed {
    seed: u64,
}

async fn seed(State(app): Shared, body: Bytes) -> Response {
    with::<NewSeed>(&body, |new| {
        app.set_seed(new.seed);
        Ok(())
    })
}

async fn faults(State(app): Shared, body: Bytes) -> Response {
    with::<Vec<Fault>>(&body, |faults| {
        lock(&app.faults).push(faults);
        Ok(())
    })
}

/// Does something with a JSON body, or says what is wrong with it.
fn with<T: DeserializeOwned>(body: &[u8], act: impl FnOnce(T) -> Result<(), String>) -> Response {
    match serde_json::from_slice(body).map_err(|wrong| wrong.to_string()).and_then(act) {
        Ok(()) => done(),
        Err(wrong) => error(Dialect::OpenAi, 400, "invalid_request_error", &wrong),
    }
}

fn done() -> Response {
    json_response(&json!({"ok": true}))
}
