//! A real engine's speed, fitted to half of the rounds, so that predictions can be held to the other half.

use std::time::Duration;

use super::{Observation, Round};
use crate::catalog::Profile;
use crate::metric::Metric;
use crate::session::RequestRecord;
use crate::stats::{least_squares, median, sorted};

/// Rounds on each side from which on a fit says anything.
const LEAST: usize = 3;

/// Samples in two halves: the even ones, to which an engine is fitted, and the odd ones.
pub(super) fn halves(samples: &[Round]) -> (Vec<&Round>, Vec<&Round>) {
    samples.iter().partition(|round| round.number % 2 == 0)
}

/// The engine that `rounds` look like, as the requests show it that were under way alone: `TTFT = t0 + c·uncached +
/// r·cached` in least squares with none below 0, and the median time per output token. What the prompts cannot tell
/// apart, as where all are of one length, goes into t0. Absent for too few rounds, and where nothing was streamed
/// alone.
pub(super) fn engine(rounds: &[&Round]) -> Option<Profile> {
    if rounds.len() < LEAST {
        return None;
    }
    let observations = || rounds.iter().flat_map(|round| round.observations.iter().flatten());
    let records: Vec<_> = observations().flat_map(alone).collect();
    let (rows, times): (Vec<_>, Vec<_>) = records.iter().filter_map(|record| point(record)).unzip();
    let [overhead, prefill, cached] = parameters(&rows, &times)?;
    let time = |ns: f64| Duration::from_nanos(ns.max(0.0).round() as u64);
    let none = String::new;
    let fitted = Profile::default().without_noise();
    Some(Profile {
        name: format!("fitted to {} of the rounds", rounds.len()),
        description: none(),
        source: none(),
        date: none(),
        assumed: none(),
        overhead: time(overhead),
        prefill: time(prefill),
        cached: time(cached),
        decode: time(median_of(&records, &Metric::TPOT).unwrap_or(0.0)),
        time_scale: 1.0,
        small: None,
        ..fitted
    })
}

/// When a request's answer was on its way, in nanoseconds since the session's start.
fn span(record: &RequestRecord) -> Option<(u64, u64)> {
    let total = record.values.get(Metric::TOTAL.name())?;
    Some((record.sent_ns?, record.sent_ns? + *total as u64))
}

fn overlap((a, b): (u64, u64), (c, d): (u64, u64)) -> bool {
    a < d && c < b
}

/// The requests of a run that had the engine for themselves, as far as the run knows.
fn alone(seen: &Observation) -> impl Iterator<Item = &RequestRecord> {
    let spans: Vec<_> = seen.requests.iter().map(span).collect();
    let is_alone = move |index: usize| {
        spans[index]
            .is_some_and(|own| spans.iter().flatten().filter(|other| overlap(own, **other)).count() == 1)
    };
    seen.requests.iter().enumerate().filter(move |(index, _)| is_alone(*index)).map(|(_, record)| record)
}

/// How many requests at once the engine serves as if each were alone: by Little's law its highest throughput times
/// what one takes alone, whatever the arm at which it shows; absent where no two were under way at once.
pub(super) fn capacity(rounds: &[&Round]) -> Option<f64> {
    let observations = || rounds.iter().flat_map(|round| round.observations.iter().flatten());
    let service = median_of(&observations().flat_map(alone).collect::<Vec<_>>(), &Metric::TOTAL)?;
    let arms = rounds.iter().map(|round| round.observations.len()).max()?;
    let of_arm = |arm: usize| {
        let seen = rounds.iter().filter_map(|round| round.observations.get(arm)?.as_ref());
        median(&sorted(&seen.filter_map(throughput).collect::<Vec<_>>()))
    };
    let highest = (0..arms).filter_map(of_arm).reduce(f64::max)?;
    Some((highest * service).max(1.0))
}

