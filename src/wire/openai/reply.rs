//! OpenAI's answer that is not streamed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::message::{ChatMessage, body, calls, texts};
use super::usage::UsageBody;
use crate::wire::{Content, Reply, StopReason, WireError, error_body, json};

#[derive(Serialize, Deserialize)]
struct ReplyBody {
    #[serde(default)]
    id: String,
    #[serde(default)]
    object: Option<Cow<'static, str>>,
    /// Seconds since the epoch; the wire floor reads no clock, so it writes 0.
    #[serde(default)]
    created: Value,
    #[serde(default)]
    model: String,
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<UsageBody>,
    #[serde(flatten)]
    extra: BTreeMap<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct Choice {
    #[serde(default)]
    index: usize,
    message: ChatMessage,
    #[serde(default)]
    finish_reason: Option<String>,
}

/// The first choice counts; the lab asks for one.
pub(in crate::wire) fn decode_reply(body: &[u8]) -> Result<Reply, WireError> {
    let what = "a /v1/chat/completions answer";
    let mut reply: ReplyBody = json::parse_bytes(what, body)
        .map_err(|error| error_body::decode(body).map_or(error, WireError::MidStream))?;
    reply.extra.retain(|_, value| !value.is_null());
    let choice = reply.choices.into_iter().next().ok_or_else(|| json::wrong(what, "`choices` is empty"))?;
    Ok(Reply {
        id: reply.id,
        model: reply.model,
        content: content(choice.message),
        stop: choice.finish_reason.map(|word| StopReason::from_word(&word)),
        usage: reply.usage.unwrap_or_default().into(),
        cached: None,
        extra: reply.extra,
    })
}

fn content(message: ChatMessage) -> Vec<Content> {
    let some = |text: Option<Arc<str>>| text.filter(|text| !text.is_empty());
    let thinking = some(message.reasoning_content)
        .or(some(message.reasoning))
        .map(|text| Content::Thinking { text, signature: String::new() });
    let text = texts(message.content).into_iter().chain(message.refusal).filter(|text| !text.is_empty());
    let calls = message.tool_calls.unwrap_or_default().into_iter().map(Content::from);
    thinking.into_iter().chain(text.map(Content::Text)).chain(calls).collect()
}

pub(in crate::wire) fn encode_reply(reply: &Reply) -> Vec<u8> {
    let thinking = reply.content.iter().filter_map(|content| match content {
        Content::Thinking { text, .. } => Some(&**text),
        _ => None,
    });
    let thinking: String = thinking.collect();
    let text = reply.text();
    let text = (!text.is_empty()).then(|| Arc::from(text));
    let message = ChatMessage {
        reasoning_content: (!thinking.is_empty()).then(|| thinking.into()),
        tool_calls: calls(&reply.content),
        ..ChatMessage::new("assistant", body(text.as_ref()))
    };
    json::to_string(&ReplyBody {
        id: reply.id.clone(),
        object: Some("chat.completion".into()),
        created: 0.into(),
        model: reply.model.clone(),
        choices: vec![Choice {
            index: 0,
            message,
            finish_reason: reply.stop.as_ref().map(|stop| stop.openai().to_owned()),
        }],
        usage: Some(reply.usage.into()),
        extra: reply.extra.clone(),
    })
    .into_bytes()
}
