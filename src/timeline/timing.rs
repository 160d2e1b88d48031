//! The result of a timer, in the JSON shape that applications store.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::wire::Usage;

/// What one timed call took and used. The names of its JSON keys are stable; what is not known is `null`,
/// never 0.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TimingResult {
    /// What was timed.
    pub name: String,
    /// From start to stop, in milliseconds.
    pub total_latency_ms: f64,
    /// From start to the first chunk, in milliseconds; unknown unless the call was streamed.
    pub ttft_ms: Option<f64>,
    /// Input and output tokens together.
    pub total_tokens: Option<u64>,
    /// Prompt tokens, cached ones included.
    pub input_tokens: Option<u64>,
    /// Output tokens.
    pub output_tokens: Option<u64>,
    /// Output tokens by the total latency in seconds: the time to first token is part of it.
    pub tokens_per_second: Option<f64>,
    /// Whether any prompt token came from the prompt cache.
    pub cache_hit: Option<bool>,
    /// The share of prompt tokens that came from the prompt cache, in 0..=1.
    pub cache_hit_rate: Option<f64>,
    /// Prompt tokens written to the prompt cache.
    pub cache_creation_input_tokens: Option<u64>,
    /// Prompt tokens read from the prompt cache.
    pub cache_read_input_tokens: Option<u64>,
    /// Anything further, by name.
    pub metadata: Map<String, Value>,
}

impl TimingResult {
    /// A result that knows nothing but its latency.
    pub fn new(name: impl Into<String>, latency: Duration) -> Self {
        Self { name: name.into(), total_latency_ms: milliseconds(latency), ..Self::default() }
    }

    /// The same result with the server's token counts; a count that `usage` lacks leaves the field as it is.
    #[must_use]
    pub fn with_usage(mut self, usage: &Usage) -> Self {
        self.input_tokens = usage.input.or(self.input_tokens);
        self.cache_creation_input_tokens = usage.cache_write.or(self.cache_creation_input_tokens);
        self.cache_read_input_tokens = usage.cache_read.or(self.cache_read_input_tokens);
        self.cache_hit = usage.cache_read.map(|tokens| tokens > 0).or(self.cache_hit);
        self.cache_hit_rate = usage.cache_hit_share().or(self.cache_hit_rate);
        let output = usage.output.or(self.output_tokens);
        self.with_output_tokens(output)
    }

    /// The same result with one more entry of metadata.
    #[must_use]
    pub fn with_metadata(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// Sets the output tokens and what follows from them.
    pub(super) fn with_output_tokens(mut self, output: Option<u64>) -> Self {
        self.output_tokens = output;
        self.total_tokens =
            self.input_tokens.zip(output).and_then(|(input, output)| input.checked_add(output));
        let seconds = self.total_latency_ms / 1e3;
        self.tokens_per_second = output.filter(|_| seconds > 0.0).map(|tokens| tokens as f64 / seconds);
        self
    }
}

/// A duration in milliseconds.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timing_result_keeps_its_keys_and_says_null_for_the_unknown() {
        let bare = TimingResult::new("call", Duration::from_millis(50));
        let golden = concat!(
            r#"{"name":"call","total_latency_ms":50.0,"ttft_ms":null,"total_tokens":null,"#,
            r#""input_tokens":null,"output_tokens":null,"tokens_per_second":null,"cache_hit":null,"#,
            r#""cache_hit_rate":null,"cache_creation_input_tokens":null,"cache_read_input_tokens":null,"#,
            r#""metadata":{}}"#,
        );
        assert_eq!(serde_json::to_string(&bare).unwrap(), golden);
        assert_eq!(serde_json::from_str::<TimingResult>(golden).unwrap(), bare);
    }

    #[test]
    fn a_timing_result_takes_the_servers_counts() {
        let usage = Usage {
            input: Some(1_000),
            cache_read: Some(900),
            cache_write: Some(0),
            output: Some(100),
            ..Usage::default()
        };
        let result =
            TimingResult::new("call", Duration::from_secs(2)).with_usage(&usage).with_metadata("try", 1);
        let golden = concat!(
            r#"{"name":"call","total_latency_ms":2000.0,"ttft_ms":null,"total_tokens":1100,"#,
            r#""input_tokens":1000,"output_tokens":100,"tokens_per_second":50.0,"cache_hit":true,"#,
            r#""cache_hit_rate":0.9,"cache_creation_input_tokens":0,"cache_read_input_tokens":900,"#,
            r#""metadata":{"try":1}}"#,
        );
        assert_eq!(serde_json::to_string(&result).unwrap(), golden);
    }
}
