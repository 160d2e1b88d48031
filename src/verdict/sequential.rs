//! Whether to go on measuring, and what the rounds so far say.

use serde::{Deserialize, Serialize};

use crate::stats::Interval;

/// What the rounds say of one metric of one arm against its control.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It costs less than the control.
    Faster,
    /// It costs more than the control.
    Slower,
    /// The whole interval lies within this share of the control.
    NoDifferenceLargerThan {
        /// The share, such as 0.1.
        margin: f64,
    },
    /// The interval spans too much to say.
    NotEnoughData {
        /// About how many more rounds would do; absent when there is too little to tell.
        more_rounds: Option<u32>,
    },
}

/// How an interval was made, which decides what it promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntervalKind {
    /// Valid whenever one looks: [`crate::stats::Sequence`].
    AnytimeValid,
    /// Student's t, valid for a number of rounds that was fixed before.
    Student,
}

/// A verdict with the interval that it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The group.
    pub group: String,
    /// The arm.
    pub arm: String,
    /// Its position on the sweep.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub x: Option<f64>,
    /// The arm that it is compared with.
    pub control: String,
    /// The metric's name.
    pub metric: String,
    /// Whether it is the group's primary metric, the one that decides when to stop.
    pub primary: bool,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The geometric mean of arm by control, below 1 when the arm costs less; absent where the rounds give
    /// no interval.
    pub ratio: Option<Interval>,
    /// How the interval was made.
    pub interval: IntervalKind,
    /// The share of intervals that hold the true ratio, such as 0.96.
    pub confidence: f64,
    /// Rounds that the interval rests on: those up to the one that decided.
    pub rounds: usize,
}
