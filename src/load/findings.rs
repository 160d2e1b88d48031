//! What a load found, in numbers. Failed requests are in no latency; what is not defined is absent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Plan;
use super::run::{Ending, Facts};
use super::saturation::{self, Saturation};
use crate::metric::Metric;
use crate::price::Usd;
use crate::session::{Outcome, RequestRecord};
use crate::stats::{self, Percentiles};
use crate::timeline::TokenSource;

/// What a load found.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// How it ended.
    pub ending: Ending,
    /// Requests that ended, well or not.
    pub requests: u64,
    /// Of them, those that were answered.
    pub answered: u64,
    /// Of them, those that failed.
    pub failed: u64,
    /// Requests that were under way when the load was stopped: they are in no other number.
    pub given_up: u64,
    /// Requests of the warm-up that failed.
    pub cold: u64,
    /// From the first request's start until nothing was under way any more.
    pub took: Duration,
    /// Whether any answer was streamed: else there is no time to first token. True where nothing was answered.
    pub streamed: bool,
    /// The times of answers in a few numbers, by metric.
    pub latencies: BTreeMap<String, Latency>,
    /// Time per output token over all tokens of all answers together, in nanoseconds.
    pub pooled_tpot: Option<f64>,
    /// Output tokens of all answers; absent where one is not known.
    pub output_tokens: Option<u64>,
    /// Who counted them.
    pub token_sources: Vec<TokenSource>,
    /// Requests a second that were meant to be sent; absent in a closed loop.
    pub offered: Option<f64>,
    /// What a cache of the server did.
    pub cache: Cache,
    /// What was good enough; absent where no bound was given.
    pub slo: Option<SloFindings>,
    /// Failures by class.
    pub errors: BTreeMap<String, u64>,
    /// The first failure, in words.
    pub first_error: Option<String>,
    /// The first, second and last third of the requests by their start.
    pub thirds: Vec<Third>,
    /// The 99th percentile of how late this process was itself, in nanoseconds; absent in a closed loop.
    pub client_late_p99: Option<f64>,
    /// Answers that this process looked at more than 5 ms after they were there.
    pub late_answers: u64,
    /// Whether more was offered than was served, and by what.
    pub saturation: Saturation,
    /// What it cost; absent when a price or a count is not known.
    pub cost: Option<Usd>,
}

/// A latency of answers in a few numbers, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latency {
    /// Answers that define it.
    pub n: usize,
    /// Its mean.
    pub mean: f64,
    /// Its median.
    pub p50: f64,
    /// Its 90th percentile.
    pub p90: f64,
    /// Its 95th percentile.
    pub p95: f64,
    /// Its 99th percentile.
    pub p99: f64,
    /// Its largest value.
    pub max: f64,
}

/// What a cache of the server did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cache {
    /// What is counted: `answers` where the server says which came from its cache, else `prompt_tokens`.
    pub counted: &'static str,
    /// The share that came from the cache; absent where the server does not say.
    pub hit_rate: Option<f64>,
    /// The share of the requests whose prompt had been sent before: what an ideal cache of answers would have known.
    pub ideal: Option<f64>,
    /// The share of a trace's blocks that an ideal prefix cache would have known.
    pub ideal_blocks: Option<f64>,
}

/// What was good enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SloFindings {
    /// Answers within all bounds; absent where none is a bound on answers.
    pub good: Option<u64>,
    /// The bound on the 95th percentile of the response time.
    pub p95_bound: Option<Duration>,
    /// Whether it was kept; absent without a bound or an answer.
    pub p95_met: Option<bool>,
}

/// A third of the requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Third {
    /// Answers in it.
    pub answered: u64,
    /// The median from the intended start to the last token, in nanoseconds.
    pub response_p50: Option<f64>,
    /// The median from the actual send to the last token, in nanoseconds.
    pub service_p50: Option<f64>,
}

/// Latencies that are reported, where defined.
const LATENCIES: [Metric; 7] = [
    Metric::TTFT,
    Metric::TTFT_RESPONSE,
    Metric::TTFB,
    Metric::TPOT,
    Metric::TOTAL,
    Metric::RESPONSE_TIME,
    Metric::SEND_LAG,
];

