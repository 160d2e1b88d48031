//! A load for programs: the flat keys of the document's tool first, and under names of their own what it lacks.
//!
//! The names stay as they are, because others read them; the schema is `fixtures/schemas/load.v1.json`. A number that
//! is not known is null and never 0.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::instrument::Certificate;
use crate::load::{Ending, Findings, Latency, Load, Options, Saturation, Third};
use crate::metric::Metric;
use crate::price::Usd;
use crate::provenance::Provenance;
use crate::stats::Percentiles;
use crate::timeline::TokenSource;
use crate::wire::Dialect;

/// The version of [`LoadResult`]'s format.
pub const LOAD_SCHEMA_VERSION: u32 = 1;

/// What a load found.
#[derive(Debug, Clone, Serialize)]
pub struct LoadResult<'a> {
    #[serde(flatten)]
    summary: Summary,
    schema_version: u32,
    interrupted: bool,
    ending: Ending,
    given_up_requests: u64,
    /// `ttft` where answers were streamed, else `ttfb`, of which the keys above hold nothing.
    first_response: &'static str,
    token_source: Option<&'static str>,
    percentile: Percentiles,
    latencies_ms: BTreeMap<&'a str, LatencyMs>,
    tpot_pooled_ms: Option<f64>,
    output_tokens: Option<u64>,
    requests_per_sec: Option<f64>,
    answers_per_sec: Option<f64>,
    offered_requests_per_sec: Option<f64>,
    cache: CacheShares,
    slo: Option<ServiceLevels>,
    errors: &'a BTreeMap<String, u64>,
    first_error: Option<&'a str>,
    thirds: Vec<ThirdMs>,
    saturation: &'a Saturation,
    client: Client,
    instrument: Certificate,
    warm_up: WarmUp,
    cost_usd: Option<Usd>,
    dialect: Dialect,
    settings: &'a Options,
    provenance: Provenance,
}

/// The keys of the document's tool, in its order.
#[derive(Debug, Clone, Serialize)]
struct Summary {
    total_requests: u64,
    successful_requests: u64,
    failed_requests: u64,
    ttft_p50_ms: Option<f64>,
    ttft_p95_ms: Option<f64>,
    ttft_p99_ms: Option<f64>,
    tpot_avg_ms: Option<f64>,
    throughput_tokens_per_sec: Option<f64>,
    cache_hit_rate: Option<f64>,
    avg_latency_ms: Option<f64>,
    total_time_sec: f64,
}

#[derive(Debug, Clone, Serialize)]
struct LatencyMs {
    n: usize,
    mean: f64,
    p50: f64,
    p90: f64,
    p95: f64,
    p99: f64,
    max: f64,
}

