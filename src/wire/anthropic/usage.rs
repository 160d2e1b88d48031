//! Token counts in Anthropic's fields, where `input_tokens` is the uncached remainder.

use serde::{Deserialize, Serialize};

use crate::wire::{Usage, json};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct UsageBody {
    #[serde(deserialize_with = "json::count", skip_serializing_if = "Option::is_none")]
    input_tokens: Option<u64>,
    #[serde(deserialize_with = "json::count", skip_serializing_if = "Option::is_none")]
    cache_creation_input_tokens: Option<u64>,
    #[serde(deserialize_with = "json::count", skip_serializing_if = "Option::is_none")]
    cache_read_input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation: Option<CacheCreation>,
    #[serde(deserialize_with = "json::count", skip_serializing_if = "Option::is_none")]
    output_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct CacheCreation {
    #[serde(deserialize_with = "json::count")]
    ephemeral_5m_input_tokens: Option<u64>,
    #[serde(deserialize_with = "json::count")]
    ephemeral_1h_input_tokens: Option<u64>,
}

impl UsageBody {
    /// Takes over what a later report says.
    pub(super) fn merge(&mut self, later: Self) {
        take(&mut self.input_tokens, later.input_tokens);
        take(&mut self.cache_creation_input_tokens, later.cache_creation_input_tokens);
        take(&mut self.cache_read_input_tokens, later.cache_read_input_tokens);
        take(&mut self.output_tokens, later.output_tokens);
        if let Some(later) = later.cache_creation {
            let creation = self.cache_creation.get_or_insert_default();
            take(&mut creation.ephemeral_5m_input_tokens, later.ephemeral_5m_input_tokens);
            take(&mut creation.ephemeral_1h_input_tokens, later.ephemeral_1h_input_tokens);
        }
    }

    /// Whether it says nothing: no count that is known.
    pub(super) fn is_empty(&self) -> bool {
        Usage::from(*self) == Usage::default()
    }
}

/// Reports are cumulative, so the later one counts; but a count does not fall, so that a gateway's zero
/// stands for "not known here" and keeps what was known.
fn take(known: &mut Option<u64>, later: Option<u64>) {
    match (*known, later) {
        (_, None) | (Some(1..), Some(0)) => {}
        (_, later) => *known = later,
    }
}

impl From<UsageBody> for Usage {
    fn from(body: UsageBody) -> Self {
        let creation = body.cache_creation.unwrap_or_default();
        let by_lifetime = match (creation.ephemeral_5m_input_tokens, creation.ephemeral_1h_input_tokens) {
            (None, None) => None,
            (short, long) => Some(short.unwrap_or(0) + long.unwrap_or(0)),
        };
        let cache_write = body.cache_creation_input_tokens.or(by_lifetime);
        let cached = cache_write.unwrap_or(0) + body.cache_read_input_tokens.unwrap_or(0);
        Self {
            input: body.input_tokens.map(|uncached| uncached + cached),
            cache_read: body.cache_read_input_tokens,
            cache_write,
            cache_write_1h: creation.ephemeral_1h_input_tokens,
            output: body.output_tokens,
            reasoning: None,
        }
    }
}

impl From<Usage> for UsageBody {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.uncached(),
            cache_creation_input_tokens: usage.cache_write,
            cache_read_input_tokens: usage.cache_read,
            cache_creation: usage.cache_write_1h.map(|long| CacheCreation {
                ephemeral_5m_input_tokens: Some(usage.cache_write.unwrap_or(long).saturating_sub(long)),
                ephemeral_1h_input_tokens: Some(long),
            }),
            output_tokens: usage.output,
        }
    }
}
