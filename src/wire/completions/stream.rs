//! Streamed completions: pieces of text, a finish, and the usage where it was asked for.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::wire::json::{self, Text};
use crate::wire::openai::{TERMINATOR, UsageBody};
use crate::wire::{BlockKind, ContentKind, Event, StopReason, Usage, WireError, error_body};

const WHAT: &str = "a chunk of a completion's stream";

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    model: Option<Text<'a>>,
    #[serde(borrow)]
    object: Option<Text<'a>>,
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    usage: Option<UsageBody>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    index: Option<usize>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Text<'a>>,
}

/// Decodes one answer, whose text is one block.
#[derive(Debug, Default)]
pub(in crate::wire) struct StreamDecoder {
    started: bool,
    /// Whether the block has begun and not ended.
    open: bool,
    finished: bool,
    done: bool,
    usage: Usage,
}

impl StreamDecoder {
    pub(in crate::wire) fn decode(&mut self, data: &str, out: &mut Vec<Event>) -> Result<(), WireError> {
        if data.is_empty() {
            return Ok(());
        }
        if data.trim_end() == TERMINATOR {
            self.end_block(out);
            self.done = true;
            out.push(Event::Done);
            return Ok(());
        }
        if TERMINATOR.starts_with(data) {
            return Err(WireError::Truncated { expected: TERMINATOR });
        }
        let chunk: Chunk<'_> = json::parse(WHAT, data)?;
        if chunk.error.is_some() || chunk.object.as_deref() == Some("error") {
            let stated = error_body::decode(data.as_bytes());
            return Err(
                stated.map_or_else(|| json::wrong(WHAT, "its error cannot be read"), WireError::MidStream)
            );
        }
        self.chunk(chunk, out);
        Ok(())
    }

    pub(in crate::wire) fn finish(&self) -> Result<(), WireError> {
        if self.done || self.finished { Ok(()) } else { Err(WireError::Truncated { expected: TERMINATOR }) }
    }

    fn chunk(&mut self, chunk: Chunk<'_>, out: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.started, true) {
            let owned = |text: Option<Text<'_>>| text.map(Text::into_owned).unwrap_or_default();
            out.push(Event::Start { id: owned(chunk.id), model: owned(chunk.model) });
        }
        // Usage stands before a finish in the same chunk, as it does in other dialects.
        let mut finish = None;
        for choice in chunk.choices.into_iter().flatten().filter(|choice| choice.index.unwrap_or(0) == 0) {
            if let Some(text) = json::filled(choice.text) {
                if !std::mem::replace(&mut self.open, true) {
                    out.push(Event::BlockStart { index: 0, block: BlockKind::Text });
                }
                out.push(Event::Delta { index: 0, kind: ContentKind::Text, text });
            }
            finish = json::filled(choice.finish_reason).or(finish);
        }
        let finish = finish.filter(|_| !std::mem::replace(&mut self.finished, true));
        if finish.is_some() {
            self.end_block(out);
        }
        if let Some(usage) = chunk.usage {
            self.usage = usage.over(self.usage);
            out.push(Event::Usage(self.usage));
        }
        out.extend(finish.map(|word| Event::Finish(StopReason::from_word(&word))));
    }

    fn end_block(&mut self, out: &mut Vec<Event>) {
        if std::mem::take(&mut self.open) {
            out.push(Event::BlockStop { index: 0 });
        }
    }
}

#[derive(Serialize)]
struct SentChunk<'a> {
    id: &'a str,
    object: &'static str,
    /// Seconds since the epoch; the wire floor reads no clock.
    created: u64,
    model: &'a str,
    choices: &'a [SentChoice<'a>],
    /// Absent without `include_usage`; null before the last chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<UsageBody>>,
}

#[derive(Serialize)]
struct SentChoice<'a> {
    index: usize,
    text: &'a str,
    logprobs: Option<()>,
    finish_reason: Option<&'a str>,
}

/// Encodes one answer; of its content only text can be said. Usage waits for the finish, since it stands in a chunk
/// of its own after it.
#[derive(Debug)]
pub(in crate::wire) struct StreamEncoder {
    include_usage: bool,
    id: String,
    model: String,
    usage: Option<Usage>,
    finished: bool,
}

impl StreamEncoder {
    pub(in crate::wire) fn new(include_usage: bool) -> Self {
        Self { include_usage, id: String::new(), model: String::new(), usage: None, finished: false }
    }

    pub(in crate::wire) fn encode(&mut self, event: &Event) -> String {
        match event {
            Event::Start { id, model } => {
                self.id.clone_from(id);
                self.model.clone_from(model);
                String::new()
            }
            Event::Usage(usage) => {
                self.usage = Some(*usage);
                if self.finished { self.usage_chunk() } else { String::new() }
            }
            Event::Delta { kind: ContentKind::Text | ContentKind::Refusal, text, .. } => {
                self.piece(text, None)
            }
            Event::Finish(stop) => {
                self.finished = true;
                self.piece("", Some(stop.openai())) + &self.usage_chunk()
            }
            Event::Done => format!("data: {TERMINATOR}\n\n"),
            Event::Ping => ": ping\n\n".to_owned(),
            Event::Delta { .. }
            | Event::BlockStart { .. }
            | Event::Signature { .. }
            | Event::BlockStop { .. }
            | Event::Unknown(_) => String::new(),
        }
    }

    fn piece(&self, text: &str, finish_reason: Option<&str>) -> String {
        self.chunk(&[SentChoice { index: 0, text, logprobs: None, finish_reason }], None)
    }

    fn usage_chunk(&mut self) -> String {
        match self.usage.take().filter(|_| self.include_usage) {
            Some(usage) => self.chunk(&[], Some(usage.into())),
            None => String::new(),
        }
    }

    fn chunk(&self, choices: &[SentChoice<'_>], usage: Option<UsageBody>) -> String {
        let chunk = SentChunk {
            id: &self.id,
            object: "text_completion",
            created: 0,
            model: &self.model,
            choices,
            usage: self.include_usage.then_some(usage),
        };
        format!("data: {}\n\n", json::to_string(&chunk))
    }
}
