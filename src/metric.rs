//! What is measured and in which unit.
//!
//! The set is open: a bench of one's own names a metric with [`Metric::new`]. Every metric is a *cost*:
//! a larger value is worse, because Criterion knows no other direction and would call a higher
//! throughput a regression. Tokens per second is therefore kept as its inverse, the time per output
//! token, and turned round only where it is shown.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The version of the definitions below. It grows when one of them changes its meaning: figures of different
/// versions cannot be compared.
pub const DEFINITIONS_VERSION: u32 = 1;

/// The unit of a metric's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unit {
    /// Wall time in nanoseconds.
    Nanoseconds,
    /// Wall time in nanoseconds for each output token.
    NanosecondsPerToken,
    /// A plain number, such as a count.
    Count,
}

/// A named cost with its unit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Metric {
    name: Cow<'static, str>,
    unit: Unit,
}

impl Metric {
    /// Time to the response headers, from the request's first written byte. Not TTFT: several servers
    /// answer with headers long before the first token, and some proxies hold them back until it.
    pub const TTFB: Self = Self::time("ttfb");
    /// Time to first token: from the request's first written byte to the arrival of what completed the first
    /// content event of any kind, thinking included. Absent when nothing was streamed.
    pub const TTFT: Self = Self::time("ttft");
    /// Time to first output token: as [`TTFT`](Self::TTFT), but only visible text or a tool call counts.
    pub const TTFOT: Self = Self::time("ttfot");
    /// Time to the first complete tool call.
    pub const TTF_TOOL: Self = Self::time("ttf_tool");
    /// Time from the first to the second content event.
    pub const TTST: Self = Self::time("ttst");
    /// Request latency: from the first written byte to the last content event, or to the complete body
    /// of an answer that was not streamed.
    pub const TOTAL: Self = Self::time("total");
    /// From the first written byte to the end of the response.
    pub const STREAM_CLOSE: Self = Self::time("stream_close");
    /// From the *intended* start to the last content event: what a user waits when the client is late.
    pub const RESPONSE_TIME: Self = Self::time("response_time");
    /// From the intended start to the first content event: TTFT and whatever was waited before it, for a
    /// connection above all.
    pub const TTFT_RESPONSE: Self = Self::time("ttft_response");
    /// From the intended start to the first written byte.
    pub const SEND_LAG: Self = Self::time("send_lag");
    /// When a reader first sees something: [`TTFOT`](Self::TTFOT) of a streamed answer,
    /// [`TOTAL`](Self::TOTAL) of one that was not.
    pub const PERCEIVED: Self = Self::time("perceived");
    /// From the first written byte until the client has worked on the whole answer.
    pub const PROCESSED: Self = Self::time("processed");
    /// From the start of a run of several steps, requests and tools, to the end of its last.
    pub const MAKESPAN: Self = Self::time("makespan");
    /// Of a run of several steps, the time in which it waited for tools.
    pub const TOOLS: Self = Self::time("tools");
    /// Of a run of several steps, the time in which it searched for passages.
    pub const RETRIEVAL: Self = Self::time("retrieval");
    /// Makespan of a load over the requests that it answered: the inverse of its throughput.
    pub const TIME_PER_REQUEST: Self = Self::time("time_per_request");
    /// The 95th percentile of [`TOTAL`](Self::TOTAL) over the requests of one load.
    pub const TOTAL_P95: Self = Self::time("total_p95");
    /// The 95th percentile of [`RESPONSE_TIME`](Self::RESPONSE_TIME) over the requests of one load.
    pub const RESPONSE_P95: Self = Self::time("response_p95");
    /// The longest chain of calls of which each waited for the one before: the sum of their
    /// [`TOTAL`](Self::TOTAL)s. What [`MAKESPAN`](Self::MAKESPAN) has beyond it is no model's time.
    pub const CRITICAL_PATH: Self = Self::time("critical_path");
    /// The time of the calls in which a supervisor plans and puts the parts together.
    pub const SUPERVISOR_OVERHEAD: Self = Self::time("supervisor_overhead");
    /// The time that an agent waits for its state to be kept, for each superstep on average.
    pub const CHECKPOINT: Self = Self::time("checkpoint");
    /// From a question to its answer through whatever stands between, a cache or a router; the mean over the
    /// questions of a run.
    pub const ANSWER_TIME: Self = Self::time("answer_time");
    /// Time to find out which model a question is for.
    pub const CLASSIFICATION: Self = Self::time("classification");
    /// Time to look a question up in a cache of answers.
    pub const LOOKUP: Self = Self::time("lookup");
    /// Time per output token after the first: `(total - ttft) / (output tokens - 1)`. Its inverse is the
    /// decode speed in tokens per second. Absent for answers of one token and for unstreamed ones.
    pub const TPOT: Self = Self { name: Cow::Borrowed("tpot"), unit: Unit::NanosecondsPerToken };
    /// The longest inter-chunk gap.
    pub const MAX_GAP: Self = Self::time("max_gap");

    const fn time(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), unit: Unit::Nanoseconds }
    }

    /// A metric of one's own. `name` becomes part of Criterion's benchmark ids and directory names.
    pub fn new(name: impl Into<Cow<'static, str>>, unit: Unit) -> Self {
        Self { name: name.into(), unit }
    }

    /// The name used in benchmark ids, files and reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The unit of the metric's values.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// Shows `value` in a unit that a person can read: `"12.3 ms"`, `"410 µs/token"`.
    pub fn show(&self, value: f64) -> String {
        let per = match self.unit {
            Unit::Nanoseconds => "",
            Unit::NanosecondsPerToken => "/token",
            Unit::Count => return format!("{value:.1}"),
        };
        let (scale, unit) = time_unit(value);
        let scaled = value / scale;
        let digits = if scaled.abs() >= 100.0 {
            0
        } else if scaled.abs() >= 10.0 {
            1
        } else {
            2
        };
        format!("{scaled:.digits$} {unit}{per}").replace('-', "−")
    }
}

/// The divisor and name of the time unit in which `nanoseconds` reads best.
pub(crate) fn time_unit(nanoseconds: f64) -> (f64, &'static str) {
    match nanoseconds.abs() {
        n if n < 1e3 => (1.0, "ns"),
        n if n < 1e6 => (1e3, "µs"),
        n if n < 1e9 => (1e6, "ms"),
        _ => (1e9, "s"),
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_with_three_digits_and_their_unit() {
        assert_eq!(Metric::TTFT.show(12_345_678.0), "12.3 ms");
        assert_eq!(Metric::TPOT.show(998_000.0), "998 µs/token");
        assert_eq!(Metric::TOTAL.show(1.5e9), "1.50 s");
        assert_eq!(Metric::new("calls", Unit::Count).show(3.0), "3.0");
    }
}
