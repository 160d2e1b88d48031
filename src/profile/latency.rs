//! How long one request takes: warm-ups, then one request at a time.

use std::sync::Mutex;
use std::time::Instant;

use rand::seq::SliceRandom;
use serde::Serialize;

use super::asking::{Asking, place};
use super::{Counted, Measurement, Providers, Statistics, TokenSweep, lock, percent};
use crate::seed::DrawId;
use crate::session::{AskError, Estimate, Session};
use crate::stats::Percentiles;

/// The profile's name in records.
const NAME: &str = "latency";

/// What to ask, and how often.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LatencyPlan {
    /// The question.
    #[serde(flatten)]
    pub asking: Asking,
    /// The model.
    pub model: String,
    /// Requests that are measured, of each limit of a sweep.
    pub iterations: u32,
    /// Requests before, which are not.
    pub warmup: u32,
    /// How percentiles are read.
    pub percentiles: Percentiles,
    /// Limits on the output tokens to go through, instead of the one of `asking`.
    pub sweep_tokens: Vec<u32>,
}

impl LatencyPlan {
    /// The limits on the output tokens.
    fn limits(&self) -> Vec<u32> {
        if self.sweep_tokens.is_empty() { vec![self.asking.max_tokens] } else { self.sweep_tokens.clone() }
    }

    /// What it sends and costs at most.
    pub fn estimate(&self, session: &Session) -> Estimate {
        let models = std::slice::from_ref(&self.model);
        let longest =
            Asking { max_tokens: self.limits().into_iter().fold(0, u32::max), ..self.asking.clone() };
        longest.estimate(session, models, u64::from(self.measured()) + u64::from(self.warmup))
    }

    /// Requests that are measured.
    pub fn measured(&self) -> u32 {
        self.iterations.saturating_mul(self.limits().len() as u32)
    }
}

/// What happens in a latency profile.
#[derive(Debug)]
pub enum LatencyStep<'a> {
    /// The warm-up begins.
    WarmUp,
    /// A warm-up ended; its number, from 1.
    WarmedUp(u32, &'a Measurement),
    /// The measuring begins.
    Profiling,
    /// A request ended.
    Measured(&'a Measurement),
}

/// A latency profile and what it has measured so far.
#[derive(Debug)]
pub struct Latency {
    plan: LatencyPlan,
    provider: String,
    measured: Mutex<Vec<Measurement>>,
}

/// The summary; its first seven keys are those of older profilers' exports. Without a success there are no latencies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LatencySummary {
    /// Requests measured.
    pub total_requests: usize,
    /// Percent of them that succeeded.
    pub success_rate: f64,
    /// What there is only when one did.
    #[serde(flatten)]
    pub succeeded: Option<SucceededSummary>,
}

/// What there is only when a request succeeded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SucceededSummary {
    /// Requests that succeeded.
    pub successful: usize,
    /// Requests that failed.
    pub failed: usize,
    /// The mean of the total latency.
    pub mean_latency_ms: f64,
    /// Its median.
    pub median_latency_ms: f64,
    /// Its 90th percentile.
    pub p90_latency_ms: f64,
    /// Its 95th percentile.
    pub p95_latency_ms: f64,
    /// Its 99th percentile.
    pub p99_latency_ms: f64,
    /// The median of the time to first token; null when nothing was streamed.
    pub ttft_p50_ms: Option<f64>,
    /// Its 95th percentile.
    pub ttft_p95_ms: Option<f64>,
    /// The median of the time to first byte.
    pub ttfb_p50_ms: Option<f64>,
    /// The mean of the tokens a second over the whole latency.
    pub mean_tokens_per_second: Option<f64>,
    /// The mean of the tokens a second after the first.
    pub mean_decode_tps: Option<f64>,
}

/// What a latency profile found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LatencyFound {
    /// What was asked.
    pub plan: LatencyPlan,
    /// Every request but the warm-ups, in the order in which they were sent.
    pub measurements: Vec<Measurement>,
    /// All of them in a few numbers.
    pub summary: LatencySummary,
    /// Total latency in milliseconds.
    pub total_ms: Option<Statistics>,
    /// Time to first byte.
    pub ttfb_ms: Option<Statistics>,
    /// Time to first token.
    pub ttft_ms: Option<Statistics>,
    /// Output tokens a second over the whole latency.
    pub tokens_per_second: Option<Statistics>,
    /// Output tokens a second after the first.
    pub decode_tps: Option<Statistics>,
    /// The median share of the time to first token in the total latency.
    pub ttft_share: Option<f64>,
    /// What the limits on the output tokens show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_sweep: Option<TokenSweep>,
}

