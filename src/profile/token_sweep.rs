//! What the length of an answer costs: the total latency over its tokens is a line.

use serde::Serialize;

use super::{Measurement, Statistics};
use crate::stats::{Line, Percentiles};

/// Answers of several lengths. The first token comes after the time to first token, and each further one takes the time
/// per token, so that the line of the total latency over the tokens after the first has the one as its intercept and the
/// other as its slope.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenSweep {
    /// By limit on the output tokens.
    pub levels: Vec<TokenLevel>,
    /// The line, in milliseconds; absent when the answers had less than two lengths.
    pub line: Option<Line>,
}

/// The answers with one limit on their tokens.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenLevel {
    /// The limit.
    pub max_tokens: u32,
    /// Answers.
    pub n: usize,
    /// The median of their tokens.
    pub median_tokens: Option<f64>,
    /// The median of their total latency.
    pub median_total_ms: Option<f64>,
    /// The median of their time to first token.
    pub median_ttft_ms: Option<f64>,
}

impl TokenSweep {
    /// What a sweep over `limits` shows; absent without limits.
    pub(super) fn of(limits: &[u32], measurements: &[Measurement]) -> Option<Self> {
        if limits.is_empty() {
            return None;
        }
        let answers = || measurements.iter().filter(|measurement| measurement.success);
        let level = |&max_tokens: &u32| {
            let of = |value: &dyn Fn(&Measurement) -> Option<f64>| {
                let of_limit = answers().filter(|measurement| measurement.max_tokens == max_tokens);
                Statistics::of(of_limit.filter_map(value), Percentiles::default())
            };
            let total = of(&|m| m.total_ms);
            TokenLevel {
                max_tokens,
                n: total.as_ref().map_or(0, |total| total.n),
                median_tokens: of(&|m| m.tokens_generated.map(|tokens| tokens as f64))
                    .map(|tokens| tokens.median),
                median_total_ms: total.map(|total| total.median),
                median_ttft_ms: of(&|m| m.ttft_ms).map(|ttft| ttft.median),
            }
        };
        let after_first = |tokens: u64| tokens.checked_sub(1).map(|tokens| tokens as f64);
        let points: Vec<_> =
            answers().filter_map(|m| m.tokens_generated.and_then(after_first).zip(m.total_ms)).collect();
        Some(Self { levels: limits.iter().map(level).collect(), line: Line::fit(&points) })
    }
}
