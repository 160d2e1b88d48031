//! What is asked of a model, in no vendor's shape.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{Script, Serving};

/// How long a prompt-cache entry lives without being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum CacheTtl {
    /// Five minutes, `"5m"`.
    #[default]
    FiveMinutes,
    /// One hour, `"1h"`.
    OneHour,
}

/// One request: everything that decides the answer, and the toggles that the lab compares.
///
/// A dialect leaves out what it cannot say (OpenAI knows no `cache_control`); see each encoder.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ask {
    /// The model's name; empty means "the target's".
    pub model: String,
    /// Tools the model may call, in prompt order.
    pub tools: Vec<Tool>,
    /// Which tool the model must call, if any.
    pub tool_choice: ToolChoice,
    /// System prompt, as blocks so that a cache breakpoint can stand at the end of one.
    pub system: Vec<Block>,
    /// The conversation.
    pub messages: Vec<Message>,
    /// The most tokens to generate. `Some(0)` is Anthropic's pre-warming request.
    pub max_tokens: Option<u32>,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// Asks for a streamed OpenAI answer to end with its usage. Anthropic always reports it.
    pub include_usage: bool,
    /// Asks the model to think first.
    pub thinking: Thinking,
    /// Sampling temperature. Several current models refuse it, so it is absent unless set.
    pub temperature: Option<f64>,
    /// Anthropic's top-level `cache_control`: the server places a breakpoint at the last block.
    pub automatic_cache: Option<CacheTtl>,
    /// OpenAI's `prompt_cache_key`, which routes requests of one prefix to one machine.
    pub prompt_cache_key: Option<String>,
    /// What the simulated model says. No part of the request: a live target is never told.
    pub script: Option<Arc<Script>>,
    /// How the simulated engine serves it. No part of the request either.
    pub serving: Serving,
}

/// Whether the model thinks before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Thinking {
    /// No thinking was asked for.
    #[default]
    Off,
    /// Thinking with a budget of tokens.
    Budget(u32),
    /// The model decides how much to think.
    Adaptive,
    /// The same, and the answer leaves the text of the thinking out.
    Hidden,
}

/// Which tool the model must call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ToolChoice {
    /// The model decides.
    #[default]
    Auto,
    /// Some tool.
    Any,
    /// No tool.
    None,
    /// The named tool.
    Tool(String),
}

/// A tool the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// JSON Schema of its input.
    pub input_schema: Value,
    /// A cache breakpoint after this tool.
    pub cache: Option<CacheTtl>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The user, and the results of tools.
    User,
    /// The model.
    Assistant,
}

/// One turn of the conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: Vec<Block>,
}

impl Message {
    /// A user's turn of plain text.
    pub fn user(text: impl Into<Arc<str>>) -> Self {
        Self { role: Role::User, content: vec![Block::text(text)] }
    }

    /// The model's turn of plain text.
    pub fn assistant(text: impl Into<Arc<str>>) -> Self {
        Self { role: Role::Assistant, content: vec![Block::text(text)] }
    }
}

/// A piece of a prompt, and whether a cache breakpoint stands at its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// What it holds.
    pub content: Content,
    /// A cache breakpoint after this block.
    pub cache: Option<CacheTtl>,
}

impl Block {
    /// Plain text without a breakpoint.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self { content: Content::Text(text.into()), cache: None }
    }

    /// The same block with a breakpoint at its end.
    #[must_use]
    pub fn cached(self, ttl: CacheTtl) -> Self {
        Self { cache: Some(ttl), ..self }
    }
}

/// What a block holds. Text is shared, because a sweep sends the same hundred thousand tokens often.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Text.
    Text(Arc<str>),
    /// Thinking that the model returned, with its signature, sent back unchanged.
    Thinking {
        /// The thinking text, empty where the provider hides it.
        text: Arc<str>,
        /// The provider's signature over it.
        signature: String,
    },
    /// A tool call that the model made.
    ToolUse {
        /// The call's id.
        id: String,
        /// The tool's name.
        name: String,
        /// Its input.
        input: Value,
    },
    /// What a tool answered.
    ToolResult {
        /// The id of the call it answers.
        id: String,
        /// The answer.
        text: Arc<str>,
        /// Whether the tool failed.
        is_error: bool,
    },
}

impl Ask {
    /// A streamed question of one user turn.
    pub fn question(text: impl Into<Arc<str>>, max_tokens: u32) -> Self {
        Self {
            messages: vec![Message::user(text)],
            max_tokens: Some(max_tokens),
            stream: true,
            include_usage: true,
            ..Self::default()
        }
    }
}

/// A whole answer that was not streamed, or a streamed one put together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reply {
    /// The provider's id of the message.
    pub id: String,
    /// The model that answered.
    pub model: String,
    /// Text, thinking and tool calls in order.
    pub content: Vec<Content>,
    /// Why the model stopped, in the neutral words of [`StopReason`](super::StopReason).
    pub stop: Option<super::StopReason>,
    /// Tokens used; unknown counts are absent.
    pub usage: super::Usage,
    /// Whether the answer came from a response cache (`/generate` only).
    pub cached: Option<bool>,
    /// Anything further the server said, by name.
    pub extra: BTreeMap<String, Value>,
}

impl Reply {
    /// The visible text, all blocks joined.
    pub fn text(&self) -> String {
        self.content.iter().filter_map(|c| if let Content::Text(t) = c { Some(&**t) } else { None }).collect()
    }
}
