//! The mock as a player: recorded answers at recorded times.
//!
//! Which recording answers is [`Cassette`]'s to say. Head and chunks go out at `slowdown` times their recorded
//! offsets from the moment at which the request was received in full, as the pacer keeps them; what was recorded as
//! cut is cut. A request that no recording answers is refused with 404, in words that say what there is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::call::{Cut, cut};
use super::pacer::lock;
use super::routes::{Received, body_of, error, json_response, label, method_unknown, path_unknown, text};
use super::state::App;
use crate::cassette::{Cassette, Ending, RecordedResponse, Request};
use crate::seed::DRAW_HEADER;
use crate::wire::Dialect;

/// What is replayed.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// The recordings.
    pub cassette: Arc<Cassette>,
    /// Whether a request that fits none gets the next one of its dialect.
    pub next: bool,
}

/// Recordings that are asked for the same take turns.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<u128, usize>>);

impl Turns {
    fn next(&self, key: u128) -> usize {
        let mut turns = lock(&self.0);
        let turn = turns.entry(key).or_default();
        *turn += 1;
        *turn - 1
    }

    pub(crate) fn clear(&self) {
        lock(&self.0).clear();
    }
}

pub(crate) fn router(app: Arc<App>, replay: Replay) -> Router {
    let models = models(&replay.cassette);
    let player = Player { app: Arc::clone(&app), replay };
    let answers = |dialect: Dialect| {
        post(async move |State(player): State<Player>, headers: HeaderMap, body: Received| {
            player.answer(dialect, &headers, body).await
        })
    };
    Dialect::ALL
        .into_iter()
        .fold(Router::new(), |router, dialect| router.route(dialect.path(), answers(dialect)))
        .route("/health", get(async || json_response(&json!({"status": "ok"}))))
        .route("/v1/models", get(async move || json_response(&models)))
        .route(
            "/_mock/state",
            get(async |State(player): State<Player>| json_response(&json!(player.app.state()))),
        )
        .fallback(path_unknown)
        .method_not_allowed_fallback(method_unknown)
        .layer(super::routes::body_limit())
        .layer(middleware::from_fn_with_state(app, label))
        .with_state(player)
}

fn models(cassette: &Cassette) -> Value {
    let mut ids: Vec<&str> =
        cassette.recordings().iter().map(|recording| &*recording.request.model).collect();
    ids.sort_unstable();
    ids.dedup();
    let model = |id: &str| json!({"id": id, "object": "model", "owned_by": "cassette"});
    json!({"object": "list", "data": ids.into_iter().map(model).collect::<Vec<_>>()})
}

#[derive(Debug, Clone)]
struct Player {
    app: Arc<App>,
    replay: Replay,
}

impl Player {
    async fn answer(&self, dialect: Dialect, headers: &HeaderMap, body: Received) -> Response {
        let received = Instant::now();
        let body = match body_of(dialect, body) {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        // What is no JSON was recorded as a text.
        let body = serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&body).into_owned()));
        let draw = text(headers, DRAW_HEADER).and_then(|draw| draw.parse().ok());
        let request = Request::new(dialect, &body, draw);
        let in_flight = self.app.enter(dialect);
        let Some((key, numbers)) = self.replay.cassette.find(&request, self.replay.next) else {
            return error(dialect, 404, "not_found_error", &self.nothing(&request));
        };
        let number = numbers[self.app.turns.next(key) % numbers.len()];
        let response = &self.replay.cassette.recordings()[number].response;
        let playback = Playback { player: self.clone(), number, received, chunk: 0, _in_flight: in_flight };
        self.app.pacer.wait_until(playback.due(response.head_ns)).await;
        with_head(response, playback.body())
    }

    /// Why a request gets no answer: what was asked, and what there is.
    fn nothing(&self, request: &Request) -> String {
        const SHOWN: usize = 5;
        let cassette = &self.replay.cassette;
        let recordings = cassette.recordings();
        let shown: Vec<_> =
            recordings.iter().take(SHOWN).map(|recording| recording.asked().to_string()).collect();
        let more = recordings.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        format!(
            "no recording in the cassette {} answers this request ({request}; hash {}); it holds {}: {}{more}",
            cassette.name(),
            request.hash,
            recordings.len(),
            shown.join("; "),
        )
    }
}

fn with_head(recorded: &RecordedResponse, body: Body) -> Response {
    let mut response = Response::new(body);
    // They were checked when the recording was read.
    *response.status_mut() = StatusCode::from_u16(recorded.status).unwrap_or_default();
    let headers = response.headers_mut();
    for (name, value) in &recorded.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    response
}

/// An answer on its way out.
#[derive(Debug)]
struct Playback {
    player: Player,
    number: usize,
    /// When the request had been received in full.
    received: Instant,
    chunk: usize,
    /// Counts the request until it is over.
    _in_flight: super::state::InFlight,
}

impl Playback {
    fn response(&self) -> &RecordedResponse {
        &self.player.replay.cassette.recordings()[self.number].response
    }

    /// When something is due that came at this offset.
    fn due(&self, recorded_ns: u64) -> Instant {
        self.received + Duration::from_nanos(recorded_ns).mul_f64(self.player.app.config.slowdown)
    }

    fn body(self) -> Body {
        Body::from_stream(futures::stream::unfold(Some(self), |playback| async move {
            let mut playback = playback?;
            let part = playback.next().await?;
            let rest = part.is_ok().then_some(playback);
            Some((part, rest))
        }))
    }

    /// What goes out next, at its time.
    async fn next(&mut self) -> Option<Result<Bytes, Cut>> {
        let app = Arc::clone(&self.player.app);
        let Some(chunk) = self.response().chunks.get(self.chunk) else {
            app.pacer.wait_until(self.due(self.response().end_ns)).await;
            return match self.response().ending {
                Ending::Complete => None,
                Ending::Cut => Some(Err(cut(&app).await)),
            };
        };
        let (due, bytes) = (self.due(chunk.at_ns), chunk.bytes.clone());
        self.chunk += 1;
        app.pacer.wait_until(due).await;
        app.pacer.record(due);
        Some(Ok(bytes))
    }
}
