//! OpenAI's request.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::message::{ChatMessage, body, calls, text_of, texts};
use crate::wire::json::{self, Body};
use crate::wire::{Ask, Block, Content, Message, Role, Thinking, Tool, ToolChoice, WireError, generate};

#[derive(Serialize, Deserialize)]
struct Request {
    model: String,
    messages: Vec<ChatMessage>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolBody>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    /// The newer name, which is read but not written: fewer servers know it.
    #[serde(default, skip_serializing)]
    max_completion_tokens: Option<u32>,
    #[serde(default)]
    stream: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<Cow<'static, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(in crate::wire) struct StreamOptions {
    #[serde(default)]
    pub(in crate::wire) include_usage: bool,
}

impl StreamOptions {
    /// Absent where there is nothing to say.
    pub(in crate::wire) fn of(ask: &Ask) -> Option<Self> {
        (ask.stream && ask.include_usage).then_some(Self { include_usage: true })
    }
}

#[derive(Serialize, Deserialize)]
struct ToolBody {
    #[serde(rename = "type", default)]
    kind: Cow<'static, str>,
    function: FunctionBody,
}

#[derive(Serialize, Deserialize)]
struct FunctionBody {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    parameters: Value,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Choice {
    Mode(Cow<'static, str>),
    Named {
        #[serde(rename = "type")]
        kind: Cow<'static, str>,
        function: Name,
    },
}

#[derive(Serialize, Deserialize)]
struct Name {
    name: String,
}

pub(in crate::wire) fn encode_request(ask: &Ask) -> Vec<u8> {
    let tool = |tool: &Tool| ToolBody {
        kind: "function".into(),
        function: FunctionBody {
            name: tool.name.clone(),
            description: tool.description.clone(),
            parameters: tool.input_schema.clone(),
        },
    };
    let system = (!ask.system.is_empty())
        .then(|| ChatMessage::new("system", Some(Body::Text(generate::join(&ask.system)))));
    let request = Request {
        model: ask.model.clone(),
        messages: system.into_iter().chain(ask.messages.iter().flat_map(turns)).collect(),
        tools: ask.tools.iter().map(tool).collect(),
        tool_choice: match &ask.tool_choice {
            ToolChoice::Auto => None,
            ToolChoice::Any => Some(Choice::Mode("required".into())),
            ToolChoice::None => Some(Choice::Mode("none".into())),
            ToolChoice::Tool(name) => {
                Some(Choice::Named { kind: "function".into(), function: Name { name: name.clone() } })
            }
        },
        max_tokens: ask.max_tokens,
        max_completion_tokens: None,
        stream: ask.stream,
        stream_options: StreamOptions::of(ask),
        reasoning_effort: (ask.thinking != Thinking::Off).then_some("medium".into()),
        temperature: ask.temperature,
        prompt_cache_key: ask.prompt_cache_key.clone(),
    };
    json::to_string(&request).into_bytes()
}

/// One turn; results of tools are messages of their own and come first. Thinking is not sent back.
fn turns(message: &Message) -> Vec<ChatMessage> {
    let contents = || message.content.iter().map(|block| &block.content);
    let mut turns: Vec<_> = contents()
        .filter_map(|content| match content {
            Content::ToolResult { id, text, .. } => Some(ChatMessage {
                tool_call_id: Some(id.clone()),
                ..ChatMessage::new("tool", Some(Body::Text(Arc::clone(text))))
            }),
            _ => None,
        })
        .collect();
    let role = if message.role == Role::User { "user" } else { "assistant" };
    let said = ChatMessage {
        tool_calls: calls(contents()),
        ..ChatMessage::new(role, body(contents().filter_map(text_of)))
    };
    if turns.is_empty() || said.content.is_some() || said.tool_calls.is_some() {
        turns.push(said);
    }
    turns
}

pub(in crate::wire) fn decode_request(body: &[u8]) -> Result<Ask, WireError> {
    let request: Request =
        serde_json::from_slice(body).map_err(|error| json::wrong("a /v1/chat/completions request", error))?;
    let tool = |tool: ToolBody| Tool {
        name: tool.function.name,
        description: tool.function.description,
        input_schema: tool.function.parameters,
        cache: None,
    };
    let mut ask = Ask {
        model: request.model,
        tools: request.tools.into_iter().map(tool).collect(),
        tool_choice: request.tool_choice.map_or(ToolChoice::Auto, chosen),
        max_tokens: request.max_tokens.or(request.max_completion_tokens),
        stream: request.stream,
        include_usage: request.stream_options.is_some_and(|options| options.include_usage),
        thinking: match request.reasoning_effort.as_deref() {
            None | Some("none") => Thinking::Off,
            Some(_) => Thinking::Adaptive,
        },
        temperature: request.temperature,
        prompt_cache_key: request.prompt_cache_key,
        ..Ask::default()
    };
    let mut after_tool = false;
    for message in request.messages {
        let is_tool = message.role == "tool";
        take_turn(&mut ask, message, after_tool)?;
        after_tool = is_tool;
    }
    Ok(ask)
}

/// Adds one message; the results of parallel tool calls belong to one turn.
fn take_turn(ask: &mut Ask, message: ChatMessage, after_tool: bool) -> Result<(), WireError> {
    let said = |body| texts(body).into_iter().map(Block::text);
    let content = match &*message.role {
        "system" | "developer" => {
            ask.system.extend(said(message.content));
            return Ok(());
        }
        "user" => said(message.content).collect(),
        "assistant" => {
            let calls = message.tool_calls.unwrap_or_default().into_iter();
            said(message.content)
                .chain(calls.map(|call| Block { content: call.into(), cache: None }))
                .collect()
        }
        "tool" => {
            let id = message
                .tool_call_id
                .ok_or_else(|| json::wrong("a message of role `tool`", "missing field `tool_call_id`"))?;
            let text = texts(message.content).iter().map(|text| &**text).collect::<String>().into();
            let result = Block { content: Content::ToolResult { id, text, is_error: false }, cache: None };
            if let (true, Some(turn)) = (after_tool, ask.messages.last_mut()) {
                turn.content.push(result);
                return Ok(());
            }
            vec![result]
        }
        other => return Err(json::wrong("`role` of a message", format_args!("unknown role `{other}`"))),
    };
    let role = if message.role == "assistant" { Role::Assistant } else { Role::User };
    ask.messages.push(Message { role, content });
    Ok(())
}

fn chosen(choice: Choice) -> ToolChoice {
    match choice {
        Choice::Mode(mode) if mode == "required" => ToolChoice::Any,
        Choice::Mode(mode) if mode == "none" => ToolChoice::None,
        Choice::Mode(_) => ToolChoice::Auto,
        Choice::Named { function, .. } => ToolChoice::Tool(function.name),
    }
}
