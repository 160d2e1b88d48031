//! A chat message, of a request or of an answer.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::wire::Content;
use crate::wire::json::{self, Body};

#[derive(Serialize, Deserialize)]
pub(super) struct ChatMessage {
    pub(super) role: Cow<'static, str>,
    /// Null in a turn that only calls tools.
    #[serde(default)]
    pub(super) content: Option<Body<TextPart>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_content: Option<Arc<str>>,
    /// Newer vLLM's name for `reasoning_content`.
    #[serde(default, skip_serializing)]
    pub(super) reasoning: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tool_calls: Option<Vec<ToolCall>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tool_call_id: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct TextPart {
    #[serde(rename = "type")]
    pub(super) kind: Cow<'static, str>,
    #[serde(default)]
    pub(super) text: Option<Arc<str>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ToolCall {
    #[serde(default)]
    id: String,
    #[serde(rename = "type", default)]
    kind: Cow<'static, str>,
    function: Function,
}

#[derive(Serialize, Deserialize)]
struct Function {
    name: String,
    #[serde(default)]
    arguments: String,
}

impl ChatMessage {
    pub(super) fn new(role: &'static str, content: Option<Body<TextPart>>) -> Self {
        Self {
            role: role.into(),
            content,
            reasoning_content: None,
            reasoning: None,
            refusal: None,
            tool_calls: None,
            tool_call_id: None,
        }
    }
}

/// One text as a plain string, several as parts, none as null.
pub(super) fn body<'a>(texts: impl IntoIterator<Item = &'a Arc<str>>) -> Option<Body<TextPart>> {
    let texts: Vec<_> = texts.into_iter().cloned().collect();
    match texts.as_slice() {
        [] => None,
        [only] => Some(Body::Text(Arc::clone(only))),
        _ => Some(Body::Parts(
            texts.into_iter().map(|text| TextPart { kind: "text".into(), text: Some(text) }).collect(),
        )),
    }
}

/// The texts of a message; images and audio are passed over.
pub(super) fn texts(body: Option<Body<TextPart>>) -> Vec<Arc<str>> {
    match body {
        None => Vec::new(),
        Some(Body::Text(text)) => vec![text],
        Some(Body::Parts(parts)) => parts.into_iter().filter_map(|part| part.text).collect(),
    }
}

pub(super) fn text_of(content: &Content) -> Option<&Arc<str>> {
    if let Content::Text(text) = content { Some(text) } else { None }
}

/// The tool calls among blocks.
pub(super) fn calls<'a>(content: impl IntoIterator<Item = &'a Content>) -> Option<Vec<ToolCall>> {
    let call = |content: &Content| match content {
        Content::ToolUse { id, name, input } => Some(ToolCall {
            id: id.clone(),
            kind: "function".into(),
            function: Function { name: name.clone(), arguments: json::tool_arguments(input) },
        }),
        _ => None,
    };
    Some(content.into_iter().filter_map(call).collect::<Vec<_>>()).filter(|calls| !calls.is_empty())
}

impl From<ToolCall> for Content {
    fn from(call: ToolCall) -> Self {
        Self::ToolUse {
            id: call.id,
            name: call.function.name,
            input: json::tool_input(&call.function.arguments),
        }
    }
}
