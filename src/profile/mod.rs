//! Profiles of an endpoint: how long one request takes, how many it answers at once, which model is the fastest.
//!
//! [`Latency`], [`Throughput`] and [`Comparison`] each ask what their plan says and keep what came of it outside the
//! future that asks: when that is dropped, at Ctrl-C say, [`found`](Latency::found) still has all that was measured. A
//! request that failed is counted and is in no latency; what is not known is absent.

mod asking;
mod compare;
mod counted;
mod latency;
mod level;
mod measurement;
mod provider;
mod scaling;
mod statistics;
mod throughput;
mod token_sweep;

pub use asking::Asking;
pub use compare::{Compared, Comparison, ComparisonFound, ComparisonPlan, ComparisonSummary, ENOUGH_SUCCESS};
pub use counted::Counted;
pub use latency::{Latency, LatencyFound, LatencyPlan, LatencyStep, LatencySummary, SucceededSummary};
pub use level::Level;
pub use measurement::{Measurement, errors};
pub use provider::{Providers, Said, UnknownProvider};
pub use scaling::{Optimum, Point, Scaling};
pub use statistics::Statistics;
pub use throughput::{Throughput, ThroughputFound, ThroughputPlan, ThroughputStep};
pub use token_sweep::{TokenLevel, TokenSweep};

use std::sync::{Mutex, MutexGuard, PoisonError};

fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// So many of so many in percent; 0 of none.
fn percent(count: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { count as f64 / of as f64 * 100.0 }
}
