//! Anthropic's request.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wire::json::{self, Body};
use crate::wire::{
    Ask, Block, CacheTtl, Content, Message, Role, Serving, Thinking, Tool, ToolChoice, WireError,
};

/// Anthropic insists on a limit; this is the one of a request that names none.
const DEFAULT_MAX_TOKENS: u32 = 1024;

#[derive(Serialize, Deserialize)]
struct Request {
    model: String,
    max_tokens: u32,
    #[serde(default)]
    stream: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolBody>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    system: Option<Body<Part>>,
    messages: Vec<Turn>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thinking: Option<ThinkingBody>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize, Deserialize)]
struct ToolBody {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    input_schema: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize, Deserialize)]
struct Turn {
    role: Cow<'static, str>,
    content: Body<Part>,
}

#[derive(Serialize, Deserialize)]
struct Part {
    #[serde(flatten)]
    kind: PartKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum PartKind {
    Text {
        text: Arc<str>,
    },
    Thinking {
        #[serde(default)]
        thinking: Arc<str>,
        #[serde(default)]
        signature: String,
    },
    ToolUse {
        id: String,
        name: String,
        input: Value,
    },
    ToolResult {
        tool_use_id: String,
        #[serde(default)]
        content: Option<Body<TextPart>>,
        #[serde(default)]
        is_error: bool,
    },
    /// Images, documents and what else the lab does not measure.
    #[serde(other)]
    Other,
}

#[derive(Serialize, Deserialize)]
struct TextPart {
    text: Option<Arc<str>>,
}

#[derive(Serialize, Deserialize)]
struct CacheControl {
    #[serde(rename = "type")]
    kind: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<Cow<'static, str>>,
}

#[derive(Serialize, Deserialize)]
struct Choice {
    #[serde(rename = "type")]
    kind: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ThinkingBody {
    Enabled {
        budget_tokens: u32,
    },
    Adaptive {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        display: Option<Cow<'static, str>>,
    },
    #[serde(other)]
    Disabled,
}

pub(in crate::wire) fn encode_request(ask: &Ask) -> Vec<u8> {
    let tool = |tool: &Tool| ToolBody {
        name: tool.name.clone(),
        description: tool.description.clone(),
        input_schema: tool.input_schema.clone(),
        cache_control: tool.cache.map(CacheControl::from),
    };
    let turn = |message: &Message| Turn {
        role: Cow::Borrowed(if message.role == Role::User { "user" } else { "assistant" }),
        content: match message.content.as_slice() {
            [Block { content: Content::Text(text), cache: None }] => Body::Text(Arc::clone(text)),
            blocks => Body::Parts(blocks.iter().map(Part::from).collect()),
        },
    };
    let request = Request {
        model: ask.model.clone(),
        max_tokens: ask.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
        stream: ask.stream,
        tools: ask.tools.iter().map(tool).collect(),
        tool_choice: choice(&ask.tool_choice),
        system: (!ask.system.is_empty()).then(|| Body::Parts(ask.system.iter().map(Part::from).collect())),
        messages: ask.messages.iter().map(turn).collect(),
        thinking: match ask.thinking {
            Thinking::Off => None,
            Thinking::Budget(budget_tokens) => Some(ThinkingBody::Enabled { budget_tokens }),
            // Current models leave the text of their thinking out unless it is asked for.
            Thinking::Adaptive => Some(ThinkingBody::Adaptive { display: Some("summarized".into()) }),
            Thinking::Hidden => Some(ThinkingBody::Adaptive { display: Some("omitted".into()) }),
        },
        temperature: ask.temperature,
        cache_control: ask.automatic_cache.map(CacheControl::from),
    };
    json::to_string(&request).into_bytes()
}

pub(in crate::wire) fn decode_request(body: &[u8]) -> Result<Ask, WireError> {
    let request: Request =
        serde_json::from_slice(body).map_err(|error| json::wrong("a /v1/messages request", error))?;
    let tool = |tool: ToolBody| Tool {
        name: tool.name,
        description: tool.description,
        input_schema: tool.input_schema,
        cache: tool.cache_control.map(CacheTtl::from),
    };
    Ok(Ask {
        model: request.model,
        tools: request.tools.into_iter().map(tool).collect(),
        tool_choice: request.tool_choice.map_or(ToolChoice::Auto, chosen),
        system: request.system.map(blocks).unwrap_or_default(),
        messages: request.messages.into_iter().map(message).collect::<Result<_, _>>()?,
        max_tokens: Some(request.max_tokens),
        stream: request.stream,
        include_usage: true,
        thinking: match request.thinking {
            Some(ThinkingBody::Enabled { budget_tokens }) => Thinking::Budget(budget_tokens),
            Some(ThinkingBody::Adaptive { display }) if display.as_deref() == Some("omitted") => {
                Thinking::Hidden
            }
            Some(ThinkingBody::Adaptive { .. }) => Thinking::Adaptive,
            Some(ThinkingBody::Disabled) | None => Thinking::Off,
        },
        temperature: request.temperature,
        automatic_cache: request.cache_control.map(CacheTtl::from),
        prompt_cache_key: None,
        script: None,
        serving: Serving::default(),
    })
}

fn message(turn: Turn) -> Result<Message, WireError> {
    let role = match &*turn.role {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        other => return Err(json::wrong("`role` of a message", format_args!("unknown role `{other}`"))),
    };
    Ok(Message { role, content: blocks(turn.content) })
}

fn blocks(body: Body<Part>) -> Vec<Block> {
    match body {
        Body::Text(text) => vec![Block::text(text)],
        Body::Parts(parts) => parts.into_iter().filter_map(block).collect(),
    }
}

fn block(part: Part) -> Option<Block> {
    let content = match part.kind {
        PartKind::Text { text } => Content::Text(text),
        PartKind::Thinking { thinking, signature } => Content::Thinking { text: thinking, signature },
        PartKind::ToolUse { id, name, input } => Content::ToolUse { id, name, input },
        PartKind::ToolResult { tool_use_id, content, is_error } => {
            let text = match content {
                None => "".into(),
                Some(Body::Text(text)) => text,
                Some(Body::Parts(parts)) => {
                    parts.iter().filter_map(|part| part.text.as_deref()).collect::<String>().into()
                }
            };
            Content::ToolResult { id: tool_use_id, text, is_error }
        }
        PartKind::Other => return None,
    };
    Some(Block { content, cache: part.cache_control.map(CacheTtl::from) })
}

impl From<&Block> for Part {
    fn from(block: &Block) -> Self {
        let kind = match &block.content {
            Content::Text(text) => PartKind::Text { text: Arc::clone(text) },
            Content::Thinking { text, signature } => {
                PartKind::Thinking { thinking: Arc::clone(text), signature: signature.clone() }
            }
            Content::ToolUse { id, name, input } => {
                PartKind::ToolUse { id: id.clone(), name: name.clone(), input: input.clone() }
            }
            Content::ToolResult { id, text, is_error } => PartKind::ToolResult {
                tool_use_id: id.clone(),
                content: Some(Body::Text(Arc::clone(text))),
                is_error: *is_error,
            },
        };
        Self { kind, cache_control: block.cache.map(CacheControl::from) }
    }
}

fn choice(choice: &ToolChoice) -> Option<Choice> {
    let (kind, name) = match choice {
        ToolChoice::Auto => return None,
        ToolChoice::Any => ("any", None),
        ToolChoice::None => ("none", None),
        ToolChoice::Tool(name) => ("tool", Some(name.clone())),
    };
    Some(Choice { kind: kind.into(), name })
}

fn chosen(choice: Choice) -> ToolChoice {
    match (&*choice.kind, choice.name) {
        ("any", _) => ToolChoice::Any,
        ("none", _) => ToolChoice::None,
        ("tool", Some(name)) => ToolChoice::Tool(name),
        _ => ToolChoice::Auto,
    }
}

impl From<CacheTtl> for CacheControl {
    fn from(ttl: CacheTtl) -> Self {
        Self { kind: "ephemeral".into(), ttl: (ttl == CacheTtl::OneHour).then_some("1h".into()) }
    }
}

impl From<CacheControl> for CacheTtl {
    fn from(control: CacheControl) -> Self {
        if control.ttl.as_deref() == Some("1h") { Self::OneHour } else { Self::FiveMinutes }
    }
}
