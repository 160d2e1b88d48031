//! All that is asked about routing, in one call.

use std::sync::Arc;

use super::break_even::{Times, crossing, measured, savings, small_share};
use super::{SIMPLE_PERCENT, by_complexity, share};
use crate::experiment::{self, GroupSummary, RunError};
use crate::session::Session;

/// What the routing groups showed.
#[derive(Debug, Clone, PartialEq)]
pub struct RoutingComparison {
    /// Every strategy by complexity.
    pub by_complexity: GroupSummary,
    /// `routed` against `direct_large` over the share of simple prompts.
    pub share: GroupSummary,
    /// The measured times of a router's parts, with their break-even.
    pub times: Option<Times>,
    /// The share of prompts that `routed` sent to the small model.
    pub small_share: Option<f64>,
    /// The percentage of simple prompts from which routing saves time, as measured over the sweep.
    pub crossing_percent: Option<f64>,
}

/// Compares the strategies over `runs` rounds and one to warm up.
///
/// # Errors
/// When an arm fails for good.
pub async fn compare(session: &Arc<Session>, runs: u32) -> Result<RoutingComparison, RunError> {
    let by_complexity = experiment::compare(session, by_complexity(), runs).await?;
    let share = experiment::compare(session, share(&SIMPLE_PERCENT), runs).await?;
    Ok(RoutingComparison {
        times: measured(&by_complexity),
        small_share: small_share(&by_complexity),
        crossing_percent: crossing(&savings(&share)),
        by_complexity,
        share,
    })
}
