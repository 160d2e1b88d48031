//! A run's exported result: one file for each comparison, for programs to read back.
//!
//! The names of its fields stay as they are, because others read them; its schema is
//! `fixtures/schemas/results.v1.json`. Times are in milliseconds, as their names say. A number that is not
//! known is null and never 0.

mod collect;
mod file;

pub(super) use collect::WHOLE;
pub use file::{ReadError, file_name};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::experiment::GroupSummary;
use crate::instrument::Certificate;
use crate::price::Usd;
use crate::provenance::Provenance;
use crate::stats::{Interval, Noise};
use crate::verdict::Finding;
use crate::wire::Dialect;

/// The version of [`Comparison`]'s format.
pub const RESULTS_SCHEMA_VERSION: u32 = 1;

/// A comparison: every arm of an optimisation's groups, and what follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The version of this format.
    pub schema_version: u32,
    /// The optimisation.
    pub name: String,
    /// When the run started, RFC 3339 in UTC.
    pub timestamp: String,
    /// Whether somebody stopped it. What was measured until then is here.
    pub interrupted: bool,
    /// Why it ended.
    pub ending: Ending,
    /// What failed for good, in words.
    pub error: Option<String>,
    /// Whether it was a smoke run, whose figures decide nothing.
    pub smoke: bool,
    /// What the figures are: simulated, replayed or live.
    pub provenance: Provenance,
    /// What is known of the instrument that measured; null in files that are older than it.
    #[serde(default)]
    pub instrument: Option<Certificate>,
    /// The arms, group by group.
    pub results: Vec<ArmResult>,
    /// What follows for each metric of each arm.
    pub verdicts: Vec<Finding>,
    /// The groups in numbers, in nanoseconds.
    pub summary: Vec<GroupSummary>,
    /// Arms that were left out, with the reason.
    pub skipped: Vec<String>,
}

/// Why a run ended, the more complete ways first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Every comparison of a primary metric was decided.
    Decided,
    /// As many rounds were made as were asked for.
    AllRounds,
    /// The most rounds allowed were made, and something stayed open.
    MaxRounds,
    /// The budget in requests or dollars was spent.
    Budget,
    /// Somebody stopped it.
    Interrupted,
    /// An arm failed for good.
    Failed,
}

impl Ending {
    /// The ending of two groups together: the one that says less was reached.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }
}

/// An arm's rounds, the one that warms up left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmResult {
    /// What was measured.
    pub config: ArmConfig,
    /// By round.
    pub timing_results: Vec<TimingResult>,
    /// The rounds in numbers.
    pub stats: TimingStats,
    /// When the first request was sent, RFC 3339 in UTC: the run's start, known to the second, and the time
    /// since.
    pub start_time: String,
    /// When the last answer was complete, RFC 3339 in UTC.
    pub end_time: String,
    /// Seconds between the two.
    pub duration_seconds: f64,
    /// Percent of the rounds in which no request of this arm failed. A request that failed and was asked
    /// again counts as a failure; the warm-up does not count.
    pub success_rate: f64,
    /// What failed, in words, the warm-up included and named as such.
    pub errors: Vec<String>,
    /// What else is known; empty so far.
    pub metadata: BTreeMap<String, serde_json::Value>,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmConfig {
    /// The arm with its position on the sweep, such as `on/50`.
    pub name: String,
    /// The group.
    pub group: String,
    /// The arm.
    pub arm: String,
    /// Its position on the sweep.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub x: Option<f64>,
    /// What the sweep varies.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub x_label: Option<String>,
    /// Whether the others are compared with it.
    pub is_control: bool,
    /// The model that was asked.
    pub model: String,
    /// The dialect it was asked in.
    pub dialect: Dialect,
}

/// One round of an arm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TimingResult {
    /// The round, from 1.
    pub round: u32,
    /// From the first written byte to the last content, of a request or of all that a task asks; the group's primary
    /// metric where an arm measures neither, such as the answer time of a router; null where it has none.
    pub latency_ms: Option<f64>,
    /// To the first content; null when nothing was streamed.
    pub ttft_ms: Option<f64>,
    /// Output tokens over `latency_ms`, so that streamed and unstreamed answers compare.
    pub tokens_per_second: Option<f64>,
    /// Prompt tokens read from the cache over all prompt tokens, 0 to 1; null when the server does not say.
    pub cache_hit_rate: Option<f64>,
    /// Dollars, of all requests of the round; null when a price or a count is unknown.
    pub cost_usd: Option<Usd>,
}

/// An arm's rounds in numbers; failed requests are in none of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TimingStats {
    /// Rounds.
    pub count: usize,
    /// The median of `latency_ms`.
    pub latency_p50_ms: Option<f64>,
    /// Its 95th percentile.
    pub latency_p95_ms: Option<f64>,
    /// Its 99th percentile.
    pub latency_p99_ms: Option<f64>,
    /// Its arithmetic mean.
    pub latency_mean_ms: Option<f64>,
    /// Its smallest value.
    pub latency_min_ms: Option<f64>,
    /// Its largest value.
    pub latency_max_ms: Option<f64>,
    /// Its standard deviation with divisor `n - 1`.
    pub latency_stdev_ms: Option<f64>,
    /// Its median absolute deviation from the median.
    pub latency_mad_ms: Option<f64>,
    /// Its coefficient of variation.
    pub latency_cv: Option<f64>,
    /// Its correlation with the round before.
    pub latency_lag1: Option<f64>,
    /// Its mean with the 95% bootstrap interval.
    pub latency_mean_interval_ms: Option<Interval>,
    /// The median of `ttft_ms`.
    pub ttft_p50_ms: Option<f64>,
    /// Its 95th percentile.
    pub ttft_p95_ms: Option<f64>,
    /// Its 99th percentile.
    pub ttft_p99_ms: Option<f64>,
    /// The mean of `tokens_per_second`.
    pub avg_tokens_per_second: Option<f64>,
    /// The mean of `cache_hit_rate`: every round weighs the same.
    pub avg_cache_hit_rate: Option<f64>,
    /// Outliers and A/A noise floor of the group's primary metric.
    pub primary_noise: Option<Noise>,
    /// Tokens read from the cache over all prompt tokens: every token weighs the same.
    pub token_weighted_cache_hit_rate: Option<f64>,
}
