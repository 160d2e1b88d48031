//! One number of streams.

use std::time::Duration;

use serde::Serialize;

use super::{Options, median};
use crate::instrument::bounds::{MEAN_GAP, SELFTEST, STALL, is_busy, past, past_limit};
use crate::instrument::check::{Beside, CheckError, Turns, beside};
use crate::instrument::raw::{Asking, Keep};
use crate::instrument::usage::cores;
use crate::instrument::{Errors, Plan, Spread, TruthServer};

/// A first token after 100 ms and 63 more, each 10 ms after the one before.
const PACED: Plan = Plan::paced(Duration::from_millis(100), Duration::from_millis(10), 64);
/// The same with a pause of 300 ms in the middle of each answer.
const STALLED: Plan = PACED.with_stall(32, Duration::from_millis(300));

/// The errors at one number of streams.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Level {
    /// Streams at a time.
    pub streams: usize,
    /// The lab's client.
    pub client: Side,
    /// The raw reader.
    pub raw: Side,
    /// From when a request was to be sent to its first written byte.
    pub send_lag: Spread,
    /// The share of its cores that this process left unused while the client measured. Absent where the system does
    /// not say.
    pub cpu_headroom: Option<f64>,
    /// The most memory that this process held by then, in bytes. Absent where the system does not say.
    pub peak_memory_bytes: Option<u64>,
    /// Whether the raw reader itself misses the bounds.
    pub machine_busy: bool,
    /// Every bound that the client missed, in words.
    pub breaches: Vec<String>,
}

/// The errors of one reader.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Side {
    /// Of the time to first token, beyond the truth.
    pub ttft_error: Spread,
    /// Of the gaps between tokens, in either direction.
    pub gap_error: Spread,
    /// Of the mean of all gaps, as a share of it.
    pub mean_gap_error: f64,
    /// Of the longest gap of answers in which one gap is 300 ms.
    pub stall_error: Spread,
    /// Processor seconds for a million events: of this process for the client, of its thread for the raw reader. Absent
    /// where the system does not say.
    pub cpu_s_per_million_events: Option<f64>,
}

/// Measures a level once.
pub(super) async fn measure(streams: usize, options: &Options) -> Result<Level, CheckError> {
    let paced = ask(&PACED.on_core(options.server_core), streams, answers(streams, options)).await?;
    let stalled = ask(&STALLED.on_core(options.server_core), streams, 1).await?;
    let Beside { client, raw } = &paced;
    let (cpu, took) = (client.cpu, client.took.as_secs_f64() * cores() as f64);
    let level = Level {
        streams,
        client: side(&client.errors, &stalled.client.errors, client.cpu_per_million_events())
            .ok_or(CheckError::Nothing)?,
        raw: side(&raw.errors, &stalled.raw.errors, raw.cpu_per_million_events())
            .ok_or(CheckError::Nothing)?,
        send_lag: Spread::of(&client.lags).ok_or(CheckError::Nothing)?,
        cpu_headroom: cpu.map(|cpu| (1.0 - cpu.as_secs_f64() / took).max(0.0)),
        peak_memory_bytes: client.peak_memory,
        machine_busy: false,
        breaches: Vec::new(),
    };
    Ok(level.judged())
}

/// Answers of each stream: many streams have a few in one.
fn answers(streams: usize, options: &Options) -> usize {
    let (least, most) = if options.quick { (2, 5) } else { (3, 12) };
    options.requests.unwrap_or_else(|| (most / streams).clamp(least, most))
}

async fn ask(plan: &Plan, streams: usize, requests: usize) -> Result<Beside, CheckError> {
    let server = TruthServer::start(plan)?;
    let asking = Asking::new(server.address(), streams);
    beside(&server, &Asking { requests, over: plan.answer(), keep: Keep::All, ..asking }, Turns::One).await
}

fn side(paced: &Errors, stalled: &Errors, cpu_s_per_million_events: Option<f64>) -> Option<Side> {
    Some(Side {
        ttft_error: Spread::of(&paced.first)?,
        gap_error: Spread::of(&paced.gaps)?,
        mean_gap_error: paced.mean_gap()?,
        stall_error: Spread::of(&stalled.longest)?,
        cpu_s_per_million_events,
    })
}

