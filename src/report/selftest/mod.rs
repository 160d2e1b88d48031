//! The self-test of the instrument, for people and programs.

mod table;

use serde::Serialize;

use crate::instrument::Timers;
use crate::instrument::bounds::{self, Bound};
use crate::instrument::selftest::{Capacity, Found, Level};
use crate::provenance::{Machine, Versions};

/// The version of [`SelfTest`]'s form; its schema is `fixtures/schemas/selftest.v1.json`.
pub const SELFTEST_SCHEMA_VERSION: u32 = 1;

/// The self-test as JSON. Times are in the units that the keys name; what is not known is null, never 0.
#[derive(Debug, Clone, Serialize)]
pub struct SelfTest {
    /// The version of this form.
    pub schema_version: u32,
    /// Whether every bound was kept.
    pub within_bounds: bool,
    /// The bounds that were missed, in words.
    pub breaches: Vec<String>,
    /// Whether the raw reader itself missed bounds: the machine was busy, and the errors are hardly the lab's.
    pub machine_busy: bool,
    /// What is good enough.
    pub bounds: Bounds,
    /// The machine that measured.
    pub machine: Machine,
    /// The software that measured.
    pub versions: Versions,
    /// How often everything was measured; every figure is the median of these.
    pub runs: u32,
    /// By number of streams.
    pub levels: Vec<Level>,
    /// How late timers ring.
    pub timers: Option<Timers>,
    /// What one process can do.
    pub capacity: Capacity,
}

/// What is good enough.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Bounds {
    /// The error of the time to first token at half of the answers.
    pub ttft_error_p50_ms: f64,
    /// At 99 of 100.
    pub ttft_error_p99_ms: f64,
    /// How far the mean gap may be off, as a share of it.
    pub mean_gap_error: f64,
    /// The error of a stall of 300 ms at 99 of 100 answers.
    pub stall_error_p99_ms: f64,
    /// How much more than the raw reader's error an error may be where that misses the bound.
    pub over_raw_ms: f64,
}

impl Bounds {
    fn of_selftest() -> Self {
        let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
        let Bound { p50, p99 } = bounds::SELFTEST;
        Self {
            ttft_error_p50_ms: ms(p50),
            ttft_error_p99_ms: ms(p99),
            mean_gap_error: bounds::MEAN_GAP,
            stall_error_p99_ms: ms(bounds::STALL),
            over_raw_ms: ms(bounds::OVER_RAW),
        }
    }
}

impl SelfTest {
    /// What was found, as it is shown.
    pub fn new(found: Found) -> Self {
        let breaches = found.breaches();
        Self {
            schema_version: SELFTEST_SCHEMA_VERSION,
            within_bounds: breaches.is_empty(),
            breaches,
            machine_busy: found.is_busy(),
            bounds: Bounds::of_selftest(),
            machine: Machine::here(),
            versions: Versions::here(),
            runs: found.runs,
            levels: found.levels,
            timers: found.timers,
            capacity: found.capacity,
        }
    }

    /// As tables, and what follows.
    pub fn text(&self) -> String {
        let runs = if self.runs == 1 { "one run".into() } else { format!("medians of {} runs", self.runs) };
        let mut lines = vec![
            format!(
                "The instrument against known truth · {} cores, {} · {runs}",
                self.machine.cores, self.machine.cpu
            ),
            "First token at 100 ms, then one every 10 ms, 64 in all; what is reported beyond the truth:"
                .into(),
            table::levels(&self.levels),
            String::new(),
            table::capacity(&self.capacity),
        ];
        lines.extend(self.timers.as_ref().map(table::timers));
        lines.push(
            "n: answers of each reader. * fewer than 100: a p99 is little more than the largest.".into(),
        );
        if self.machine_busy {
            lines.push(
                "The machine was busy: the raw reader, which only counts and stamps, is off by more than the bounds as well."
                    .into(),
            );
        }
        lines.extend(self.breaches.iter().map(|breach| format!("MISSED at {breach}")));
        if self.within_bounds {
            lines.push(self.kept());
        }
        lines.join("\n")
    }

    fn kept(&self) -> String {
        let Bounds { ttft_error_p50_ms: p50, ttft_error_p99_ms: p99, .. } = self.bounds;
        let (gap, stall) = (self.bounds.mean_gap_error * 100.0, self.bounds.stall_error_p99_ms);
        let but = if self.machine_busy {
            format!(", or {} ms more than the raw reader", self.bounds.over_raw_ms)
        } else {
            String::new()
        };
        format!(
            "Within bounds: TTFT within {p50} ms at p50 and {p99} ms at p99, mean chunk gap within {gap}%, a stall of 300 ms within {stall} ms{but}."
        )
    }
}
