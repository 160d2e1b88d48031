//! Anthropic's answer that is not streamed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::usage::UsageBody;
use crate::wire::{Content, Reply, StopReason, WireError, error_body, json};

#[derive(Serialize, Deserialize)]
struct ReplyBody {
    #[serde(default)]
    id: String,
    #[serde(rename = "type", default)]
    kind: Cow<'static, str>,
    #[serde(default)]
    role: Cow<'static, str>,
    #[serde(default)]
    model: String,
    content: Vec<Part>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    stop_sequence: Option<String>,
    #[serde(default)]
    usage: UsageBody,
    #[serde(flatten)]
    extra: BTreeMap<String, Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    Text {
        text: Arc<str>,
    },
    Thinking {
        #[serde(default)]
        thinking: Arc<str>,
        #[serde(default)]
        signature: String,
    },
    RedactedThinking {
        #[serde(default)]
        data: String,
    },
    ToolUse {
        id: String,
        name: String,
        input: Value,
    },
    #[serde(other)]
    Other,
}

pub(in crate::wire) fn decode_reply(body: &[u8]) -> Result<Reply, WireError> {
    let mut reply: ReplyBody = json::parse_bytes("a /v1/messages answer", body)
        .map_err(|error| error_body::decode(body).map_or(error, WireError::MidStream))?;
    reply.extra.retain(|_, value| !value.is_null());
    Ok(Reply {
        id: reply.id,
        model: reply.model,
        content: reply.content.into_iter().filter_map(content).collect(),
        stop: reply.stop_reason.map(|word| StopReason::from_word(&word)),
        usage: reply.usage.into(),
        cached: None,
        extra: reply.extra,
    })
}

pub(in crate::wire) fn encode_reply(reply: &Reply) -> Vec<u8> {
    json::to_string(&ReplyBody {
        id: reply.id.clone(),
        kind: "message".into(),
        role: "assistant".into(),
        model: reply.model.clone(),
        content: reply.content.iter().filter_map(part).collect(),
        stop_reason: reply.stop.as_ref().map(|stop| stop.anthropic().to_owned()),
        stop_sequence: None,
        usage: reply.usage.into(),
        extra: reply.extra.clone(),
    })
    .into_bytes()
}

fn content(part: Part) -> Option<Content> {
    match part {
        Part::Text { text } => Some(Content::Text(text)),
        Part::Thinking { thinking, signature } => Some(Content::Thinking { text: thinking, signature }),
        Part::RedactedThinking { .. } => {
            Some(Content::Thinking { text: "".into(), signature: String::new() })
        }
        Part::ToolUse { id, name, input } => Some(Content::ToolUse { id, name, input }),
        Part::Other => None,
    }
}

fn part(content: &Content) -> Option<Part> {
    match content {
        Content::Text(text) => Some(Part::Text { text: Arc::clone(text) }),
        Content::Thinking { text, signature } => {
            Some(Part::Thinking { thinking: Arc::clone(text), signature: signature.clone() })
        }
        Content::ToolUse { id, name, input } => {
            Some(Part::ToolUse { id: id.clone(), name: name.clone(), input: input.clone() })
        }
        // A model does not answer its own calls.
        Content::ToolResult { .. } => None,
    }
}
