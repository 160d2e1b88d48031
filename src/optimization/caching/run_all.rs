//! All that is asked about caching, in one call.

use std::sync::Arc;

use super::{PREFIX_TOKENS, prefix, warm_up};
use crate::experiment::{ArmSummary, GroupSummary, RunError, compare};
use crate::session::Session;

/// What every caching group showed.
#[derive(Debug, Clone, PartialEq)]
pub struct CachingResults {
    /// The request after each warm-up pattern, against the first one.
    pub warm_up: GroupSummary,
    /// Cached against uncached prompts.
    pub comparison: CachingComparison,
}

/// Cached against uncached prompts over the length of their prefix.
#[derive(Debug, Clone, PartialEq)]
pub struct CachingComparison {
    /// The cached arms, by length.
    pub cached_results: Vec<ArmSummary>,
    /// The uncached arms, by length.
    pub uncached_results: Vec<ArmSummary>,
}

/// Runs the warm-up patterns, and cached against uncached prompts, over `runs` rounds each and one to warm
/// up.
///
/// # Errors
/// When an arm fails for good.
///
/// ```
/// # use std::sync::Arc;
/// use llmlab::optimization::caching;
/// use llmlab::session::Session;
/// use llmlab::settings::Settings;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let session = Arc::new(Session::start(Settings::simulated()).await?);
/// let results = caching::run_all(&session, 2).await?;
/// let longest = results.comparison.cached_results.last().expect("a sweep has a last position");
/// let paired = longest.metrics["ttft"].versus_control.expect("two rounds compare");
/// assert!(paired.ratio.estimate < 1.0, "a cached prefix of 100,000 tokens begins sooner");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn run_all(session: &Arc<Session>, runs: u32) -> Result<CachingResults, RunError> {
    let warm_up = compare(session, warm_up(), runs).await?;
    let comparison = compare(session, prefix(&PREFIX_TOKENS), runs).await?;
    let (uncached_results, cached_results) =
        comparison.arms.into_iter().partition(|arm| arm.name == comparison.control);
    Ok(CachingResults { warm_up, comparison: CachingComparison { cached_results, uncached_results } })
}
