//! Events to chunks.

use serde::Serialize;

use super::envelope::Envelope;
use crate::wire::{BlockKind, ContentKind, Event};

#[derive(Serialize)]
struct Choice<'a> {
    index: usize,
    delta: Delta<'a>,
    finish_reason: Option<&'a str>,
}

#[derive(Serialize, Default)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[ToolPiece<'a>; 1]>,
}

#[derive(Serialize)]
struct ToolPiece<'a> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

/// Encodes one answer.
#[derive(Debug)]
pub(in crate::wire) struct StreamEncoder {
    chunks: Envelope,
    /// The blocks that are tool calls; the position is the index on the wire.
    tools: Vec<usize>,
}

impl StreamEncoder {
    pub(in crate::wire) fn new(include_usage: bool) -> Self {
        Self { chunks: Envelope::new("chat.completion.chunk", include_usage), tools: Vec::new() }
    }

    pub(in crate::wire) fn encode(&mut self, event: &Event) -> String {
        match event {
            Event::Start { id, model } => {
                self.chunks.start(id, model);
                self.delta(Delta { role: Some("assistant"), content: Some(""), ..Delta::default() })
            }
            Event::Usage(usage) => self.chunks.usage(**usage),
            Event::BlockStart { index, block: BlockKind::Tool { id, name } } => {
                self.tools.push(*index);
                self.tool(*index, Some(id), Some(name), "")
            }
            Event::Delta { index, kind, text } => self.piece(*index, *kind, text),
            Event::Finish(stop) => {
                let finish_reason = Some(stop.openai());
                self.chunks.finish(Choice { index: 0, delta: Delta::default(), finish_reason })
            }
            Event::Done => Envelope::done(),
            Event::Ping => ": ping\n\n".to_owned(),
            Event::BlockStart { .. }
            | Event::Signature { .. }
            | Event::BlockStop { .. }
            | Event::Unknown(_) => String::new(),
        }
    }

    fn piece(&self, index: usize, kind: ContentKind, text: &str) -> String {
        match kind {
            ContentKind::Text => self.delta(Delta { content: Some(text), ..Delta::default() }),
            ContentKind::Thinking => self.delta(Delta { reasoning_content: Some(text), ..Delta::default() }),
            ContentKind::Refusal => self.delta(Delta { refusal: Some(text), ..Delta::default() }),
            ContentKind::ToolArguments => self.tool(index, None, None, text),
            // Said when the block began.
            ContentKind::ToolName => String::new(),
        }
    }

    fn tool(&self, block: usize, id: Option<&str>, name: Option<&str>, arguments: &str) -> String {
        let index = self.tools.iter().position(|tool| *tool == block).unwrap_or(0);
        let kind = id.is_some().then_some("function");
        let piece = ToolPiece { index, id, kind, function: Function { name, arguments } };
        self.delta(Delta { tool_calls: Some([piece]), ..Delta::default() })
    }

    fn delta(&self, delta: Delta<'_>) -> String {
        self.chunks.choice(Choice { index: 0, delta, finish_reason: None })
    }
}
