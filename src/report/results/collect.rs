//! From rounds to results.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{ArmConfig, ArmResult, TimingResult, TimingStats};
use crate::experiment::{Arm, Observation, Round, Rounds};
use crate::metric::Metric;
use crate::session::{Outcome, RequestRecord};
use crate::stats::{Noise, Summary};

/// Nanoseconds in a millisecond.
const MS: f64 = 1e6;
/// The metrics that time the whole of what an arm does; where it has none, its group's primary one is its latency.
pub(in crate::report) const WHOLE: [Metric; 2] = [Metric::TOTAL, Metric::MAKESPAN];

impl ArmResult {
    /// The results of every selected arm of `rounds`.
    pub fn all(rounds: &Rounds) -> Vec<Self> {
        rounds.selected().iter().map(|&arm| Self::of(rounds, arm)).collect()
    }

    /// The result of the arm at that index.
    pub fn of(rounds: &Rounds, index: usize) -> Self {
        let arm = &rounds.group().arms[index];
        let records = records(rounds, index, arm);
        let (start_ns, end_ns) = span(&records);
        let primary = rounds.group().primary();
        let started = &rounds.session().provenance().started;
        let timing_results: Vec<_> = samples(rounds)
            .iter()
            .filter_map(|round| {
                Some(TimingResult::of(round.number, round.observations[index].as_ref()?, primary))
            })
            .collect();
        let seen = || samples(rounds).iter().filter_map(|round| round.observations[index].as_ref());
        let primaries: Vec<_> = seen().filter_map(|seen| seen.values.get(primary?).copied()).collect();
        Self {
            config: config(rounds, arm),
            stats: TimingStats {
                token_weighted_cache_hit_rate: token_weighted(seen()),
                primary_noise: Noise::of(&primaries),
                ..TimingStats::of(&timing_results)
            },
            start_time: after(started, start_ns),
            end_time: after(started, end_ns),
            duration_seconds: (end_ns - start_ns) as f64 / 1e9,
            success_rate: success_rate(&records, &timing_results),
            timing_results,
            errors: errors(&records),
            metadata: BTreeMap::new(),
        }
    }
}

impl TimingResult {
    fn of(round: u32, observation: &Observation, primary: Option<&Metric>) -> Self {
        let ms = |metric: &Metric| observation.values.get(metric).map(|value| value / MS);
        let latency_ms = WHOLE.iter().chain(primary).find_map(ms);
        let output = observation.usage.and_then(|usage| usage.output);
        Self {
            round,
            latency_ms,
            ttft_ms: ms(&Metric::TTFT),
            tokens_per_second: output.zip(latency_ms).map(|(tokens, ms)| tokens as f64 * 1e3 / ms),
            cache_hit_rate: observation.usage.and_then(|usage| usage.cache_hit_share()),
            cost_usd: observation.cost,
        }
    }
}

impl TimingStats {
    /// What follows from the rounds' times alone.
    pub fn of(rounds: &[TimingResult]) -> Self {
        let values = |of: fn(&TimingResult) -> Option<f64>| rounds.iter().filter_map(of).collect::<Vec<_>>();
        let latencies = values(|round| round.latency_ms);
        let summary = |values: &[f64]| Summary::of(values);
        let mean = |of| summary(&values(of)).map(|summary| summary.mean);
        let (latency, ttft) = (summary(&latencies), summary(&values(|round| round.ttft_ms)));
        let of_latency = |of: fn(&Summary) -> f64| latency.as_ref().map(of);
        let of_ttft = |of: fn(&Summary) -> f64| ttft.as_ref().map(of);
        Self {
            count: rounds.len(),
            latency_p50_ms: of_latency(|summary| summary.p50),
            latency_p95_ms: of_latency(|summary| summary.p95),
            latency_p99_ms: of_latency(|summary| summary.p99),
            latency_mean_ms: of_latency(|summary| summary.mean),
            latency_min_ms: of_latency(|summary| summary.min),
            latency_max_ms: of_latency(|summary| summary.max),
            latency_stdev_ms: latency.as_ref().and_then(|summary| summary.stdev),
            latency_mad_ms: of_latency(|summary| summary.mad),
            latency_cv: latency.as_ref().and_then(|summary| summary.cv),
            latency_lag1: latency.as_ref().and_then(|summary| summary.lag1),
            latency_mean_interval_ms: latency.as_ref().and_then(|summary| summary.mean_interval),
            ttft_p50_ms: of_ttft(|summary| summary.p50),
            ttft_p95_ms: of_ttft(|summary| summary.p95),
            ttft_p99_ms: of_ttft(|summary| summary.p99),
            avg_tokens_per_second: mean(|round| round.tokens_per_second),
            avg_cache_hit_rate: mean(|round| round.cache_hit_rate),
            ..Self::default()
        }
    }
}

fn config(rounds: &Rounds, arm: &Arm) -> ArmConfig {
    let (group, session) = (rounds.group(), rounds.session());
    let dialect = session.dialect(group.dialect);
    ArmConfig {
        name: arm.label(),
        group: group.name.clone(),
        arm: arm.name.clone(),
        x: arm.x,
        x_label: group.x_label.clone(),
        is_control: arm.name == group.control,
        model: session.asked_model(dialect).to_owned(),
        dialect,
    }
}