#[derive(Debug, Clone, Serialize)]
struct CacheShares {
    counted: &'static str,
    hit_rate: Option<f64>,
    ideal_hit_rate: Option<f64>,
    ideal_block_hit_rate: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
struct ServiceLevels {
    ttft_ms: Option<f64>,
    tpot_ms: Option<f64>,
    response_ms: Option<f64>,
    good_requests: Option<u64>,
    goodput_per_sec: Option<f64>,
    p95_ms: Option<f64>,
    p95_met: Option<bool>,
}

#[derive(Debug, Clone, Serialize)]
struct ThirdMs {
    answered: u64,
    response_p50_ms: Option<f64>,
    service_p50_ms: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
struct Client {
    late_p99_ms: Option<f64>,
    late_answers: u64,
}

#[derive(Debug, Clone, Serialize)]
struct WarmUp {
    requests: u32,
    failed: u64,
}

impl<'a> LoadResult<'a> {
    /// The result of `load`, which was asked for with `options` and measured with this instrument.
    pub fn new(found: &'a Findings, load: &'a Load, options: &'a Options, instrument: Certificate) -> Self {
        Self {
            summary: Summary::of(found),
            schema_version: LOAD_SCHEMA_VERSION,
            interrupted: found.ending == Ending::Interrupted,
            ending: found.ending,
            given_up_requests: found.given_up,
            first_response: if found.streamed { "ttft" } else { "ttfb" },
            token_source: token_source(&found.token_sources),
            percentile: load.plan().percentile,
            latencies_ms: found.latencies.iter().map(|(name, known)| (name.as_str(), known.into())).collect(),
            tpot_pooled_ms: found.pooled_tpot.map(ms),
            output_tokens: found.output_tokens,
            requests_per_sec: found.per_second(found.requests),
            answers_per_sec: found.per_second(found.answered),
            offered_requests_per_sec: found.offered,
            cache: CacheShares {
                counted: found.cache.counted,
                hit_rate: found.cache.hit_rate,
                ideal_hit_rate: found.cache.ideal,
                ideal_block_hit_rate: found.cache.ideal_blocks,
            },
            slo: ServiceLevels::of(found, load),
            errors: &found.errors,
            first_error: found.first_error.as_deref(),
            thirds: found.thirds.iter().map(ThirdMs::from).collect(),
            saturation: &found.saturation,
            client: Client { late_p99_ms: found.client_late_p99.map(ms), late_answers: found.late_answers },
            instrument,
            warm_up: WarmUp { requests: load.plan().warm_up, failed: found.cold },
            cost_usd: found.cost,
            dialect: load.dialect(),
            settings: options,
            provenance: load.provenance(),
        }
    }
}

impl Summary {
    fn of(found: &Findings) -> Self {
        let of = |metric: Metric, value: fn(&Latency) -> f64| found.latency(&metric).map(value).map(ms);
        Self {
            total_requests: found.requests,
            successful_requests: found.answered,
            failed_requests: found.failed,
            ttft_p50_ms: of(Metric::TTFT, |ttft| ttft.p50),
            ttft_p95_ms: of(Metric::TTFT, |ttft| ttft.p95),
            ttft_p99_ms: of(Metric::TTFT, |ttft| ttft.p99),
            tpot_avg_ms: of(Metric::TPOT, |tpot| tpot.mean),
            throughput_tokens_per_sec: found.output_tokens.and_then(|tokens| found.per_second(tokens)),
            cache_hit_rate: found.cache.hit_rate,
            avg_latency_ms: of(Metric::TOTAL, |total| total.mean),
            total_time_sec: found.took.as_secs_f64(),
        }
    }
}

impl ServiceLevels {
    fn of(found: &Findings, load: &Load) -> Option<Self> {
        let (slo, bounds) = (found.slo?, &load.plan().bounds);
        let bound = |bound: Option<std::time::Duration>| bound.map(|bound| bound.as_secs_f64() * 1e3);
        Some(Self {
            ttft_ms: bound(bounds.ttft),
            tpot_ms: bound(bounds.tpot),
            response_ms: bound(bounds.response),
            good_requests: slo.good,
            goodput_per_sec: slo.good.and_then(|good| found.per_second(good)),
            p95_ms: bound(bounds.p95),
            p95_met: slo.p95_met,
        })
    }
}

impl From<&Latency> for LatencyMs {
    fn from(known: &Latency) -> Self {
        Self {
            n: known.n,
            mean: ms(known.mean),
            p50: ms(known.p50),
            p90: ms(known.p90),
            p95: ms(known.p95),
            p99: ms(known.p99),
            max: ms(known.max),
        }
    }
}

impl From<&Third> for ThirdMs {
    fn from(third: &Third) -> Self {
        Self {
            answered: third.answered,
            response_p50_ms: third.response_p50.map(ms),
            service_p50_ms: third.service_p50.map(ms),
        }
    }
}

fn token_source(sources: &[TokenSource]) -> Option<&'static str> {
    match sources {
        [] => None,
        [TokenSource::Usage] => Some("usage"),
        [TokenSource::Events] => Some("events"),
        [TokenSource::Characters] => Some("characters"),
        _ => Some("mixed"),
    }
}

fn ms(nanoseconds: f64) -> f64 {
    nanoseconds / 1e6
}