impl Latency {
    /// A profile that has asked nothing yet.
    pub fn new(plan: LatencyPlan, providers: &Providers) -> Self {
        let provider = providers.of(&plan.model).to_owned();
        Self { plan, provider, measured: Mutex::default() }
    }

    /// Asks as the plan says. `tell` is called on the task that measures.
    ///
    /// # Errors
    /// When no further request may be sent: the budget is spent, say.
    pub async fn measure(
        &self,
        session: &Session,
        tell: &(dyn Fn(LatencyStep<'_>) + Sync),
    ) -> Result<(), AskError> {
        if self.plan.warmup > 0 {
            tell(LatencyStep::WarmUp);
        }
        let limits = self.plan.limits();
        for number in 1..=self.plan.warmup {
            let warmed_up = self.one(session, number, 0, number, limits[0]).await?;
            tell(LatencyStep::WarmedUp(number, &warmed_up));
        }
        tell(LatencyStep::Profiling);
        let mut number = 0;
        for round in 1..=self.plan.iterations {
            for (step, limit) in (0..).zip(shuffled(session, &limits, round)) {
                number += 1;
                let measurement = self.one(session, number, round, step, limit).await?;
                tell(LatencyStep::Measured(&measurement));
                lock(&self.measured).push(measurement);
            }
        }
        Ok(())
    }

    async fn one(
        &self,
        session: &Session,
        number: u32,
        round: u32,
        step: u32,
        limit: u32,
    ) -> Result<Measurement, AskError> {
        let (asking, model) = (&self.plan.asking, &self.plan.model);
        let place = place(NAME, model, round, step);
        let exchange = asking.exchange(session, model, limit, place, Instant::now()).await?;
        Ok(Measurement::of(&exchange, number, model, &self.provider, limit))
    }

    /// What was found so far.
    pub fn found(&self) -> LatencyFound {
        let measurements = lock(&self.measured).clone();
        let percentiles = self.plan.percentiles;
        let of = |value: &dyn Fn(&Measurement) -> Option<f64>| {
            let succeeded = measurements.iter().filter(|measurement| measurement.success);
            Statistics::of(succeeded.filter_map(value), percentiles)
        };
        let share = of(&|m| m.ttft_ms.zip(m.total_ms).map(|(ttft, total)| ttft / total));
        let mut found = LatencyFound {
            plan: self.plan.clone(),
            summary: LatencySummary { total_requests: 0, success_rate: 0.0, succeeded: None },
            total_ms: of(&|m| m.total_ms),
            ttfb_ms: of(&|m| m.ttfb_ms),
            ttft_ms: of(&|m| m.ttft_ms),
            tokens_per_second: of(&|m| m.tokens_per_second),
            decode_tps: of(&|m| m.decode_tps),
            ttft_share: share.map(|share| share.median),
            token_sweep: TokenSweep::of(&self.plan.sweep_tokens, &measurements),
            measurements,
        };
        found.summary = found.summarised();
        found
    }
}

impl LatencyFound {
    /// How many requests it rests on, and how many failed.
    pub fn counted(&self) -> Counted {
        Counted::of(self.measurements.iter())
    }

    fn summarised(&self) -> LatencySummary {
        let total_requests = self.measurements.len();
        let successful = self.measurements.iter().filter(|measurement| measurement.success).count();
        let mean = |statistics: &Option<Statistics>| statistics.as_ref().map(|statistics| statistics.mean);
        let succeeded = self.total_ms.as_ref().map(|total| SucceededSummary {
            successful,
            failed: total_requests - successful,
            mean_latency_ms: total.mean,
            median_latency_ms: total.median,
            p90_latency_ms: total.p90,
            p95_latency_ms: total.p95,
            p99_latency_ms: total.p99,
            ttft_p50_ms: self.ttft_ms.as_ref().map(|ttft| ttft.p50),
            ttft_p95_ms: self.ttft_ms.as_ref().map(|ttft| ttft.p95),
            ttfb_p50_ms: self.ttfb_ms.as_ref().map(|ttfb| ttfb.p50),
            mean_tokens_per_second: mean(&self.tokens_per_second),
            mean_decode_tps: mean(&self.decode_tps),
        });
        LatencySummary { total_requests, success_rate: percent(successful, total_requests), succeeded }
    }
}

/// The limits in an order of the round's own, so that what drifts is no effect of a limit.
fn shuffled(session: &Session, limits: &[u32], round: u32) -> Vec<u32> {
    let draw = DrawId { scenario: format!("profile.{NAME}"), stream: String::new(), round, step: 0 };
    let mut limits = limits.to_vec();
    limits.shuffle(&mut session.seed().rng(&draw, "order"));
    limits
}
