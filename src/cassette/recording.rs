//! One exchange on disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::matching::VOLATILE;
use super::scrub::Scrub;
use super::{CassetteError, Chunk, hash};
use crate::seed::DrawId;
use crate::wire::{Dialect, sse};

/// The version of [`Recording`]'s format; its schema is `fixtures/schemas/cassette.v1.json`.
pub const CASSETTE_SCHEMA_VERSION: u32 = 1;

/// One exchange: what was asked, what came back, and when each piece of it came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// The version of this format.
    pub schema_version: u32,
    /// [`hash`] of the request, by which it is matched.
    pub hash: String,
    /// Where it comes from.
    pub recorded: Recorded,
    /// What was asked.
    pub request: RecordedRequest,
    /// What came back.
    pub response: RecordedResponse,
}

/// Where a recording comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// What answered: `live`, `simulated`, or `replayed` from another cassette.
    pub mode: String,
    /// The server's scheme, host and port.
    pub upstream: String,
    /// The engine in the words of whoever recorded it: software, version, model file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Which draw of the lab's own arms it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<DrawId>,
    /// The lab's version.
    pub llmlab: String,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedRequest {
    /// The method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// The dialect of that path.
    pub dialect: Dialect,
    /// The model that it names; empty if it names none.
    pub model: String,
    /// Whether it asks for a streamed answer.
    pub stream: bool,
    /// The headers that are kept.
    pub headers: BTreeMap<String, String>,
    /// The body without what says who asks; a text if it was no JSON.
    pub body: Value,
}

/// What came back. Times are nanoseconds since the request's first byte was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedResponse {
    /// The HTTP status.
    pub status: u16,
    /// The headers that are kept.
    pub headers: BTreeMap<String, String>,
    /// When the head was complete.
    pub head_ns: u64,
    /// What each read brought of the body.
    pub chunks: Vec<Chunk>,
    /// When the last bytes arrived.
    pub end_ns: u64,
    /// How it ended.
    pub ending: Ending,
}

/// How a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// With its last byte.
    Complete,
    /// The connection broke before it.
    Cut,
}

/// An exchange as it went over the wire, secrets and all.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The request's method.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Its query.
    pub query: Option<String>,
    /// The dialect of that path.
    pub dialect: Dialect,
    /// The request's headers.
    pub request_headers: HeaderMap,
    /// The request's body.
    pub body: bytes::Bytes,
    /// The response's status.
    pub status: StatusCode,
    /// The response's headers.
    pub response_headers: HeaderMap,
    /// When the head was complete, in nanoseconds since the request's first byte was written.
    pub head_ns: u64,
    /// What each read brought.
    pub chunks: Vec<Chunk>,
    /// When the last bytes arrived.
    pub end_ns: u64,
    /// How it ended.
    pub ending: Ending,
}

impl Recording {
    /// What may be kept of an exchange.
    pub fn new(taken: Taken, recorded: Recorded) -> Self {
        let scrub = Scrub::of(&taken.request_headers, taken.query.as_deref());
        let body = scrub.json(body(&scrub.bytes(&taken.body)));
        Self {
            schema_version: CASSETTE_SCHEMA_VERSION,
            hash: hash(taken.dialect, &body),
            recorded,
            request: RecordedRequest {
                method: taken.method,
                path: scrub.text(&taken.path),
                dialect: taken.dialect,
                model: body["model"].as_str().unwrap_or_default().into(),
                stream: body["stream"].as_bool().unwrap_or_default(),
                headers: scrub.headers(&taken.request_headers),
                body,
            },
            response: RecordedResponse {
                status: taken.status.as_u16(),
                headers: scrub.headers(&taken.response_headers),
                head_ns: taken.head_ns,
                chunks: scrub.chunks(taken.chunks),
                end_ns: taken.end_ns,
                ending: taken.ending,
            },
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it is no recording of this version, or holds what cannot be replayed.
    pub fn read(path: &Path) -> Result<Self, CassetteError> {
        #[derive(Deserialize)]
        struct Version {
            schema_version: u64,
        }
        let text = fs::read(path).map_err(|source| CassetteError::Read { path: path.into(), source })?;
        let wrong = |source| CassetteError::Parse { path: path.into(), source };
        let Version { schema_version: found } = serde_json::from_slice(&text).map_err(wrong)?;
        if found != u64::from(CASSETTE_SCHEMA_VERSION) {
            return Err(CassetteError::Version { path: path.into(), found });
        }
        let recording: Self = serde_json::from_slice(&text).map_err(wrong)?;
        let refuse = |(field, reason)| CassetteError::Field { path: path.into(), field, reason };
        recording.check().map_err(refuse)?;
        Ok(recording)
    }

    /// Writes it to `path` in one step.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), CassetteError> {
        let failed = |source| CassetteError::Write { path: path.into(), source };
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let partial = path.with_file_name(format!(".{name}.partial"));
        fs::write(&partial, text).and_then(|()| fs::rename(&partial, path)).map_err(failed)
    }

    /// Refuses what cannot be replayed, by the field at fault.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let (request, response) = (&self.request, &self.response);
        let wanted = hash(request.dialect, &request.body);
        if self.hash != wanted {
            return Err(("hash", format!("it is {}, and that of the request is {wanted}", self.hash)));
        }
        if StatusCode::from_u16(response.status).is_err() || response.status < 200 {
            return Err(("response.status", format!("{} is no final status", response.status)));
        }
        let is_header = |(name, value): (&String, &String)| {
            HeaderName::try_from(name).is_ok() && HeaderValue::try_from(value).is_ok()
        };
        if let Some((name, _)) = response.headers.iter().find(|header| !is_header(*header)) {
            return Err(("response.headers", format!("`{name}` cannot be sent")));
        }
        let times = response.chunks.iter().map(|chunk| chunk.at_ns).chain([response.end_ns]);
        if !std::iter::once(response.head_ns).chain(times).is_sorted() {
            return Err((
                "response.chunks",
                "head_ns, each at_ns and end_ns must not go back in time".into(),
            ));
        }
        Ok(())
    }

    /// When the first content was complete, in nanoseconds; absent for what is not a streamed answer.
    pub fn ttft_ns(&self) -> Option<u64> {
        let (mut frames, mut decoder) = (sse::Decoder::new(), self.request.dialect.event_decoder());
        self.response.chunks.iter().find_map(|chunk| {
            let mut events = Vec::new();
            let decoded =
                frames.push(&chunk.bytes, &mut |frame| decoder.decode(frame.event, frame.data, &mut events));
            (decoded.is_ok() && events.iter().any(crate::wire::Event::is_content)).then_some(chunk.at_ns)
        })
    }
}

/// A body without what says who asks.
fn body(bytes: &[u8]) -> Value {
    let mut body = serde_json::from_slice(bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()));
    if let Value::Object(fields) = &mut body {
        VOLATILE.iter().for_each(|name| drop(fields.remove(*name)));
    }
    body
}