impl Findings {
    pub(super) fn of(plan: &Plan, mut records: Vec<RequestRecord>, facts: Facts) -> Self {
        // The records come in the order in which requests ended.
        let first_error = records.iter().find_map(|record| record.error.clone());
        records.sort_by_key(|record| record.step);
        let answers: Vec<&RequestRecord> =
            records.iter().filter(|record| record.outcome == Outcome::Ok).collect();
        let latencies = latencies(&answers, plan.percentile);
        let offered = offered(plan);
        let thirds = thirds(&records);
        let client_late_p99 = offered.and(late(&facts.lateness));
        let saturation = saturation::judge(&saturation::Evidence {
            plan,
            records: &records,
            thirds: &thirds,
            offered,
            took: facts.took,
            client_late_p99,
            late_answers: facts.late_answers,
        });
        Self {
            ending: facts.ending,
            requests: records.len() as u64,
            answered: answers.len() as u64,
            failed: (records.len() - answers.len()) as u64,
            given_up: facts.sent.saturating_sub(records.len() as u64),
            cold: facts.cold,
            took: facts.took,
            streamed: answers.is_empty() || latencies.contains_key(Metric::TTFT.name()),
            slo: slo(plan, &answers, &latencies),
            latencies,
            pooled_tpot: pooled_tpot(&answers),
            output_tokens: sum(&answers, |answer| answer.output_tokens),
            token_sources: token_sources(&answers),
            offered,
            cache: Cache::of(plan, &records, &answers),
            errors: errors(&records),
            first_error,
            thirds,
            client_late_p99,
            late_answers: facts.late_answers,
            saturation,
            cost: records.iter().map(|record| record.cost_usd).sum::<Option<Usd>>(),
        }
    }

    /// A latency that is defined.
    pub fn latency(&self, metric: &Metric) -> Option<&Latency> {
        self.latencies.get(metric.name())
    }

    /// So many of something in each second of the load; absent where it took no time.
    pub fn per_second(&self, count: u64) -> Option<f64> {
        let seconds = self.took.as_secs_f64();
        (seconds > 0.0).then(|| count as f64 / seconds)
    }
}

impl Latency {
    fn of(values: &[f64], percentile: Percentiles) -> Option<Self> {
        let sorted = stats::sorted(values);
        let quantile = |q| percentile.of(&sorted, q);
        Some(Self {
            n: sorted.len(),
            mean: sorted.iter().sum::<f64>() / sorted.len() as f64,
            p50: quantile(0.5)?,
            p90: quantile(0.9)?,
            p95: quantile(0.95)?,
            p99: quantile(0.99)?,
            max: *sorted.last()?,
        })
    }
}

impl Cache {
    fn of(plan: &Plan, records: &[RequestRecord], answers: &[&RequestRecord]) -> Self {
        let numbers = || records.iter().map(|record| record.step);
        let known = plan.prompts.known_to_ideal_cache(numbers(), &plan.warming());
        let ideal = (!records.is_empty()).then(|| known as f64 / records.len() as f64);
        let ideal_blocks = plan.prompts.known_to_ideal_prefix_cache(numbers());
        let told: Vec<bool> = answers.iter().filter_map(|answer| answer.cached).collect();
        if !told.is_empty() {
            let hits = told.iter().filter(|&&hit| hit).count();
            let hit_rate = Some(hits as f64 / told.len() as f64);
            return Self { counted: "answers", hit_rate, ideal, ideal_blocks };
        }
        let read = sum(answers, |answer| answer.usage.cache_read);
        let input = sum(answers, |answer| answer.usage.input).filter(|&input| input > 0);
        let hit_rate = read.zip(input).map(|(read, input)| read as f64 / input as f64);
        Self { counted: "prompt_tokens", hit_rate, ideal, ideal_blocks }
    }
}

pub(super) fn values(answers: &[&RequestRecord], metric: &Metric) -> Vec<f64> {
    answers.iter().filter_map(|answer| answer.values.get(metric.name()).copied()).collect()
}