/// All rounds but the one that warms up.
fn samples(rounds: &Rounds) -> &[Round] {
    rounds.so_far().get(1..).unwrap_or_default()
}

/// Every exchange of an arm, those of a round that was not finished included.
fn records<'a>(rounds: &'a Rounds, index: usize, arm: &Arm) -> Vec<&'a RequestRecord> {
    let seen = rounds.so_far().iter().filter_map(|round| round.observations[index].as_ref());
    let lost = rounds.lost().iter().filter(|record| record.arm == arm.name && record.x == arm.x);
    seen.flat_map(|observation| &observation.requests).chain(lost).collect()
}

/// The first request's start and the last answer's end, in nanoseconds since the session's start.
fn span(records: &[&RequestRecord]) -> (u64, u64) {
    let sent = records.iter().filter_map(|record| Some((record.sent_ns?, record.elapsed_ns)));
    let (start, end) = sent.fold((u64::MAX, 0), |(start, end), (sent, elapsed)| {
        (start.min(sent), end.max(sent.saturating_add(elapsed)))
    });
    (start.min(end), end)
}

/// The time of day this long after `started`, in RFC 3339.
fn after(started: &str, ns: u64) -> String {
    let time = started.parse::<jiff::Timestamp>().and_then(|time| time.checked_add(Duration::from_nanos(ns)));
    time.map_or_else(|_| started.to_owned(), |time| time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

/// Percent of the rounds after the warm-up, those that asked nothing included, without a failure; of none, all are
/// said to have failed.
fn success_rate(records: &[&RequestRecord], finished: &[TimingResult]) -> f64 {
    let asked = || records.iter().filter(|record| record.round > 0);
    let failed = asked().filter(|record| record.outcome != Outcome::Ok);
    let failed: BTreeSet<u32> = failed.map(|record| record.round).collect();
    let all = asked().map(|record| record.round).chain(finished.iter().map(|result| result.round));
    let all: BTreeSet<u32> = all.collect();
    if all.is_empty() { 0.0 } else { (all.len() - failed.len()) as f64 * 100.0 / all.len() as f64 }
}

fn errors(records: &[&RequestRecord]) -> Vec<String> {
    let failed = records.iter().filter_map(|record| match &record.outcome {
        Outcome::Ok => None,
        Outcome::Failed(class) => Some((record, class.name())),
    });
    failed
        .map(|(record, class)| {
            let round = if record.round == 0 { "warm-up".into() } else { format!("round {}", record.round) };
            let message = record.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
            format!("{round}: {class}{message}")
        })
        .collect()
}

/// Tokens read from the cache over all prompt tokens.
fn token_weighted<'a>(seen: impl Iterator<Item = &'a Observation>) -> Option<f64> {
    let counts = seen.map(|observation| {
        let usage = observation.usage?;
        Some((usage.cache_read?, usage.input?))
    });
    let (read, input) = counts
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    (input > 0).then(|| read as f64 / input as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Usage;

    fn observation(uncached: u64, read: u64) -> Observation {
        let usage = Usage { input: Some(uncached + read), cache_read: Some(read), ..Usage::default() };
        Observation { usage: Some(usage), ..Observation::default() }
    }

    #[test]
    fn ten_uncached_tokens_and_990_read_are_a_hit_rate_of_99_percent() {
        let seen = observation(10, 990);
        assert_eq!(TimingResult::of(1, &seen, None).cache_hit_rate, Some(0.99));
        assert_eq!(token_weighted([&seen].into_iter()), Some(0.99));
    }

    #[test]
    fn a_hit_rate_weighs_tokens_or_rounds() {
        // Given a long prompt that was read and a short one that was not
        let seen = [observation(10, 990), observation(100, 0)];
        let rounds = [TimingResult::of(1, &seen[0], None), TimingResult::of(2, &seen[1], None)];
        // Then half of the rounds, and nearly all of the tokens, came from the cache
        assert_eq!(TimingStats::of(&rounds).avg_cache_hit_rate, Some(0.495));
        assert_eq!(token_weighted(seen.iter()), Some(0.9));
        assert_eq!(token_weighted([&Observation::default()].into_iter()), None);
    }

    #[test]
    fn the_statistics_have_the_names_that_others_read() {
        let stats = serde_json::to_value(TimingStats::default()).unwrap();
        for name in [
            "count",
            "latency_p50_ms",
            "latency_p95_ms",
            "latency_p99_ms",
            "latency_mean_ms",
            "latency_min_ms",
            "latency_max_ms",
            "ttft_p50_ms",
            "ttft_p95_ms",
            "ttft_p99_ms",
            "avg_tokens_per_second",
            "avg_cache_hit_rate",
        ] {
            assert!(stats.get(name).is_some(), "{name}");
        }
        assert!(stats["ttft_p50_ms"].is_null());
    }

    #[test]
    fn a_request_is_placed_this_long_after_the_start() {
        assert_eq!(after("2025-06-01T09:08:07Z", 1_234_567_890), "2025-06-01T09:08:08.234Z");
    }
}
