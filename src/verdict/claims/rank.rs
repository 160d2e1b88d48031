//! Which optimisation gains most on a task.

use serde::Serialize;

use super::judge::Measured;
use crate::experiment::{ArmSummary, GroupSummary};
use crate::stats::Interval;

/// The optimisations of a task, the one that gains most first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranking {
    /// The task.
    pub task: String,
    /// What the figures are: simulated, replayed or live.
    pub truth: String,
    /// The metric that is ranked by.
    pub metric: String,
    /// The optimisations.
    pub ranks: Vec<Ranked>,
}

/// An optimisation's place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranked {
    /// The toggle.
    pub toggle: String,
    /// Its place from 1; those that the data cannot tell from the best of theirs share it.
    pub rank: usize,
    /// By which share the metric's mean falls, with its 95% interval.
    pub reduction: Interval,
    /// The rounds.
    pub n: usize,
}

impl Ranking {
    /// Whether `toggle` is ranked.
    pub fn has(&self, toggle: &str) -> bool {
        self.ranks.iter().any(|ranked| ranked.toggle == toggle)
    }

    /// Whether `toggle` stands first, alone or with others.
    pub fn first_are(&self, toggle: &str) -> bool {
        self.ranks.iter().any(|ranked| ranked.rank == 1 && ranked.toggle == toggle)
    }
}

/// Ranks the arms of groups that compare single optimisations with an unoptimised task, by one metric.
pub fn rank(measured: &[Measured], metric: &str) -> Vec<Ranking> {
    measured.iter().filter_map(|group| ranking(group, metric)).collect()
}

/// By which share of the control's mean an arm's is lower, with its 95% interval, and the rounds. A cache answers some
/// rounds at once and others not at all sooner: their mean is what a user waits, and a mean of ratios is not.
pub fn mean_reduction(summary: &GroupSummary, arm: &ArmSummary, metric: &str) -> Option<(Interval, usize)> {
    let paired = arm.metrics.get(metric)?.versus_control?;
    let control = summary.arms.iter().find(|other| other.name == summary.control && other.x == arm.x)?;
    let mean = control.metrics.get(metric)?.summary.mean;
    Some((paired.difference.map(|saving| saving / mean), paired.n))
}

fn ranking(measured: &Measured, metric: &str) -> Option<Ranking> {
    let summary = &measured.summary;
    let single = summary.arms.iter().filter(|arm| !arm.name.contains('+') && arm.name != summary.control);
    let mut ranks: Vec<_> = single
        .filter_map(|arm| {
            let (reduction, n) = mean_reduction(summary, arm, metric)?;
            Some(Ranked { toggle: arm.name.clone(), rank: 0, reduction, n })
        })
        .collect();
    ranks.sort_by(|a, b| b.reduction.estimate.total_cmp(&a.reduction.estimate));
    let mut leader: Option<(usize, f64)> = None;
    for (place, ranked) in (1..).zip(&mut ranks) {
        let (rank, low) = match leader {
            Some((rank, low)) if ranked.reduction.high >= low => (rank, low),
            _ => (place, ranked.reduction.low),
        };
        leader = Some((rank, low));
        ranked.rank = rank;
    }
    let task = summary.name.rsplit('/').next().unwrap_or(&summary.name).to_owned();
    (!ranks.is_empty()).then(|| Ranking { task, truth: measured.truth.clone(), metric: metric.into(), ranks })
}