/// Answers per nanosecond of a run in which some were under way at once.
fn throughput(seen: &Observation) -> Option<f64> {
    let spans: Vec<_> = seen.requests.iter().filter_map(span).collect();
    let (begin, end) = (spans.iter().map(|span| span.0).min()?, spans.iter().map(|span| span.1).max()?);
    let together = spans.iter().any(|own| spans.iter().filter(|other| overlap(*own, **other)).count() > 1);
    (together && end > begin).then(|| spans.len() as f64 / (end - begin) as f64)
}

fn median_of(records: &[&RequestRecord], metric: &Metric) -> Option<f64> {
    let values: Vec<_> =
        records.iter().filter_map(|record| record.values.get(metric.name()).copied()).collect();
    median(&sorted(&values))
}

/// Uncached and cached prompt tokens, and the time to the first token, of a request that was answered.
fn point(record: &RequestRecord) -> Option<([f64; 2], f64)> {
    let ttft = *record.values.get(Metric::TTFT.name())?;
    let cached = record.usage.cache_read.unwrap_or(0);
    let uncached = record.usage.input?.saturating_sub(cached);
    Some(([uncached as f64, cached as f64], ttft))
}

/// t0, c and r in least squares with none below 0: the best of those sets of them that fit so with the others 0.
fn parameters(rows: &[[f64; 2]], times: &[f64]) -> Option<[f64; 3]> {
    const SETS: [&[usize]; 7] = [&[0, 1, 2], &[0, 1], &[0, 2], &[1, 2], &[0], &[1], &[2]];
    let all = |row: &[f64; 2]| [1.0, row[0], row[1]];
    let fit = |set: &&[usize]| {
        let columns: Vec<Vec<f64>> =
            rows.iter().map(|row| set.iter().map(|&column| all(row)[column]).collect()).collect();
        let mut found = [0.0; 3];
        set.iter().zip(least_squares(&columns, times)?).for_each(|(&column, value)| found[column] = value);
        found.iter().all(|value| value.is_finite() && *value >= 0.0).then_some(found)
    };
    let residual = |found: &[f64; 3]| -> f64 {
        let fitted = |row| all(row).iter().zip(found).map(|(a, b)| a * b).sum::<f64>();
        rows.iter().zip(times).map(|(row, time)| (time - fitted(row)).powi(2)).sum()
    };
    // Of two that fit alike the first: what all prompts have in common goes into t0.
    let rounding = 1e-9 * times.iter().map(|time| time * time).sum::<f64>();
    let fits = SETS.iter().filter_map(fit);
    fits.reduce(|best, next| if residual(&next) + rounding < residual(&best) { next } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_found_again_in_what_it_did() {
        // Given an engine of 20 ms, 90 µs a token and 2 µs a cached token
        let rows = [[100.0, 0.0], [4_000.0, 0.0], [200.0, 3_800.0], [1_000.0, 500.0]];
        let times = rows.map(|[uncached, cached]| 20e6 + 90e3 * uncached + 2e3 * cached);
        // Then
        let found = parameters(&rows, &times).unwrap();
        for (found, true_value) in found.into_iter().zip([20e6, 90e3, 2e3]) {
            assert!((found - true_value).abs() < 1e-3 * true_value, "{found} for {true_value}");
        }
        // And where all prompts are alike only their time is known
        let [overhead, prefill, cached] = parameters(&[[500.0, 0.0]; 4], &[65e6; 4]).unwrap();
        assert!((overhead - 65e6).abs() < 1.0 && prefill == 0.0 && cached == 0.0);
    }

    #[test]
    fn a_start_that_would_come_out_below_0_is_none() {
        // Given times that a line through 0 nearly fits
        let rows = [[1_000.0, 0.0], [2_000.0, 0.0], [4_000.0, 0.0], [10.0, 3_990.0]];
        let [overhead, prefill, cached] = parameters(&rows, &[90e6, 190e6, 390e6, 1e6]).unwrap();
        assert!(overhead == 0.0 && cached < 100.0, "{overhead} {cached}");
        assert!((prefill - 96_000.0).abs() < 2_000.0, "{prefill}");
    }
}