impl Side {
    fn median(runs: &[Self]) -> Option<Self> {
        let spread = |of: fn(&Self) -> Spread| Spread::median(&runs.iter().map(of).collect::<Vec<_>>());
        Some(Self {
            ttft_error: spread(|run| run.ttft_error)?,
            gap_error: spread(|run| run.gap_error)?,
            mean_gap_error: median(runs, |run| Some(run.mean_gap_error))?,
            stall_error: spread(|run| run.stall_error)?,
            cpu_s_per_million_events: median(runs, |run| run.cpu_s_per_million_events),
        })
    }
}

impl Level {
    /// The medians of several runs, judged again. The memory is that of the first one, since it only grows.
    pub(super) fn median(runs: &[Self]) -> Option<Self> {
        let side = |of: fn(&Self) -> Side| Side::median(&runs.iter().map(of).collect::<Vec<_>>());
        let level = Self {
            streams: runs.first()?.streams,
            client: side(|run| run.client)?,
            raw: side(|run| run.raw)?,
            send_lag: Spread::median(&runs.iter().map(|run| run.send_lag).collect::<Vec<_>>())?,
            cpu_headroom: median(runs, |run| run.cpu_headroom),
            peak_memory_bytes: runs.first()?.peak_memory_bytes,
            machine_busy: false,
            breaches: Vec::new(),
        };
        Some(level.judged())
    }

    fn judged(self) -> Self {
        let (client, raw) = (&self.client, &self.raw);
        let mut breaches = past("TTFT error", SELFTEST, &client.ttft_error, &raw.ttft_error);
        if client.mean_gap_error.is_nan() || client.mean_gap_error > MEAN_GAP {
            let percent = client.mean_gap_error * 100.0;
            breaches.push(format!("mean chunk gap is {percent:.2}% off, more than {}%", MEAN_GAP * 100.0));
        }
        let stall = past_limit(STALL, client.stall_error.p99_ms, raw.stall_error.p99_ms);
        breaches.extend(stall.map(|past| format!("the error of a stall of 300 ms, p99, {past}")));
        Self { machine_busy: is_busy(&raw.ttft_error), breaches, ..self }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A level at which the client's TTFT error is so many milliseconds, and the raw reader's none.
    pub(crate) fn level(ttft_ms: f64, mean_gap_error: f64, stall_ms: f64) -> Level {
        let spread = |ms| Spread { n: 100, p50_ms: ms, p99_ms: ms, max_ms: ms };
        let side = |ttft, mean_gap_error, stall| Side {
            ttft_error: spread(ttft),
            gap_error: spread(0.1),
            mean_gap_error,
            stall_error: spread(stall),
            cpu_s_per_million_events: Some(1.0),
        };
        let level = Level {
            streams: 8,
            client: side(ttft_ms, mean_gap_error, stall_ms),
            raw: side(0.0, 0.0, 0.0),
            send_lag: spread(0.1),
            cpu_headroom: Some(0.5),
            peak_memory_bytes: Some(1),
            machine_busy: false,
            breaches: Vec::new(),
        };
        level.judged()
    }

    #[test]
    fn each_bound_is_named_when_it_is_missed() {
        assert_eq!(level(0.1, 0.005, 1.0).breaches, Vec::<String>::new());
        assert_eq!(level(0.4, 0.0, 0.0).breaches, ["TTFT error p50 is 0.40 ms, more than 0.3 ms"]);
        assert_eq!(level(0.1, 0.02, 0.0).breaches, ["mean chunk gap is 2.00% off, more than 1%"]);
        assert_eq!(
            level(0.1, 0.0, 5.0).breaches,
            ["the error of a stall of 300 ms, p99, is 5.00 ms, more than 2 ms"]
        );
    }

    #[test]
    fn one_run_in_three_that_was_disturbed_is_no_breach() {
        let runs = [level(0.1, 0.0, 0.1), level(9.0, 0.5, 40.0), level(0.2, 0.0, 0.3)];
        let median = Level::median(&runs).unwrap();
        assert_eq!((median.client.ttft_error.p50_ms, median.client.ttft_error.n), (0.2, 300));
        assert_eq!(median.breaches, Vec::<String>::new());
        assert_eq!(Level::median(&[]), None);
    }
}