/// The sum of a count over all answers; absent where one lacks it, or there is none.
fn sum(answers: &[&RequestRecord], count: impl Fn(&RequestRecord) -> Option<u64>) -> Option<u64> {
    let all: Option<u64> = answers.iter().map(|answer| count(answer)).sum();
    all.filter(|_| !answers.is_empty())
}

fn median(answers: &[&RequestRecord], metric: &Metric) -> Option<f64> {
    stats::median(&stats::sorted(&values(answers, metric)))
}

/// All time between first and last tokens over all tokens after the first.
fn pooled_tpot(answers: &[&RequestRecord]) -> Option<f64> {
    let spans = answers.iter().filter_map(|answer| {
        let after_first = answer.output_tokens?.checked_sub(1)? as f64;
        Some((answer.values.get(Metric::TPOT.name())? * after_first, after_first))
    });
    let (time, tokens) = spans.fold((0.0, 0.0), |(time, tokens), (t, n)| (time + t, tokens + n));
    (tokens > 0.0).then(|| time / tokens)
}

/// Requests a second between the first start and the last, in an open loop of at least two.
fn offered(plan: &Plan) -> Option<f64> {
    let super::Schedule::Open(times) = &plan.schedule else { return None };
    let span = times.last()?.saturating_sub(*times.first()?).as_secs_f64();
    let drawn = (span > 0.0).then(|| (times.len() - 1) as f64 / span);
    drawn.or(plan.rate)
}

fn latencies(answers: &[&RequestRecord], percentile: Percentiles) -> BTreeMap<String, Latency> {
    let latency = |metric: Metric| {
        let latency = Latency::of(&values(answers, &metric), percentile)?;
        Some((metric.name().to_owned(), latency))
    };
    LATENCIES.into_iter().filter_map(latency).collect()
}

/// Each of them once.
fn token_sources(answers: &[&RequestRecord]) -> Vec<TokenSource> {
    let sources: BTreeSet<_> = answers.iter().filter_map(|answer| answer.token_source).collect();
    sources.into_iter().collect()
}

fn late(lateness: &[f64]) -> Option<f64> {
    stats::quantile(&stats::sorted(lateness), 0.99)
}

fn slo(
    plan: &Plan,
    answers: &[&RequestRecord],
    latencies: &BTreeMap<String, Latency>,
) -> Option<SloFindings> {
    let bounds = &plan.bounds;
    let good = || answers.iter().filter(|answer| bounds.met(answer)).count() as u64;
    let p95 = latencies.get(Metric::RESPONSE_TIME.name()).map(|latency| latency.p95);
    let kept = |bound: Duration| p95.map(|p95| p95 <= bound.as_nanos() as f64);
    (bounds.judge_answers() || bounds.p95.is_some()).then(|| SloFindings {
        good: bounds.judge_answers().then(good),
        p95_bound: bounds.p95,
        p95_met: bounds.p95.and_then(kept),
    })
}

fn errors(records: &[RequestRecord]) -> BTreeMap<String, u64> {
    records.iter().fold(BTreeMap::new(), |mut errors, record| {
        if let Outcome::Failed(class) = record.outcome {
            *errors.entry(class.name().to_owned()).or_default() += 1;
        }
        errors
    })
}

/// The thirds of the requests, which stand in the order of their starts; none of fewer than three.
fn thirds(records: &[RequestRecord]) -> Vec<Third> {
    let third = |part: &[RequestRecord]| {
        let answers: Vec<_> = part.iter().filter(|record| record.outcome == Outcome::Ok).collect();
        Third {
            answered: answers.len() as u64,
            response_p50: median(&answers, &Metric::RESPONSE_TIME),
            service_p50: median(&answers, &Metric::TOTAL),
        }
    };
    let n = records.len();
    let bounds = [(0, n / 3), (n / 3, n - n / 3), (n - n / 3, n)];
    if n < 3 { Vec::new() } else { bounds.map(|(from, to)| third(&records[from..to])).to_vec() }
}
