//! The cases of `fixtures/conformance`: what a server sends, and what is right to make of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use llmlab::wire::sse::{Decoder, Frame};
use llmlab::wire::{BlockKind, Content, Dialect, Event, Reply, WireError};
use serde_json::{Value, json};

use super::stated::Stated;

/// A recorded or written answer, and what it means.
#[derive(Clone)]
pub(crate) struct Fixture {
    pub(crate) name: String,
    pub(crate) dialect: Dialect,
    pub(crate) streamed: bool,
    pub(crate) body: Vec<u8>,
    /// What `expected.json` says of its content.
    pub(crate) expected: Value,
    /// What `metrics.json` says of its times.
    pub(crate) stated: Stated,
}

/// All cases, in the order of their names.
pub(crate) fn fixtures() -> Vec<Fixture> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/conformance");
    let entries = fs::read_dir(&root).expect("the fixtures are part of the package");
    let mut folders: Vec<_> = entries
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders.iter().map(|folder| fixture(folder)).collect()
}

fn fixture(folder: &Path) -> Fixture {
    let name = folder.file_name().expect("a folder has a name").to_string_lossy().into_owned();
    let dialect = name.split('-').next().expect("a split has a first part");
    let streamed = folder.join("response.sse").exists();
    let response = folder.join(if streamed { "response.sse" } else { "response.json" });
    let read = |file: &str| {
        fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{name} has no {file}: {error}"))
    };
    let wrong = |file: &str, error| -> ! { panic!("{name}/{file}: {error}") };
    Fixture {
        dialect: Dialect::from_str(dialect).expect("a folder's name begins with its dialect"),
        streamed,
        body: fs::read(response).unwrap_or_else(|error| panic!("{name} has no response: {error}")),
        expected: serde_json::from_str(&read("expected.json"))
            .unwrap_or_else(|error| wrong("expected.json", error)),
        stated: serde_json::from_str(&read("metrics.json"))
            .unwrap_or_else(|error| wrong("metrics.json", error)),
        name,
    }
}

impl Fixture {
    /// The body as the server sends it: cut where the case says, else after each event, or in two halves if it is
    /// no stream.
    pub(crate) fn pieces(&self) -> Vec<&[u8]> {
        let cuts = match &self.stated.cuts {
            Some(cuts) => cuts.clone(),
            None if self.streamed => ends_of_events(&self.body),
            None => vec![self.body.len() / 2],
        };
        let mut from = 0;
        let inner = cuts.into_iter().filter(|&cut| cut < self.body.len());
        let ends: Vec<_> = inner.chain([self.body.len()]).collect();
        let pieces = ends.into_iter().map(|end| &self.body[std::mem::replace(&mut from, end)..end]);
        pieces.filter(|piece| !piece.is_empty()).collect()
    }
}

/// The offsets just past each empty line, by none of the code that is tested.
pub(crate) fn ends_of_events(body: &[u8]) -> Vec<usize> {
    let (mut ends, mut line, mut at) = (Vec::new(), 0, 0);
    while at < body.len() {
        let length = match &body[at..] {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => 0,
        };
        if length > 0 {
            if at == line {
                ends.push(at + length);
            }
            line = at + length;
        }
        at += length.max(1);
    }
    ends
}

/// Everything that was understood before the end, or before the error.
#[derive(Debug, PartialEq)]
pub(crate) struct Understood {
    pub(crate) events: Vec<Event>,
    pub(crate) frames: Vec<(String, String, u64)>,
    pub(crate) error: Option<WireError>,
}

/// Decodes a streamed body that comes in the given pieces.
pub(crate) fn understand<'a>(dialect: Dialect, pieces: impl IntoIterator<Item = &'a [u8]>) -> Understood {
    let (mut events, mut frames) = (Vec::new(), Vec::new());
    let (mut sse, mut decoder) = (Decoder::new(), dialect.event_decoder());
    let mut sink = |frame: Frame<'_>| {
        frames.push((frame.event.to_owned(), frame.data.to_owned(), frame.end));
        decoder.decode(frame.event, frame.data, &mut events)
    };
    let read = pieces
        .into_iter()
        .try_for_each(|piece| sse.push(piece, &mut sink))
        .and_then(|()| sse.finish(&mut sink))
        .and_then(|()| decoder.finish());
    Understood { events, frames, error: read.err() }
}

/// The compact form of `expected.json`.
pub(crate) fn summary(fixture: &Fixture) -> Value {
    if !fixture.streamed {
        return match fixture.dialect.decode_reply(&fixture.body) {
            Ok(reply) => summary_of(&reply, None),
            Err(error) => json!({ "error": class(&error) }),
        };
    }
    let understood = understand(fixture.dialect, [&*fixture.body]);
    let mut summary = summary_of(&Reply::from_events(&understood.events), understood.error.as_ref());
    summary["events"] = understood.events.iter().map(line).collect();
    summary
}

/// The compact form of a reply.
pub(crate) fn summary_of(reply: &Reply, error: Option<&WireError>) -> Value {
    let content = reply.content.iter().map(|content| match content {
        Content::Text(text) => json!({ "text": text }),
        Content::Thinking { text, signature } => json!({ "thinking": text, "signature": signature }),
        Content::ToolUse { id, name, input } => json!({ "tool": name, "id": id, "input": input }),
        Content::ToolResult { .. } => json!("a tool's result"),
    });
    let mut summary = json!({
        "id": reply.id, "model": reply.model, "content": content.collect::<Vec<_>>(),
        "stop": reply.stop, "usage": reply.usage,
    });
    if let Some(cached) = reply.cached {
        summary["cached"] = cached.into();
    }
    if !reply.extra.is_empty() {
        summary["extra"] = json!(reply.extra);
    }
    if let Some(error) = error {
        summary["error"] = class(error).into();
    }
    summary
}

fn class(error: &WireError) -> String {
    match error {
        WireError::MidStream(error) => format!("mid-stream, {error}"),
        WireError::Truncated { expected } => format!("truncated before {expected}"),
        WireError::Parse { what, .. } => format!("parse, {what}"),
    }
}

/// An event in one line; content is marked with `+`.
pub(crate) fn line(event: &Event) -> String {
    match event {
        Event::Start { .. } => "start".into(),
        Event::BlockStart { index, block } => match block {
            BlockKind::Text => format!("block {index} text"),
            BlockKind::Thinking => format!("block {index} thinking"),
            BlockKind::Tool { id, name } => format!("block {index} tool {name} {id}"),
        },
        Event::Delta { index, kind, text } => {
            format!("{} {index} {kind:?} {text:?}", if event.is_content() { '+' } else { '-' })
        }
        Event::Signature { index, signature } => format!("signature {index} {signature}"),
        Event::BlockStop { index } => format!("stop {index}"),
        Event::Usage(usage) => format!("usage {}", json!(usage)),
        Event::Finish(stop) => format!("finish {}", json!(stop)),
        Event::Done => "done".into(),
        Event::Ping => "ping".into(),
        Event::Unknown(kind) => format!("unknown {kind}"),
    }
}
