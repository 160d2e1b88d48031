//! `POST /generate`: `{"prompt", "max_tokens", "temperature"}` in, `{"text", "cached", "latency_ms"}` out.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Ask, Block, Content, Message, Reply, WireError, error_body, json};

#[derive(Serialize, Deserialize)]
struct Request {
    prompt: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(default)]
    temperature: Option<f64>,
}

#[derive(Serialize, Deserialize)]
struct ReplyBody {
    #[serde(default)]
    text: Option<Arc<str>>,
    #[serde(default)]
    cached: Option<bool>,
    #[serde(flatten)]
    extra: BTreeMap<String, Value>,
}

/// The prompt is all text of the request, blocks joined by blank lines.
pub(super) fn encode_request(ask: &Ask) -> Vec<u8> {
    let blocks = ask.system.iter().chain(ask.messages.iter().flat_map(|message| &message.content));
    let request = Request {
        prompt: join(blocks),
        max_tokens: ask.max_tokens,
        temperature: Some(ask.temperature.unwrap_or(0.0)),
    };
    json::to_string(&request).into_bytes()
}

pub(super) fn decode_request(body: &[u8]) -> Result<Ask, WireError> {
    let request: Request =
        serde_json::from_slice(body).map_err(|error| json::wrong("a /generate request", error))?;
    Ok(Ask {
        messages: vec![Message::user(request.prompt)],
        max_tokens: request.max_tokens,
        temperature: request.temperature,
        ..Ask::default()
    })
}

/// Missing fields are tolerated: no text is the empty text, and what does not say that it was cached was not.
pub(super) fn decode_reply(body: &[u8]) -> Result<Reply, WireError> {
    let reply: ReplyBody = json::parse_bytes("a /generate answer", body)?;
    if reply.text.is_none()
        && let Some(error) = error_body::decode(body)
    {
        return Err(WireError::MidStream(error));
    }
    Ok(Reply {
        content: reply.text.filter(|text| !text.is_empty()).map(Content::Text).into_iter().collect(),
        cached: Some(reply.cached.unwrap_or(false)),
        extra: reply.extra,
        ..Reply::default()
    })
}

pub(super) fn encode_reply(reply: &Reply) -> Vec<u8> {
    json::to_string(&ReplyBody {
        text: Some(reply.text().into()),
        cached: Some(reply.cached.unwrap_or(false)),
        extra: reply.extra.clone(),
    })
    .into_bytes()
}

/// The text of blocks, separated by blank lines; a single text is shared, not copied.
pub(super) fn join<'a>(blocks: impl IntoIterator<Item = &'a Block>) -> Arc<str> {
    let texts: Vec<_> = blocks
        .into_iter()
        .filter_map(|block| match &block.content {
            Content::Text(text) | Content::ToolResult { text, .. } => Some(text),
            Content::Thinking { .. } | Content::ToolUse { .. } => None,
        })
        .collect();
    match texts.as_slice() {
        [only] => Arc::clone(only),
        texts => texts.iter().map(|text| &***text).collect::<Vec<_>>().join("\n\n").into(),
    }
}
