//! What a user still calls good.

use std::time::Duration;

/// A bound on the time to first token, from when the request was meant to start, and one on the time per output
/// token after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slo {
    /// Time to first token at most.
    pub ttft: Duration,
    /// Time per output token at most.
    pub tpot: Duration,
}

impl Slo {
    /// MLPerf Inference v5.0, Llama 2 70B, interactive: 450 ms to the first token and 40 ms per token, each for 99%
    /// of the requests.
    pub const INTERACTIVE: Self = Self { ttft: Duration::from_millis(450), tpot: Duration::from_millis(40) };

    /// The same bounds in a world in which everything takes `factor` of the time.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self { ttft: self.ttft.mul_f64(factor), tpot: self.tpot.mul_f64(factor) }
    }

    /// Whether an answer with these times, in nanoseconds, is good. One without content is not; a time
    /// per token that is not defined, of an answer of one token say, breaks no bound.
    pub fn met(&self, ttft: Option<f64>, tpot: Option<f64>) -> bool {
        let within = |value: f64, bound: Duration| value <= bound.as_nanos() as f64;
        ttft.is_some_and(|ttft| within(ttft, self.ttft)) && tpot.is_none_or(|tpot| within(tpot, self.tpot))
    }
}
