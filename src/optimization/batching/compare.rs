//! The client's side in one call.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fan_out::{PARALLEL, SEQUENTIAL, fan_out};
use crate::experiment::{self, RunError};
use crate::metric::Metric;
use crate::session::Session;

/// Prompts one after another and all at once, in medians over the rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BatchComparison {
    /// Milliseconds until all are answered, one after another.
    pub sequential_ms: f64,
    /// Milliseconds until all are answered, sent at once.
    pub parallel_ms: f64,
    /// The share of the time that is saved, in percent.
    pub improvement_pct: f64,
    /// How many times faster that is.
    pub speedup: f64,
}

/// Compares so many prompts sent one after another and all at once, over `runs` rounds and one to warm up.
///
/// # Errors
/// When an arm fails for good, or the target cannot stream.
///
/// ```
/// # use std::sync::Arc;
/// use llmlab::optimization::batching;
/// use llmlab::session::Session;
/// use llmlab::settings::Settings;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let session = Arc::new(Session::start(Settings::simulated()).await?);
/// let batch = batching::compare(&session, 5, 3).await?;
/// println!("{:.1}x faster, {:.0}% less time", batch.speedup, batch.improvement_pct);
/// assert!(batch.speedup > 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn compare(session: &Arc<Session>, prompts: u32, runs: u32) -> Result<BatchComparison, RunError> {
    let summary = experiment::compare(session, fan_out(&[prompts.max(1)]), runs).await?;
    let makespan = |name: &str| {
        let arm = summary.arms.iter().find(|arm| arm.name == name);
        let median =
            arm.and_then(|arm| arm.metrics.get(Metric::MAKESPAN.name())).map(|metric| metric.summary.p50);
        median.ok_or_else(|| RunError::Workload(format!("the target cannot run the arm `{name}`")))
    };
    let (sequential, parallel) = (makespan(SEQUENTIAL)?, makespan(PARALLEL)?);
    Ok(BatchComparison {
        sequential_ms: sequential / 1e6,
        parallel_ms: parallel / 1e6,
        improvement_pct: (1.0 - parallel / sequential) * 100.0,
        speedup: sequential / parallel,
    })
}
