//! Times in three numbers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::stats::{median, quantile, sorted};

/// How times are spread, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// How many there are.
    pub n: usize,
    /// Their median.
    pub p50_ms: f64,
    /// Their 99th percentile; of fewer than a hundred, little more than the largest.
    pub p99_ms: f64,
    /// The largest.
    pub max_ms: f64,
}

impl Spread {
    /// How `times` are spread. Absent where there is none.
    pub fn of(times: &[Duration]) -> Option<Self> {
        let sorted = sorted(&times.iter().map(|time| time.as_secs_f64() * 1e3).collect::<Vec<_>>());
        Some(Self {
            n: sorted.len(),
            p50_ms: quantile(&sorted, 0.5)?,
            p99_ms: quantile(&sorted, 0.99)?,
            max_ms: quantile(&sorted, 1.0)?,
        })
    }

    /// The medians of each number over several runs, and how many times there were in all of them.
    pub(super) fn median(runs: &[Self]) -> Option<Self> {
        let of = |number: fn(&Self) -> f64| median(&sorted(&runs.iter().map(number).collect::<Vec<_>>()));
        Some(Self {
            n: runs.iter().map(|run| run.n).sum(),
            p50_ms: of(|run| run.p50_ms)?,
            p99_ms: of(|run| run.p99_ms)?,
            max_ms: of(|run| run.max_ms)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_medians_of_runs_stand_for_them() {
        let run = |ms: u64| Spread::of(&[ms, ms, 10 * ms].map(Duration::from_millis)).unwrap();
        let median = Spread::median(&[run(1), run(9), run(2)]).unwrap();
        assert_eq!((median.n, median.p50_ms, median.max_ms), (9, 2.0, 20.0));
        assert_eq!((Spread::of(&[]), Spread::median(&[])), (None, None));
    }
}
