//! Which answers are good enough.

use std::time::Duration;

use crate::metric::Metric;
use crate::session::RequestRecord;

/// Bounds that an answer must keep to be good; one that is absent is kept by all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// Time to first token at most, from when the request was meant to start; of an answer that is not streamed, the
    /// time to all of it.
    pub ttft: Option<Duration>,
    /// Time per output token at most.
    pub tpot: Option<Duration>,
    /// Time to the last token at most, from when the request was meant to start.
    pub response: Option<Duration>,
    /// The 95th percentile of the time to the last token at most: a bound on the load, not on an answer.
    pub p95: Option<Duration>,
}

impl Bounds {
    /// Whether an answer can be good or not.
    pub fn judge_answers(&self) -> bool {
        self.ttft.is_some() || self.tpot.is_some() || self.response.is_some()
    }

    /// Whether an answer keeps all bounds. A time per token that is not defined, of one token say, breaks none.
    pub fn met(&self, record: &RequestRecord) -> bool {
        let value = |metric: Metric| record.values.get(metric.name()).copied();
        let whole = value(Metric::RESPONSE_TIME);
        let first = value(Metric::TTFT_RESPONSE).or(whole);
        let within = |value: Option<f64>, bound: Option<Duration>| {
            bound.is_none_or(|bound| value.is_some_and(|value| value <= bound.as_nanos() as f64))
        };
        let per_token = value(Metric::TPOT);
        within(first, self.ttft)
            && within(whole, self.response)
            && (per_token.is_none() || within(per_token, self.tpot))
    }
}
