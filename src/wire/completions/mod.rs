//! OpenAI's older completions, `POST /v1/completions`: a prompt in, its continuation out. vLLM, llama.cpp and others
//! speak them too. There are no turns, tools or thinking: a request's texts become one prompt.

mod stream;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::openai::{StreamOptions, UsageBody};
use super::{Ask, Content, Message, Reply, StopReason, WireError, error_body, generate, json};

pub(super) use stream::{StreamDecoder, StreamEncoder};

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

/// The first choice counts; the lab asks for one.
pub(super) fn decode_reply(body: &[u8]) -> Result<Reply, WireError> {
    let what = "a /v1/completions answer";
    let mut reply: ReplyBody = json::parse_bytes(what, body)
        .map_err(|error| error_body::decode(body).map_or(error, WireError::MidStream))?;
    reply.extra.retain(|_, value| !value.is_null());
    let choice = reply.choices.into_iter().next().ok_or_else(|| json::wrong(what, "`choices` is empty"))?;
    Ok(Reply {
        id: reply.id,
        model: reply.model,
        content: Some(choice.text).filter(|text| !text.is_empty()).map(Content::Text).into_iter().collect(),
        stop: choice.finish_reason.map(|word| StopReason::from_word(&word)),
        usage: reply.usage.unwrap_or_default().into(),
        cached: None,
        extra: reply.extra,
    })
}

pub(super) fn encode_reply(reply: &Reply) -> Vec<u8> {
    json::to_string(&ReplyBody {
        id: reply.id.clone(),
        object: Some("text_completion".into()),
        created: 0.into(),
        model: reply.model.clone(),
        choices: vec![Choice {
            index: 0,
            text: reply.text().into(),
            logprobs: Value::Null,
            finish_reason: reply.stop.as_ref().map(|stop| stop.openai().to_owned()),
        }],
        usage: Some(reply.usage.into()),
        extra: reply.extra.clone(),
    })
    .into_bytes()
}
