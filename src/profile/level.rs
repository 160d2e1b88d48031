//! One level of load in numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::{Measurement, Statistics, errors, percent};
use crate::stats::{self, Percentiles};

/// So many requests, a number of them at once.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Level {
    /// Requests under way at once.
    pub concurrency: u32,
    /// Requests that ended.
    pub requests: usize,
    /// Those that succeeded.
    pub successful: usize,
    /// Those that failed.
    pub failed: usize,
    /// Percent that succeeded.
    pub success_rate: f64,
    /// From the start until the last of them had ended.
    pub duration_s: f64,
    /// Requests a second, failed ones included.
    pub rps: f64,
    /// Answers a second: failed requests are none.
    pub goodput_rps: f64,
    /// Output tokens a second, of all answers together; null when no answer has a count.
    pub tokens_per_second: Option<f64>,
    /// The mean latency of the answers.
    pub mean_latency_ms: Option<f64>,
    /// Its median.
    pub median_latency_ms: Option<f64>,
    /// Its 95th percentile.
    pub p95_latency_ms: Option<f64>,
    /// Its 99th percentile.
    pub p99_latency_ms: Option<f64>,
    /// The median time to first token.
    pub ttft_p50_ms: Option<f64>,
    /// Its 95th percentile.
    pub ttft_p95_ms: Option<f64>,
    /// Requests under way on average, failed ones included: throughput times mean time (Little 1961).
    pub under_way: f64,
    /// How often each error came.
    pub errors: BTreeMap<String, usize>,
    /// Every request, in the order in which they ended.
    pub measurements: Vec<Measurement>,
}

impl Level {
    /// The numbers of requests that took so long together; absent without requests.
    pub(super) fn of(
        concurrency: u32,
        duration: Duration,
        measurements: Vec<Measurement>,
        percentiles: Percentiles,
    ) -> Option<Self> {
        let duration_s = duration.as_secs_f64();
        if measurements.is_empty() || duration.is_zero() {
            return None;
        }
        let answers = || measurements.iter().filter(|measurement| measurement.success);
        let of = |value: &dyn Fn(&Measurement) -> Option<f64>| {
            Statistics::of(answers().filter_map(value), percentiles)
        };
        let (requests, successful) = (measurements.len(), answers().count());
        let (total, ttft) = (of(&|m| m.total_ms), of(&|m| m.ttft_ms));
        let tokens: Vec<u64> = answers().filter_map(|m| m.tokens_generated).collect();
        let a_second = |count: f64| count / duration_s;
        let mean_s = measurements.iter().map(|m| m.elapsed_ms).sum::<f64>() / requests as f64 / 1e3;
        Some(Self {
            concurrency,
            requests,
            successful,
            failed: requests - successful,
            success_rate: percent(successful, requests),
            duration_s,
            rps: a_second(requests as f64),
            goodput_rps: a_second(successful as f64),
            tokens_per_second: (!tokens.is_empty()).then(|| a_second(tokens.iter().sum::<u64>() as f64)),
            mean_latency_ms: total.as_ref().map(|total| total.mean),
            median_latency_ms: total.as_ref().map(|total| total.median),
            p95_latency_ms: total.as_ref().map(|total| total.p95),
            p99_latency_ms: total.as_ref().map(|total| total.p99),
            ttft_p50_ms: ttft.as_ref().map(|ttft| ttft.p50),
            ttft_p95_ms: ttft.as_ref().map(|ttft| ttft.p95),
            under_way: stats::little(a_second(requests as f64), mean_s),
            errors: errors(&measurements).into_iter().collect(),
            measurements,
        })
    }

    /// How far the requests under way are from the level's concurrency, as a share of it: workers that had nothing to
    /// do at the end, or a client that was busy itself.
    pub fn idle(&self) -> f64 {
        self.under_way / f64::from(self.concurrency) - 1.0
    }
}
