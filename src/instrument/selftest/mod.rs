//! The lab's error against known truth, at one number of streams after the other, and what it costs.

mod capacity;
mod level;

pub use capacity::{Capacity, FlatOut, OneToken, Rate};
pub use level::{Level, Side};

use super::Timers;
use super::check::CheckError;

/// Waits by which timers are judged.
const WAITS: u32 = 50;

/// What is measured, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The numbers of streams.
    pub streams: Vec<usize>,
    /// How often everything is measured; medians of these are what is found.
    pub runs: u32,
    /// Answers of each stream; as many as give every level a few, unless it was said.
    pub requests: Option<usize>,
    /// Whether as little is measured as says anything.
    pub quick: bool,
    /// The core that the truth server stays on.
    pub server_core: Option<usize>,
}

/// What was found.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Found {
    /// How often everything was measured.
    pub runs: u32,
    /// By number of streams, in ascending order.
    pub levels: Vec<Level>,
    /// How late timers ring.
    pub timers: Option<Timers>,
    /// What one process can do.
    pub capacity: Capacity,
}

impl Found {
    /// Every bound that was missed, in words; none where the lab keeps its promise.
    pub fn breaches(&self) -> Vec<String> {
        let named = |level: &Level| {
            let streams = level.streams;
            level
                .breaches
                .iter()
                .map(move |breach| format!("{streams} streams: {breach}"))
                .collect::<Vec<_>>()
        };
        self.levels.iter().flat_map(named).collect()
    }

    /// Whether the raw reader misses the bounds anywhere, which only a busy machine explains.
    pub fn is_busy(&self) -> bool {
        self.levels.iter().any(|level| level.machine_busy)
    }
}

/// Measures, and tells `watch` what comes next.
///
/// # Errors
/// When there is no truth server, or a request fails.
pub async fn run(options: &Options, watch: &mut dyn FnMut(&str)) -> Result<Found, CheckError> {
    let mut streams = options.streams.clone();
    // Memory only grows: each number of streams is to find no more of it than it needs.
    streams.sort_unstable();
    streams.dedup();
    watch("timers");
    let timers = Timers::measure(WAITS).await;
    let mut levels = Vec::new();
    for &streams in &streams {
        let mut runs = Vec::new();
        for run in 1..=options.runs {
            watch(&named(&format!("paced answers to {streams} streams"), run, options.runs));
            runs.push(Box::pin(level::measure(streams, options)).await?);
        }
        levels.push(Level::median(&runs).ok_or(CheckError::Nothing)?);
    }
    let mut capacities = Vec::new();
    for run in 1..=options.runs {
        watch(&named("capacity", run, options.runs));
        capacities.push(Box::pin(capacity::measure(options)).await?);
    }
    let capacity = Capacity::median(&capacities).ok_or(CheckError::Nothing)?;
    Ok(Found { runs: options.runs, levels, timers, capacity })
}

fn named(what: &str, run: u32, runs: u32) -> String {
    if runs == 1 { what.into() } else { format!("{what}, run {run} of {runs}") }
}

/// The median of a number over several runs. Absent where any of them lacks it.
fn median<T>(runs: &[T], number: impl Fn(&T) -> Option<f64>) -> Option<f64> {
    let numbers: Option<Vec<f64>> = runs.iter().map(number).collect();
    crate::stats::median(&crate::stats::sorted(&numbers?))
}
