//! Server-sent events to events.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::usage::UsageBody;
use crate::wire::json::{self, Text};
use crate::wire::{BlockKind, ContentKind, Event, StopReason, WireError, error_body};

const WHAT: &str = "an event of Anthropic's stream";

const KNOWN: [&str; 8] = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "ping",
    "error",
];

/// All events in one struct, so that a payload is read once. What only a few events have is boxed: what is large is slow
/// to hand on.
#[derive(Deserialize)]
struct Incoming<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    message: Option<Box<MessageHead<'a>>>,
    index: Option<usize>,
    #[serde(borrow)]
    content_block: Option<Box<BlockHead<'a>>>,
    #[serde(borrow)]
    delta: Option<DeltaBody<'a>>,
    usage: Option<Box<UsageBody>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct MessageHead<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    model: Option<Text<'a>>,
    usage: Option<Box<UsageBody>>,
}

#[derive(Deserialize)]
struct BlockHead<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    thinking: Option<Text<'a>>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct DeltaBody<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    thinking: Option<Text<'a>>,
    #[serde(borrow)]
    partial_json: Option<Text<'a>>,
    #[serde(borrow)]
    signature: Option<Text<'a>>,
    #[serde(borrow)]
    stop_reason: Option<Text<'a>>,
}

/// Decodes one answer. Usage of `message_start` and `message_delta` is merged field by field.
#[derive(Debug, Default)]
pub(in crate::wire) struct StreamDecoder {
    usage: UsageBody,
    /// Blocks of kinds that are not understood: their end is passed over like their beginning.
    strange: Vec<usize>,
    done: bool,
}

impl StreamDecoder {
    pub(in crate::wire) fn decode(
        &mut self,
        event: &str,
        data: &str,
        out: &mut Vec<Event>,
    ) -> Result<(), WireError> {
        // Some gateways append OpenAI's terminator; `message_stop` is what counts here.
        if data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        let incoming = match json::parse::<Incoming<'_>>(WHAT, data) {
            Ok(incoming) => incoming,
            Err(error) => return tolerate(event, data, error, out),
        };
        if incoming.error.is_some() {
            return Err(mid_stream(data));
        }
        self.incoming(event, incoming, out)
    }

    fn incoming(
        &mut self,
        event: &str,
        incoming: Incoming<'_>,
        out: &mut Vec<Event>,
    ) -> Result<(), WireError> {
        match incoming.kind.as_deref().unwrap_or(event) {
            "message_start" => self.start(incoming.message, out),
            "content_block_start" => {
                let block = required(incoming.content_block, "content_block")?;
                self.block_start(required(incoming.index, "index")?, &block, out);
            }
            "content_block_delta" => {
                let delta = required(incoming.delta, "delta")?;
                out.push(block_delta(required(incoming.index, "index")?, delta));
            }
            "content_block_stop" => {
                let index = required(incoming.index, "index")?;
                if !self.strange.contains(&index) {
                    out.push(Event::BlockStop { index });
                }
            }
            "message_delta" => {
                self.use_tokens(incoming.usage, out);
                let stop = json::filled(incoming.delta.as_ref().and_then(|delta| delta.stop_reason.as_ref()));
                out.extend(stop.map(|word| Event::Finish(StopReason::from_word(word))));
            }
            "message_stop" => {
                self.done = true;
                out.push(Event::Done);
            }
            "ping" => out.push(Event::Ping),
            "error" => return Err(json::wrong("an error event", "missing field `error`")),
            unknown => out.push(Event::Unknown(unknown.to_owned())),
        }
        Ok(())
    }

    pub(in crate::wire) fn finish(&self) -> Result<(), WireError> {
        if self.done { Ok(()) } else { Err(WireError::Truncated { expected: "message_stop" }) }
    }

    fn start(&mut self, message: Option<Box<MessageHead<'_>>>, out: &mut Vec<Event>) {
        let (id, model, usage) = message.map_or((None, None, None), |m| (m.id, m.model, m.usage));
        let owned = |text: Option<Text<'_>>| text.map(Text::into_owned).unwrap_or_default();
        out.push(Event::Start { id: owned(id), model: owned(model) });
        self.use_tokens(usage, out);
    }

    fn use_tokens(&mut self, usage: Option<Box<UsageBody>>, out: &mut Vec<Event>) {
        if let Some(usage) = usage.filter(|usage| !usage.is_empty()) {
            self.usage.merge(*usage);
            out.push(Event::Usage(Box::new(self.usage.into())));
        }
    }

    fn block_start(&mut self, index: usize, block: &BlockHead<'_>, out: &mut Vec<Event>) {
        let owned = |text: &Option<Text<'_>>| text.as_deref().unwrap_or_default().to_owned();
        // A block may begin with content, though Anthropic's own begin empty.
        let (block, kind, text) = match &*block.kind {
            "text" => (BlockKind::Text, ContentKind::Text, json::filled(block.text.as_ref())),
            "thinking" => (BlockKind::Thinking, ContentKind::Thinking, json::filled(block.thinking.as_ref())),
            "redacted_thinking" => (BlockKind::Thinking, ContentKind::Thinking, None),
            "tool_use" | "server_tool_use" | "mcp_tool_use" => {
                let tool = BlockKind::Tool { id: owned(&block.id), name: owned(&block.name) };
                let input = block.input.map(RawValue::get).filter(|input| *input != "{}");
                (tool, ContentKind::ToolArguments, input)
            }
            strange => {
                self.strange.push(index);
                return out.push(Event::Unknown(strange.to_owned()));
            }
        };
        out.push(Event::BlockStart { index, block });
        out.extend(text.map(|text| Event::Delta { index, kind, text: text.into() }));
    }
}

fn block_delta(index: usize, delta: DeltaBody<'_>) -> Event {
    let piece = |kind, text: Option<Text<'_>>| Event::Delta {
        index,
        kind,
        text: text.as_deref().unwrap_or_default().into(),
    };
    match delta.kind.as_deref().unwrap_or_default() {
        "text_delta" => piece(ContentKind::Text, delta.text),
        "thinking_delta" => piece(ContentKind::Thinking, delta.thinking),
        "input_json_delta" => piece(ContentKind::ToolArguments, delta.partial_json),
        "signature_delta" => {
            Event::Signature { index, signature: delta.signature.map(Text::into_owned).unwrap_or_default() }
        }
        strange => Event::Unknown(strange.to_owned()),
    }
}

/// An event of an unknown type may have any shape, and even be no JSON.
fn tolerate(event: &str, data: &str, error: WireError, out: &mut Vec<Event>) -> Result<(), WireError> {
    let kind = json::parse::<Kind<'_>>(WHAT, data).ok().and_then(|kind| kind.kind);
    let kind = kind.as_deref().unwrap_or(event);
    if kind == "error" {
        return Err(mid_stream(data));
    }
    if kind.is_empty() || KNOWN.contains(&kind) {
        return Err(error);
    }
    out.push(Event::Unknown(kind.to_owned()));
    Ok(())
}

fn mid_stream(data: &str) -> WireError {
    error_body::decode(data.as_bytes())
        .map_or_else(|| json::wrong("an error event", "it states no error"), WireError::MidStream)
}

fn required<T>(field: Option<T>, name: &str) -> Result<T, WireError> {
    field.ok_or_else(|| json::wrong(WHAT, format_args!("missing field `{name}`")))
}
