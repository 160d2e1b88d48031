//! Token counts in OpenAI's fields, where `prompt_tokens` is the total.

use serde::{Deserialize, Serialize};

use crate::wire::{Usage, json};

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::wire) struct UsageBody {
    #[serde(deserialize_with = "json::count", skip_serializing_if = "Option::is_none")]
    prompt_tokens: Option<u64>,
    #[serde(deserialize_with = "json::count", skip_serializing_if = "Option::is_none")]
    completion_tokens: Option<u64>,
    #[serde(deserialize_with = "json::count", skip_serializing_if = "Option::is_none")]
    total_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
struct PromptDetails {
    #[serde(deserialize_with = "json::count", skip_serializing_if = "Option::is_none")]
    cached_tokens: Option<u64>,
    #[serde(deserialize_with = "json::count", skip_serializing_if = "Option::is_none")]
    cache_write_tokens: Option<u64>,
    /// vLLM's name for `cache_write_tokens`.
    #[serde(deserialize_with = "json::count", skip_serializing)]
    created_cache_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    #[serde(deserialize_with = "json::count", skip_serializing_if = "Option::is_none")]
    reasoning_tokens: Option<u64>,
}

impl UsageBody {
    /// What is known after this report: each says all of it, but some leave out the details.
    pub(in crate::wire) fn over(self, earlier: Usage) -> Usage {
        let later = Usage::from(self);
        Usage {
            input: later.input.or(earlier.input),
            cache_read: later.cache_read.or(earlier.cache_read),
            cache_write: later.cache_write.or(earlier.cache_write),
            cache_write_1h: None,
            output: later.output.or(earlier.output),
            reasoning: later.reasoning.or(earlier.reasoning),
        }
    }
}

impl From<UsageBody> for Usage {
    fn from(body: UsageBody) -> Self {
        let prompt = body.prompt_tokens_details.unwrap_or_default();
        Self {
            input: body.prompt_tokens,
            cache_read: prompt.cached_tokens,
            cache_write: prompt.cache_write_tokens.or(prompt.created_cache_tokens),
            cache_write_1h: None,
            output: body.completion_tokens,
            reasoning: body.completion_tokens_details.and_then(|details| details.reasoning_tokens),
        }
    }
}

impl From<Usage> for UsageBody {
    fn from(usage: Usage) -> Self {
        let cached = usage.cache_read.or(usage.cache_write).is_some();
        Self {
            prompt_tokens: usage.input,
            completion_tokens: usage.output,
            total_tokens: usage.input.zip(usage.output).map(|(input, output)| input + output),
            prompt_tokens_details: cached.then_some(PromptDetails {
                cached_tokens: usage.cache_read,
                cache_write_tokens: usage.cache_write,
                created_cache_tokens: None,
            }),
            completion_tokens_details: usage
                .reasoning
                .map(|reasoning| CompletionDetails { reasoning_tokens: Some(reasoning) }),
        }
    }
}
