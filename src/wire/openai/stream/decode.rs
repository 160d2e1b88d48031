//! Chunks to events, of chats and of the older completions. The wire knows no blocks, so their beginnings and ends are
//! inferred.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::usage::UsageBody;
use crate::wire::json::{self, Text};
use crate::wire::{BlockKind, ContentKind, Event, StopReason, Usage, WireError, error_body};

const WHAT: &str = "a chunk of OpenAI's stream";
pub(super) const TERMINATOR: &str = "[DONE]";

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
    /// Boxed, since most chunks have none: what is large is slow to hand on.
    usage: Option<Box<UsageBody>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    index: Option<usize>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    /// What a completion says, without any delta.
    #[serde(borrow)]
    text: Option<Box<Text<'a>>>,
    #[serde(borrow)]
    finish_reason: Option<Text<'a>>,
}

/// What hardly any delta has is boxed, as in all of a chunk.
#[derive(Deserialize, Default)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<Text<'a>>,
    #[serde(borrow)]
    reasoning: Option<Box<Text<'a>>>,
    #[serde(borrow)]
    reasoning_content: Option<Box<Text<'a>>>,
    #[serde(borrow)]
    refusal: Option<Box<Text<'a>>>,
    #[serde(borrow)]
    tool_calls: Option<Box<[ToolPiece<'a>]>>,
}

#[derive(Deserialize)]
struct ToolPiece<'a> {
    index: Option<usize>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    arguments: Option<Text<'a>>,
}

/// The block that pieces go to at the moment; a block of another kind ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Current {
    Text,
    Thinking,
    Tool,
}

#[derive(Debug)]
struct ToolState {
    /// The index on the wire.
    call: usize,
    id: String,
    name: String,
    /// Our index of the block.
    block: usize,
}

/// Decodes one answer.
#[derive(Debug, Default)]
pub(in crate::wire) struct StreamDecoder {
    started: bool,
    finished: bool,
    done: bool,
    usage: Usage,
    current: Option<(Current, usize)>,
    blocks: usize,
    tools: Vec<ToolState>,
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
        self.chunk(&chunk, out);
        Ok(())
    }

    pub(in crate::wire) fn finish(&self) -> Result<(), WireError> {
        if self.done || self.finished { Ok(()) } else { Err(WireError::Truncated { expected: TERMINATOR }) }
    }

    fn chunk(&mut self, chunk: &Chunk<'_>, out: &mut Vec<Event>) {
        // Azure's first chunk is about its content filter: it names no answer, and has no choice.
        let names = chunk.id.as_deref().is_some_and(|id| !id.is_empty());
        let chooses = chunk.choices.as_ref().is_some_and(|choices| !choices.is_empty());
        if !self.started && (names || chooses) {
            self.started = true;
            let owned = |text: &Option<Text<'_>>| text.as_deref().unwrap_or_default().to_owned();
            out.push(Event::Start { id: owned(&chunk.id), model: owned(&chunk.model) });
        }
        // Usage stands before a finish in the same chunk, as it does in other dialects.
        let mut finish = None;
        for choice in chunk.choices.iter().flatten().filter(|choice| choice.index.unwrap_or(0) == 0) {
            match (&choice.delta, &choice.text) {
                (Some(delta), _) => self.delta(delta, out),
                (None, Some(text)) => self.piece(ContentKind::Text, text, out),
                (None, None) => {}
            }
            finish = json::filled(choice.finish_reason.as_ref()).or(finish);
        }
        let finish = finish.filter(|_| !std::mem::replace(&mut self.finished, true));
        if finish.is_some() {
            self.end_block(out);
        }
        if let Some(usage) = &chunk.usage {
            self.usage = usage.over(self.usage);
            out.push(Event::Usage(Box::new(self.usage)));
        }
        out.extend(finish.map(|word| Event::Finish(StopReason::from_word(word))));
    }

    fn delta(&mut self, delta: &Delta<'_>, out: &mut Vec<Event>) {
        // Some servers send the same piece under both names.
        let thinking =
            json::filled(delta.reasoning_content.as_deref()).or(json::filled(delta.reasoning.as_deref()));
        let pieces = [
            (ContentKind::Thinking, thinking),
            (ContentKind::Text, json::filled(delta.content.as_ref())),
            (ContentKind::Refusal, json::filled(delta.refusal.as_deref())),
        ];
        for (kind, text) in pieces {
            text.into_iter().for_each(|text| self.piece(kind, text, out));
        }
        for piece in delta.tool_calls.iter().flatten() {
            self.tool(piece, out);
        }
    }

    fn piece(&mut self, kind: ContentKind, text: &str, out: &mut Vec<Event>) {
        if !text.is_empty() {
            let index = self.block(kind, out);
            out.push(Event::Delta { index, kind, text: text.into() });
        }
    }

    /// The text or thinking block for a piece, begun if another is current.
    fn block(&mut self, kind: ContentKind, out: &mut Vec<Event>) -> usize {
        let (wanted, block) = match kind {
            ContentKind::Thinking => (Current::Thinking, BlockKind::Thinking),
            _ => (Current::Text, BlockKind::Text),
        };
        match self.current {
            Some((current, index)) if current == wanted => index,
            _ => self.begin(wanted, block, out),
        }
    }

    fn tool(&mut self, piece: &ToolPiece<'_>, out: &mut Vec<Event>) {
        let function = piece.function.as_ref();
        let name = json::filled(function.and_then(|function| function.name.as_ref()));
        let arguments = json::filled(function.and_then(|function| function.arguments.as_ref()));
        let at = self.tool_at(piece.index, json::filled(piece.id.as_ref()), name, out);
        let tool = &mut self.tools[at];
        let index = tool.block;
        // A name is said once, even by servers that repeat it with every piece.
        if let Some(name) = name.filter(|name| *name != tool.name) {
            tool.name.push_str(name);
            out.push(Event::Delta { index, kind: ContentKind::ToolName, text: name.into() });
        }
        if let Some(text) = arguments {
            out.push(Event::Delta { index, kind: ContentKind::ToolArguments, text: text.into() });
        }
    }

    /// The tool that a piece belongs to, begun if it is new. Without an index, a new id tells it.
    fn tool_at(
        &mut self,
        call: Option<usize>,
        id: Option<&str>,
        name: Option<&str>,
        out: &mut Vec<Event>,
    ) -> usize {
        let known = match (call, id) {
            (Some(call), _) => self.tools.iter().position(|tool| tool.call == call),
            (None, Some(id)) => self.tools.iter().position(|tool| tool.id == id),
            (None, None) => self.tools.len().checked_sub(1),
        };
        known.unwrap_or_else(|| {
            let id = id.unwrap_or_default().to_owned();
            let kind = BlockKind::Tool { id: id.clone(), name: name.unwrap_or_default().to_owned() };
            let block = self.begin(Current::Tool, kind, out);
            let call = call.unwrap_or(self.tools.len());
            self.tools.push(ToolState { call, id, name: String::new(), block });
            self.tools.len() - 1
        })
    }

    fn begin(&mut self, current: Current, block: BlockKind, out: &mut Vec<Event>) -> usize {
        self.end_block(out);
        let index = self.blocks;
        self.blocks += 1;
        self.current = Some((current, index));
        out.push(Event::BlockStart { index, block });
        index
    }

    fn end_block(&mut self, out: &mut Vec<Event>) {
        out.extend(self.current.take().map(|(_, index)| Event::BlockStop { index }));
    }
}
