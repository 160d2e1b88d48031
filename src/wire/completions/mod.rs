//! OpenAI's older completions, `POST /v1/completions`: a prompt in, its continuation out. vLLM, llama.cpp and others
//! speak them too. There are no turns, tools or thinking: a request's texts become one prompt.

mod stream;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::openai::{Choice, ReplyBody, StreamOptions};
use super::{Ask, Content, Message, Reply, WireError, generate, json};

pub(super) use stream::StreamEncoder;

#[derive(Serialize, Deserialize)]
struct Request {
    model: String,
    prompt: Prompt,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(default)]
    stream: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
}

/// One text, or a list of them that has only one; lists of token numbers are refused.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "`prompt` must be a text, or a list of one text")]
enum Prompt {
    Text(Arc<str>),
    Only([Arc<str>; 1]),
}

#[derive(Serialize, Deserialize)]
struct TextChoice {
    #[serde(default)]
    index: usize,
    text: Arc<str>,
    #[serde(default)]
    logprobs: Value,
    #[serde(default)]
    finish_reason: Option<String>,
}

/// The prompt is all text of the request, blocks joined by blank lines.
pub(super) fn encode_request(ask: &Ask) -> Vec<u8> {
    let blocks = ask.system.iter().chain(ask.messages.iter().flat_map(|message| &message.content));
    let request = Request {
        model: ask.model.clone(),
        prompt: Prompt::Text(generate::join(blocks)),
        max_tokens: ask.max_tokens,
        stream: ask.stream,
        stream_options: StreamOptions::of(ask),
        temperature: ask.temperature,
    };
    json::to_string(&request).into_bytes()
}

pub(super) fn decode_request(body: &[u8]) -> Result<Ask, WireError> {
    let request: Request =
        serde_json::from_slice(body).map_err(|error| json::wrong("a /v1/completions request", error))?;
    let (Prompt::Text(prompt) | Prompt::Only([prompt])) = request.prompt;
    Ok(Ask {
        model: request.model,
        messages: vec![Message::user(prompt)],
        max_tokens: request.max_tokens,
        stream: request.stream,
        include_usage: request.stream_options.is_some_and(|options| options.include_usage),
        temperature: request.temperature,
        ..Ask::default()
    })
}

impl Choice for TextChoice {
    fn said(self) -> (Vec<Content>, Option<String>) {
        let text = Some(self.text).filter(|text| !text.is_empty());
        (text.map(Content::Text).into_iter().collect(), self.finish_reason)
    }
}

pub(super) fn decode_reply(body: &[u8]) -> Result<Reply, WireError> {
    ReplyBody::<TextChoice>::decode("a /v1/completions answer", body)
}

pub(super) fn encode_reply(reply: &Reply) -> Vec<u8> {
    let choice = TextChoice {
        index: 0,
        text: reply.text().into(),
        logprobs: Value::Null,
        finish_reason: reply.stop.as_ref().map(|stop| stop.openai().to_owned()),
    };
    ReplyBody::encode(reply, "text_completion", choice)
}
