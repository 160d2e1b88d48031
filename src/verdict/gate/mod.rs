//! The gate: is a new run slower than a baseline, or is it noise?
//!
//! *Simulated and replayed* runs see the same noise round by round, so each round's value is paired with the
//! same round of the baseline and the absolute change is judged, against a margin of 1% or the instrument's
//! own error. *Live* runs drift: a provider is slower in the afternoon. There an arm is judged by its ratio to
//! the control of the same round, and runs are the replicates, because what drifts drifts between runs:
//! `variance = within + τ²(1/R₀ + 1)` (Kalibera & Jones 2013), τ² pooled over the benchmarks. Both use
//! 10%-trimmed means of logarithms. The p-values of all gated benchmarks are adjusted together (Holm 1979).
//!
//! What moves everything at once, and a control that moved by itself, are found first and reported as what
//! they are.

mod estimate;
mod judge;
mod live;
mod looks;
mod shift;

pub use judge::judge;
pub use looks::judge_in_looks;

use serde::Serialize;

use crate::metric::Unit;
use crate::stats::Interval;

/// The chance of a false alarm that a gate of unchanged benchmarks has at most.
pub const ALPHA: f64 = 0.05;
/// How often suspects are measured again, at most, unless told otherwise.
pub const CONFIRMING_RUNS: usize = 12;
/// The power with which a change is called detectable.
pub const POWER: f64 = 0.9;

/// How changes are estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Round by round against the baseline: simulated and replayed runs.
    Paired,
    /// The arm's ratio to its control, run by run: live runs.
    Ratio,
}

/// One benchmark in both runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The benchmark's id.
    pub id: String,
    /// The metric's name.
    pub metric: String,
    /// The unit of all values.
    pub unit: Unit,
    /// Whether its decision counts; others are judged for information.
    pub gated: bool,
    /// The id of the control's benchmark of the same metric; absent for the control itself.
    pub control: Option<String>,
    /// The largest slowdown that passes, as a fraction: 0.1 for 10%.
    pub limit: f64,
    /// Values of the baseline, by run and round.
    pub baseline: Vec<Vec<f64>>,
    /// Values of the new run and of those that confirm it, by run and round. They count as one sitting: what
    /// drifts between runs had no time to.
    pub new: Vec<Vec<f64>>,
    /// Whether an earlier look left it a suspect. At [`Stage::Again`] nothing else may fail.
    pub suspect: bool,
}

/// What a gate is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// How changes are estimated.
    pub kind: Kind,
    /// A benchmark that could not show a change of this fraction is inconclusive.
    pub detect: f64,
    /// Where in the confirmation this judgement stands.
    pub stage: Stage,
}

/// Whether suspects are measured again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// One judgement, and no second look.
    Only,
    /// The first look: it names suspects, and nothing fails.
    First,
    /// A further look, at suspects alone. Until the last one only what is beyond doubt fails (p < 0.001, the
    /// boundary of Haybittle 1971 and Peto 1976), and who no longer looks slow is cleared: neither makes false
    /// alarms more likely than one look at the end would.
    Again {
        /// Whether it is the last.
        last: bool,
    },
}

/// How one benchmark ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "decision")]
pub enum Decision {
    /// No change that matters.
    Pass,
    /// Faster than the baseline, by at least the limit.
    Improved,
    /// Slower than the baseline, by at least the limit.
    Regression,
    /// A change that matters could have gone unseen.
    Inconclusive {
        /// Further samples of the new run that would decide it; absent where only more runs of the baseline
        /// would.
        #[serde(skip_serializing_if = "Option::is_none")]
        more: Option<usize>,
    },
    /// A live baseline of too few runs cannot tell.
    Uncalibrated,
}

/// One benchmark, judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// The benchmark's id.
    pub id: String,
    /// The metric's name.
    pub metric: String,
    /// The unit of `before` and `after`.
    pub unit: Unit,
    /// Whether the decision counts.
    pub gated: bool,
    /// How it ended.
    #[serde(flatten)]
    pub decision: Decision,
    /// Samples in the baseline, all runs together.
    pub n_baseline: usize,
    /// New samples, all runs together.
    pub n_new: usize,
    /// The median in the baseline.
    pub before: f64,
    /// The median now.
    pub after: f64,
    /// The change that was judged, as a fraction of the baseline with its 95% interval; for live runs the
    /// change of the ratio to the control. Absent for a live control.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Interval>,
    /// The p-value of "slower", adjusted over all gated benchmarks; absent where nothing was tested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// The smallest slowdown that would have been seen with a chance of 90%, as a fraction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detectable: Option<f64>,
    /// The largest slowdown that passes, as a fraction.
    pub limit: f64,
    /// Whether it is worth measuring again before it fails.
    pub suspect: bool,
    /// What else is to be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What moved everything alike.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shared {
    /// The shift as a fraction of the baseline.
    pub change: Interval,
    /// Over this many benchmarks.
    pub benchmarks: usize,
    /// How it is judged: a shift of live runs is drift, and passes.
    #[serde(flatten)]
    pub decision: Decision,
}

/// A gate's judgement of a whole run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// How changes were estimated.
    pub kind: Kind,
    /// Every benchmark, in the order of the baseline.
    pub benchmarks: Vec<Judged>,
    /// What moved everything alike; absent where nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<Shared>,
    /// The standard deviation between runs of a live baseline, as a fraction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub between_runs: Option<f64>,
    /// Whether the baseline has the runs that its kind needs.
    pub calibrated: bool,
}

/// The gate's answer, in the order of its exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing got slower.
    Pass,
    /// Something did.
    Regression,
    /// It could not be told.
    Inconclusive,
}

impl Verdict {
    /// What all benchmarks come to. A regression outweighs doubt about another benchmark.
    pub fn outcome(&self) -> Outcome {
        let gated = self.benchmarks.iter().filter(|judged| judged.gated).map(|judged| judged.decision);
        let mut decisions = gated.chain(self.shared.as_ref().map(|shared| shared.decision));
        if decisions.clone().any(|decision| decision == Decision::Regression) {
            Outcome::Regression
        } else if decisions.any(|decision| matches!(decision, Decision::Inconclusive { .. })) {
            Outcome::Inconclusive
        } else {
            Outcome::Pass
        }
    }

    /// The benchmarks that are worth measuring again before they fail.
    pub fn suspects(&self) -> impl Iterator<Item = &Judged> {
        self.benchmarks.iter().filter(|judged| judged.suspect)
    }
}
