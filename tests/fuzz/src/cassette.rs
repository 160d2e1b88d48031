//! Recordings: what stands on disk, and what may get there.

use std::path::PathBuf;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use llmlab::cassette::{Cassette, CassetteError, Chunk, Ending, Recorded, Recording, Request, Taken, hash};
use llmlab::wire::Dialect;
use serde_json::Value;
use tempfile::TempDir;

use crate::pieces::{self, Numbers};

/// A recording on disk; or, in what does not begin as JSON, an exchange: the first line a key, the second the query of
/// its address, and all that follows its body.
pub fn recording_or_exchange(input: &[u8]) {
    if input.trim_ascii_start().starts_with(b"{") { on_disk(input) } else { taken(input) }
}

thread_local! {
    /// A cassette of one recording, and a place beside it.
    static PLACE: (TempDir, PathBuf, PathBuf) = {
        let place = tempfile::tempdir().expect("a temporary directory");
        let cassette = place.path().join("cassette");
        std::fs::create_dir(&cassette).expect("a directory");
        let written = place.path().join("written.json");
        (place, cassette, written)
    };
}

fn on_disk(text: &[u8]) {
    let read = cassette(text);
    match read {
        Ok(cassette) => replayable(&cassette),
        // An input whose hash is wrong would try nothing further: it is read with the right one as well.
        Err(CassetteError::Field { field: "hash", .. }) => {
            let right = with_hash(text).map(|text| cassette_of(&text));
            right.into_iter().flatten().for_each(|cassette| replayable(&cassette));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn cassette_of(text: &[u8]) -> Option<Cassette> {
    let read = cassette(text);
    assert!(!matches!(read, Err(CassetteError::Field { field: "hash", .. })), "the hash is right");
    read.ok()
}

fn cassette(text: &[u8]) -> Result<Cassette, CassetteError> {
    PLACE.with(|(_, cassette, _)| {
        std::fs::write(cassette.join("0001.json"), text).expect("a file");
        Cassette::read(cassette)
    })
}

/// The same recording with the hash that its request has.
fn with_hash(text: &[u8]) -> Option<Vec<u8>> {
    let mut recording: Value = serde_json::from_slice(text).ok()?;
    let dialect: Dialect = recording["request"]["dialect"].as_str()?.parse().ok()?;
    let right = hash(dialect, &recording["request"]["body"]);
    recording["hash"] = right.into();
    serde_json::to_vec(&recording).ok()
}

/// What can be read answers its own request, and is the same once written.
fn replayable(cassette: &Cassette) {
    let [recording] = cassette.recordings() else { panic!("a cassette of one file has one recording") };
    let found = cassette.find(&recording.asked(), false);
    assert_eq!(found.map(|(_, numbers)| numbers), Some(&[0][..]), "a recording answers its own request");
    let _ = (cassette.label(), cassette.models(), cassette.rounds(), recording.asked().to_string());
    let content = recording.ttft_ns();
    let response = &recording.response;
    assert!(content.is_none_or(|at| (response.head_ns..=response.end_ns).contains(&at)));
    written(recording);
}

fn written(recording: &Recording) {
    PLACE.with(|(_, _, path)| {
        recording.write(path).expect("a recording can be written");
        let again = Recording::read(path).expect("what was written can be read");
        assert_eq!(*recording, again, "the recording (left) is another once written");
    });
}

/// The least length of a key: what is shorter is no secret.
const SHORTEST: usize = 8;

/// An exchange with a key in its headers becomes a recording without it.
fn taken(input: &[u8]) {
    let mut parts = input.splitn(3, |byte| *byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let (key, query, body) = (part(), part(), part());
    let Some(key) = secret(key) else { return };
    let Ok(query) = std::str::from_utf8(query) else { return };
    let whole = recorded(key, query, body, vec![body]);
    let kept = response(&whole);
    // What was put in the place of secrets is no part of them.
    for part in String::from_utf8_lossy(&kept).split("[removed]") {
        assert!(!part.contains(key), "the key is in the response");
    }
    assert!(!shows(&whole.request.body, key), "the key is in the request: {}", whole.request.body);
    assert!(!whole.request.path.contains(key) && !whole.request.headers.values().any(|v| v.contains(key)));
    written(&whole);

    let numbers = &mut Numbers::of(input);
    for pieces in [pieces::some(body, numbers), pieces::small(body, numbers)] {
        let again = recorded(key, query, body, pieces);
        assert_eq!(response(&again), kept, "what is kept of a body depends on its pieces");
        written(&again);
    }
    // Who asks is not compared, and keys are no part of what is asked.
    let asked = Request::new(Dialect::OpenAi, &whole.request.body, None);
    assert_eq!(asked.hash, whole.hash);
}

/// A key as they are: letters, digits and a few signs, none of them one of those that take its place.
fn secret(key: &[u8]) -> Option<&str> {
    let sign = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.+/=~".contains(byte);
    let key = std::str::from_utf8(key).ok()?;
    (key.len() >= SHORTEST && key.bytes().all(|byte| sign(&byte)) && !"[removed]".contains(key))
        .then_some(key)
}

fn recorded(key: &str, query: &str, body: &[u8], pieces: Vec<&[u8]>) -> Recording {
    let mut request_headers = HeaderMap::new();
    let bearer = HeaderValue::try_from(format!("Bearer {key}")).expect("letters, digits and signs");
    request_headers.insert("authorization", bearer);
    request_headers.insert("accept", HeaderValue::try_from(key).expect("letters, digits and signs"));
    let chunks =
        (1..).zip(pieces).map(|(at_ns, bytes)| Chunk { at_ns, bytes: Bytes::copy_from_slice(bytes) });
    let chunks: Vec<_> = chunks.collect();
    let end_ns = chunks.len() as u64 + 1;
    let taken = Taken {
        method: "POST".into(),
        path: format!("/{key}/v1/chat/completions"),
        query: Some(query.into()),
        dialect: Dialect::OpenAi,
        request_headers: request_headers.clone(),
        body: Bytes::copy_from_slice(body),
        status: StatusCode::OK,
        response_headers: request_headers,
        head_ns: 0,
        chunks,
        end_ns,
        ending: Ending::Complete,
    };
    let recorded = Recorded {
        at: "2026-01-01T00:00:00Z".into(),
        mode: "live".into(),
        upstream: "http://127.0.0.1:1".into(),
        engine: None,
        draw: None,
        llmlab: "0.1.0".into(),
    };
    Recording::new(taken, recorded)
}

fn response(recording: &Recording) -> Vec<u8> {
    recording.response.chunks.iter().flat_map(|chunk| chunk.bytes.iter().copied()).collect()
}

/// Whether a key stands in any text of a body.
fn shows(body: &Value, key: &str) -> bool {
    let in_text = |text: &str| text.split("[removed]").any(|part| part.contains(key));
    match body {
        Value::String(text) => in_text(text),
        Value::Array(items) => items.iter().any(|item| shows(item, key)),
        Value::Object(fields) => fields.iter().any(|(name, value)| in_text(name) || shows(value, key)),
        _ => false,
    }
}
