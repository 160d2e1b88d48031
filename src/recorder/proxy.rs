//! Requests on their way up, answers on their way down.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, request};

use super::RecorderConfig;
use super::writer::Passing;
use crate::cassette::{Chunk, Ending, Taken};
use crate::client::{Failure, Passage, Pool};
use crate::seed::DRAW_HEADER;
use crate::wire::{ApiError, Dialect};

/// The longest body that is passed on.
const BODY_LIMIT: usize = 64 << 20;

/// Headers that speak of one connection, and are no part of what is passed on.
const OF_CONNECTION: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The headers by which the lab speaks to its own mock.
const PRIVATE: &str = "x-llmlab-";

/// What all requests share.
#[derive(Debug)]
pub(super) struct Proxy {
    config: RecorderConfig,
    pool: Arc<Pool>,
    writer: Sender<Passing>,
}

impl Proxy {
    pub(super) fn new(config: RecorderConfig, pool: Arc<Pool>, writer: Sender<Passing>) -> Arc<Self> {
        Arc::new(Self { config, pool, writer })
    }

    fn tell(&self, passing: Passing) {
        // The writer ends after the last request; what is still under way then is no recording.
        let _ = self.writer.send(passing);
    }

    /// The request as it goes upstream.
    fn upwards(&self, parts: &request::Parts, body: Bytes) -> http::Request<Bytes> {
        let upstream = &self.config.upstream;
        let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let mut request = http::Request::new(body);
        *request.method_mut() = parts.method.clone();
        // Both halves were parsed from addresses.
        *request.uri_mut() = Uri::try_from(format!("{}{path}", upstream.base_path())).unwrap_or_default();
        let mut headers = passed_on(&parts.headers);
        // The body is here already, whatever was to be expected of it.
        [ACCEPT_ENCODING, CONTENT_LENGTH, EXPECT].iter().for_each(|name| drop(headers.remove(name)));
        if !self.config.upstream_is_mock {
            let private: Vec<HeaderName> =
                headers.keys().filter(|name| name.as_str().starts_with(PRIVATE)).cloned().collect();
            private.iter().for_each(|name| drop(headers.remove(name)));
        }
        if let Ok(host) = HeaderValue::from_str(&upstream.origin().authority()) {
            headers.insert(HOST, host);
        }
        *request.headers_mut() = headers;
        request
    }
}

pub(super) fn router(proxy: Arc<Proxy>) -> Router {
    Router::new().fallback(pass).with_state(proxy)
}

async fn pass(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let dialect = recorded_dialect(&parts.method, parts.uri.path());
    let body = match axum::body::to_bytes(body, BODY_LIMIT).await {
        Ok(body) => body,
        Err(error) => {
            return refusal(dialect, StatusCode::BAD_REQUEST, &format!("the request's body: {error}"));
        }
    };
    let passage = match Passage::open(&proxy.pool, &proxy.upwards(&parts, body.clone())).await {
        Ok(passage) => passage,
        Err(failure) => {
            proxy.tell(Passing::Unanswered);
            let message =
                format!("the recorder got no answer from {}: {failure}", proxy.config.upstream.base_url());
            return refusal(dialect, StatusCode::BAD_GATEWAY, &message);
        }
    };
    let (status, headers) = (passage.status(), passed_on(passage.headers()));
    let flow = Flow { passage, proxy, request: dialect.map(|dialect| (dialect, parts, body)) };
    let chunks = futures::stream::unfold(flow, |mut flow| async move {
        flow.passage.next().await.map(|part: Result<Bytes, Failure>| (part, flow))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The dialect of what is recorded.
fn recorded_dialect(method: &Method, path: &str) -> Option<Dialect> {
    let dialect = Dialect::ALL.into_iter().find(|dialect| path.ends_with(dialect.path()));
    dialect.filter(|_| method == Method::POST)
}

/// Headers without those of the connection that they came over.
fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let named = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<String> =
        named.flat_map(|names| names.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect();
    let of_connection = |name: &str| OF_CONNECTION.contains(&name) || named.iter().any(|named| named == name);
    let kept = headers.iter().filter(|(name, _)| !of_connection(name.as_str()));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A refusal of the recorder's own, in the shape that the client expects.
fn refusal(dialect: Option<Dialect>, status: StatusCode, message: &str) -> Response {
    let error = ApiError { kind: "api_error".into(), message: message.into() };
    let body = dialect.unwrap_or(Dialect::OpenAi).encode_error(&error, "llmlab-recorder");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer on its way down. It is told of when it is dropped, which its reader does after the last byte whether
/// or not there is an end to wait for.
struct Flow {
    passage: Passage,
    proxy: Arc<Proxy>,
    request: Option<(Dialect, request::Parts, Bytes)>,
}

impl Drop for Flow {
    fn drop(&mut self) {
        let Some(passed) = self.passage.finish() else { return self.proxy.tell(Passing::Unanswered) };
        let Some((dialect, parts, body)) = self.request.take() else {
            return self.proxy.tell(Passing::Passed);
        };
        let ending = match passed.whole {
            Some(true) => Ending::Complete,
            Some(false) => Ending::Cut,
            None => return self.proxy.tell(Passing::Abandoned),
        };
        let draw = parts.headers.get(DRAW_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
        let chunks = passed.chunks.into_iter().map(|(at, bytes)| Chunk { at_ns: nanoseconds(at), bytes });
        let taken = Taken {
            method: parts.method.to_string(),
            path: parts.uri.path().into(),
            query: parts.uri.query().map(str::to_owned),
            dialect,
            status: self.passage.status(),
            response_headers: self.passage.headers().clone(),
            request_headers: parts.headers,
            body,
            head_ns: nanoseconds(passed.head),
            chunks: chunks.collect(),
            end_ns: nanoseconds(passed.end),
            ending,
        };
        self.proxy.tell(Passing::Taken(Box::new(taken), draw));
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
