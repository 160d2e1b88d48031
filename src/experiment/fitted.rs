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

/// The engine that `rounds` look like: `TTFT = t0 + c·uncached + r·cached` in least squares, and the median time
/// per output token. What the prompts cannot tell apart, as where all are of one length, goes into t0. Absent for
/// too few rounds, and where nothing was streamed.
pub(super) fn engine(rounds: &[&Round]) -> Option<Profile> {
    if rounds.len() < LEAST {
        return None;
    }
    let observations = || rounds.iter().flat_map(|round| round.observations.iter().flatten());
    let records: Vec<_> = observations().flat_map(|seen: &Observation| &seen.requests).collect();
    let (rows, times): (Vec<_>, Vec<_>) = records.iter().filter_map(|record| point(record)).unzip();
    let [overhead, prefill, cached] = parameters(&rows, &times)?;
    let tpot: Vec<_> =
        records.iter().filter_map(|record| record.values.get(Metric::TPOT.name()).copied()).collect();
    let time = |ns: f64| Duration::from_nanos(ns.max(0.0).round() as u64);
    let none = String::new;
    Some(Profile {
        name: format!("fitted to {} of the rounds", rounds.len()),
        description: none(),
        source: none(),
        date: none(),
        assumed: none(),
        overhead: time(overhead),
        prefill: time(prefill),
        cached: time(cached),
        decode: time(median(&sorted(&tpot)).unwrap_or(0.0)),
        time_scale: 1.0,
        small: None,
        ..Profile::default().without_noise()
    })
}

/// Uncached and cached prompt tokens, and the time to the first token, of a request that was answered.
fn point(record: &RequestRecord) -> Option<([f64; 2], f64)> {
    let ttft = *record.values.get(Metric::TTFT.name())?;
    let cached = record.usage.cache_read.unwrap_or(0);
    let uncached = record.usage.input?.saturating_sub(cached);
    Some(([uncached as f64, cached as f64], ttft))
}

/// t0, c and r, none below 0: the first of these sets of columns that fits so.
fn parameters(rows: &[[f64; 2]], times: &[f64]) -> Option<[f64; 3]> {
    const COLUMNS: [&[usize]; 3] = [&[0, 1], &[0], &[]];
    COLUMNS.into_iter().find_map(|columns| {
        let row =
            |row: &[f64; 2]| [1.0].into_iter().chain(columns.iter().map(|&column| row[column])).collect();
        let found = least_squares(&rows.iter().map(row).collect::<Vec<Vec<f64>>>(), times)?;
        let mut all = [found[0], 0.0, 0.0];
        columns.iter().zip(&found[1..]).for_each(|(&column, value)| all[column + 1] = *value);
        all.iter().all(|value| value.is_finite() && *value >= 0.0).then_some(all)
    })
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
}
