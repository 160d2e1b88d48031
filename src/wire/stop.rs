//! Why a model stopped, in the vendors' words.

use super::StopReason;

impl StopReason {
    /// Reads any vendor's word: gateways mix them.
    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "end_turn" | "stop" => Self::EndTurn,
            "max_tokens" | "length" => Self::MaxTokens,
            "tool_use" | "tool_calls" | "function_call" => Self::ToolUse,
            "stop_sequence" => Self::StopSequence,
            "refusal" | "content_filter" => Self::Refusal,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Anthropic's `stop_reason`.
    pub(super) fn anthropic(&self) -> &str {
        match self {
            Self::EndTurn => "end_turn",
            Self::MaxTokens => "max_tokens",
            Self::ToolUse => "tool_use",
            Self::StopSequence => "stop_sequence",
            Self::Refusal => "refusal",
            Self::Other(word) => word,
        }
    }

    /// OpenAI's `finish_reason`, which does not tell a stop sequence from a natural end.
    pub(super) fn openai(&self) -> &str {
        match self {
            Self::EndTurn | Self::StopSequence => "stop",
            Self::MaxTokens => "length",
            Self::ToolUse => "tool_calls",
            Self::Refusal => "content_filter",
            Self::Other(word) => word,
        }
    }
}
