//! Events to server-sent events.

use serde::Serialize;

use super::super::usage::UsageBody;
use crate::wire::{BlockKind, ContentKind, Event, StopReason, Usage, json};

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Outgoing<'a> {
    MessageStart { message: MessageHead<'a> },
    ContentBlockStart { index: usize, content_block: BlockHead<'a> },
    ContentBlockDelta { index: usize, delta: Delta<'a> },
    ContentBlockStop { index: usize },
    MessageDelta { delta: Stop<'a>, usage: UsageBody },
    MessageStop,
    Ping,
}

#[derive(Serialize)]
struct MessageHead<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: [(); 0],
    stop_reason: Option<&'a str>,
    stop_sequence: Option<&'a str>,
    usage: UsageBody,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum BlockHead<'a> {
    Text { text: &'static str },
    Thinking { thinking: &'static str, signature: &'static str },
    ToolUse { id: &'a str, name: &'a str, input: Empty },
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Delta<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
}

#[derive(Serialize)]
struct Stop<'a> {
    stop_reason: Option<&'a str>,
    stop_sequence: Option<&'a str>,
}

#[derive(Serialize)]
struct Unknown<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
}

/// Encodes one answer. `message_start` waits for the first usage, and a later usage for the stop reason,
/// because on the wire they come together.
#[derive(Debug, Default)]
pub(in crate::wire) struct StreamEncoder {
    start: Option<(String, String)>,
    usage: Option<Usage>,
}

impl StreamEncoder {
    pub(in crate::wire) fn encode(&mut self, event: &Event) -> String {
        let mut text = String::new();
        if let Some((id, model)) = self.start.take() {
            let usage = if let Event::Usage(usage) = event { Some(**usage) } else { None };
            text.push_str(&message_start(&id, &model, usage));
            if usage.is_some() {
                return text;
            }
        }
        if let Event::Finish(stop) = event {
            return text + &message_delta(Some(stop), self.usage.take());
        }
        if let Some(usage) = self.usage.take() {
            text.push_str(&message_delta(None, Some(usage)));
        }
        match event {
            Event::Start { id, model } => self.start = Some((id.clone(), model.clone())),
            Event::Usage(usage) => self.usage = Some(**usage),
            Event::Unknown(kind) => text.push_str(&server_sent(kind, &Unknown { kind })),
            event => {
                if let Some((name, outgoing)) = on_its_own(event) {
                    text.push_str(&server_sent(name, &outgoing));
                }
            }
        }
        text
    }
}

fn message_start(id: &str, model: &str, usage: Option<Usage>) -> String {
    let message = MessageHead {
        id,
        kind: "message",
        role: "assistant",
        model,
        content: [],
        stop_reason: None,
        stop_sequence: None,
        usage: usage.unwrap_or_default().into(),
    };
    server_sent("message_start", &Outgoing::MessageStart { message })
}

fn message_delta(stop: Option<&StopReason>, usage: Option<Usage>) -> String {
    let delta = Stop { stop_reason: stop.map(StopReason::anthropic), stop_sequence: None };
    let usage = usage.unwrap_or_default().into();
    server_sent("message_delta", &Outgoing::MessageDelta { delta, usage })
}

/// The events that are one server-sent event each.
fn on_its_own(event: &Event) -> Option<(&'static str, Outgoing<'_>)> {
    Some(match event {
        Event::BlockStart { index, block } => {
            let content_block = match block {
                BlockKind::Text => BlockHead::Text { text: "" },
                BlockKind::Thinking => BlockHead::Thinking { thinking: "", signature: "" },
                BlockKind::Tool { id, name } => BlockHead::ToolUse { id, name, input: Empty {} },
            };
            ("content_block_start", Outgoing::ContentBlockStart { index: *index, content_block })
        }
        Event::Delta { index, kind, text } => {
            let delta = match kind {
                ContentKind::Text | ContentKind::Refusal => Delta::Text { text },
                ContentKind::Thinking => Delta::Thinking { thinking: text },
                ContentKind::ToolArguments => Delta::InputJson { partial_json: text },
                // Said when the block began.
                ContentKind::ToolName => return None,
            };
            ("content_block_delta", Outgoing::ContentBlockDelta { index: *index, delta })
        }
        Event::Signature { index, signature } => {
            let delta = Delta::Signature { signature };
            ("content_block_delta", Outgoing::ContentBlockDelta { index: *index, delta })
        }
        Event::BlockStop { index } => ("content_block_stop", Outgoing::ContentBlockStop { index: *index }),
        Event::Done => ("message_stop", Outgoing::MessageStop),
        Event::Ping => ("ping", Outgoing::Ping),
        Event::Start { .. } | Event::Usage(_) | Event::Finish(_) | Event::Unknown(_) => return None,
    })
}

fn server_sent(name: &str, payload: &impl Serialize) -> String {
    format!("event: {name}\ndata: {}\n\n", json::to_string(payload))
}
