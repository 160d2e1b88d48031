//! OpenAI's answer that is not streamed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::message::{ChatMessage, body, calls, texts};
use super::usage::UsageBody;
use crate::wire::{Content, Reply, StopReason, WireError, error_body, json};

/// An answer of chats and of the older completions, which differ in what a choice says.
#[derive(Serialize, Deserialize)]
pub(in crate::wire) struct ReplyBody<C> {
    #[serde(default)]
    id: String,
    #[serde(default)]
    object: Option<Cow<'static, str>>,
    /// Seconds since the epoch; the wire floor reads no clock, so it writes 0.
    #[serde(default)]
    created: Value,
    #[serde(default)]
    model: String,
    choices: Vec<C>,
    #[serde(default)]
    usage: Option<UsageBody>,
    #[serde(flatten)]
    extra: BTreeMap<String, Value>,
}

/// One of the answers to choose from.
pub(in crate::wire) trait Choice: Serialize + DeserializeOwned {
    /// What it says, and why it ends.
    fn said(self) -> (Vec<Content>, Option<String>);
}

impl<C: Choice> ReplyBody<C> {
    /// The first choice counts; the lab asks for one.
    pub(in crate::wire) fn decode(what: &'static str, body: &[u8]) -> Result<Reply, WireError> {
        let mut reply: Self = json::parse_bytes(what, body)
            .map_err(|error| error_body::decode(body).map_or(error, WireError::MidStream))?;
        reply.extra.retain(|_, value| !value.is_null());
        let choice = reply.choices.into_iter().next();
        let (content, stop) = choice.ok_or_else(|| json::wrong(what, "`choices` is empty"))?.said();
        Ok(Reply {
            id: reply.id,
            model: reply.model,
            content,
            stop: stop.map(|word| StopReason::from_word(&word)),
            usage: reply.usage.unwrap_or_default().into(),
            cached: None,
            extra: reply.extra,
        })
    }

    pub(in crate::wire) fn encode(reply: &Reply, object: &'static str, choice: C) -> Vec<u8> {
        json::to_string(&Self {
            id: reply.id.clone(),
            object: Some(object.into()),
            created: 0.into(),
            model: reply.model.clone(),
            choices: vec![choice],
            usage: Some(reply.usage.into()),
            extra: reply.extra.clone(),
        })
        .into_bytes()
    }
}

#[derive(Serialize, Deserialize)]
struct ChatChoice {
    #[serde(default)]
    index: usize,
    message: ChatMessage,
    #[serde(default)]
    finish_reason: Option<String>,
}

impl Choice for ChatChoice {
    fn said(self) -> (Vec<Content>, Option<String>) {
        (content(self.message), self.finish_reason)
    }
}

pub(in crate::wire) fn decode_reply(body: &[u8]) -> Result<Reply, WireError> {
    ReplyBody::<ChatChoice>::decode("a /v1/chat/completions answer", body)
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
    let finish_reason = reply.stop.as_ref().map(|stop| stop.openai().to_owned());
    ReplyBody::encode(reply, "chat.completion", ChatChoice { index: 0, message, finish_reason })
}
