//! What a server says while it answers, in no vendor's shape.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

/// What one server-sent event means.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The answer exists; no content yet.
    Start {
        /// The provider's id of the message.
        id: String,
        /// The model that answers.
        model: String,
    },
    /// A block of content begins.
    BlockStart {
        /// The block's index in the answer.
        index: usize,
        /// What the block holds.
        block: BlockKind,
    },
    /// A piece of content; empty pieces are not content, see [`Event::is_content`].
    Delta {
        /// The block it belongs to.
        index: usize,
        /// What kind of content.
        kind: ContentKind,
        /// The piece; a token or so, which needs no memory of its own.
        text: CompactString,
    },
    /// The signature of a thinking block: not content.
    Signature {
        /// The block it belongs to.
        index: usize,
        /// The signature, opaque.
        signature: String,
    },
    /// A block is complete. For a tool block: the call can be made now.
    BlockStop {
        /// The block's index.
        index: usize,
    },
    /// Tokens used so far; cumulative, so that the last one counts.
    Usage(Box<Usage>),
    /// The model stopped.
    Finish(StopReason),
    /// The terminal event: `message_stop`, `[DONE]`. A stream that ends without one was cut.
    Done,
    /// A keep-alive.
    Ping,
    /// An event this version does not know; tolerated.
    Unknown(String),
}

impl Event {
    /// Whether the event carries content: text, thinking, refusal, or a part of a tool call.
    pub fn is_content(&self) -> bool {
        matches!(self, Self::Delta { text, .. } if !text.is_empty())
    }

    /// Whether the event carries content that a user sees: not thinking.
    pub fn is_visible(&self) -> bool {
        self.is_content() && !matches!(self, Self::Delta { kind: ContentKind::Thinking, .. })
    }
}

/// What a block of an answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockKind {
    /// Visible text.
    Text,
    /// Thinking; its text may be hidden by the provider.
    Thinking,
    /// A tool call.
    Tool {
        /// The call's id.
        id: String,
        /// The tool's name.
        name: String,
    },
}

/// What a piece of content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentKind {
    /// Visible text.
    Text,
    /// Thinking or reasoning text.
    Thinking,
    /// A refusal, which a user sees.
    Refusal,
    /// The name of a tool to call (OpenAI sends it as a piece of its own).
    ToolName,
    /// A part of a tool call's JSON arguments.
    ToolArguments,
}

/// Why the model stopped.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It had said everything: `end_turn`, `stop`.
    EndTurn,
    /// It reached the limit of tokens: `max_tokens`, `length`.
    MaxTokens,
    /// It wants tools called: `tool_use`, `tool_calls`.
    ToolUse,
    /// A stop sequence came up.
    StopSequence,
    /// It declined: `refusal`, `content_filter`.
    Refusal,
    /// Another reason, in the provider's word.
    Other(String),
}

/// Tokens of one request. A count that the server did not give is absent, never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// All prompt tokens: uncached, read from the cache and written to it. (Anthropic's `input_tokens`
    /// is the uncached remainder alone; OpenAI's `prompt_tokens` is this total.)
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub input: Option<u64>,
    /// Prompt tokens read from the prompt cache.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cache_read: Option<u64>,
    /// Prompt tokens written to the prompt cache, all lifetimes together.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cache_write: Option<u64>,
    /// Of `cache_write`, those with a lifetime of one hour.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cache_write_1h: Option<u64>,
    /// Output tokens, thinking included.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output: Option<u64>,
    /// Of `output`, those spent on thinking.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reasoning: Option<u64>,
}

impl Usage {
    /// The share of prompt tokens that came from the cache, in 0..=1. Absent when either count is.
    pub fn cache_hit_share(&self) -> Option<f64> {
        let (read, input) = (self.cache_read?, self.input?);
        (input > 0).then(|| read as f64 / input as f64)
    }

    /// Prompt tokens that had to be processed: neither read from the cache nor counted as written.
    pub fn uncached(&self) -> Option<u64> {
        Some(
            self.input?
                .saturating_sub(self.cache_read.unwrap_or(0))
                .saturating_sub(self.cache_write.unwrap_or(0)),
        )
    }
}

/// An error that a server states in its own words, in a body or in the middle of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// The provider's type: `overloaded_error`, `rate_limit_error`, `invalid_request_error`, ...
    pub kind: String,
    /// Its message.
    pub message: String,
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.kind, self.message)
    }
}

/// Why bytes could not be understood. Each is an error class of its own, because silence would lie.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The server reported an error inside the stream.
    #[error("the server sent an error in the middle of the stream: {0}")]
    MidStream(ApiError),
    /// The stream ended before its terminal event.
    #[error("the stream ended before its terminal event ({expected})")]
    Truncated {
        /// The event that was missing.
        expected: &'static str,
    },
    /// Bytes that are not what the dialect says.
    #[error("could not parse {what}: {reason}")]
    Parse {
        /// What was being read.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}
