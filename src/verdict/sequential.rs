//! Whether to go on measuring, and what the rounds so far say.
//!
//! A run looks after every round and stops when it has seen enough. Looking often finds what is not there,
//! unless the interval allows for it: the one here ([`Sequence`]) holds the true ratio after every round at
//! once in 96 of 100 runs. So each comparison is judged after every round from the fifth on, the first
//! interval that decides is kept with its verdict, and what later rounds add for the sake of other
//! comparisons does not change it. A group stops when every comparison of its primary metric is decided.
//! Since the promise holds for any rule of stopping, one arm's verdict is wrong no more often because others
//! were waited for; the promise is each comparison's own, and of many comparisons more than one may be wrong.

use serde::{Deserialize, Serialize};

use crate::stats::{self, Interval, Moments, Sequence};

/// Rounds below which nothing is decided.
const LEAST_ROUNDS: usize = 5;
/// Beyond so many more rounds, how many would do is not said.
const MOST_MORE: usize = 100_000;

/// How rounds are judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Differences inside this share of the control, either way, do not matter; between 0 and 1.
    pub margin: f64,
    /// How intervals are made.
    pub interval: IntervalKind,
}

/// What the rounds say of one comparison, with the interval that says it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The geometric mean of arm by control with its interval.
    pub ratio: Option<Interval>,
    /// Rounds that it rests on.
    pub rounds: usize,
}

impl Rule {
    /// Differences of less than a tenth do not matter.
    pub const DEFAULT_MARGIN: f64 = 0.1;

    /// The rule of a run that looks after every round.
    pub fn anytime(margin: f64) -> Self {
        Self { margin, interval: IntervalKind::AnytimeValid }
    }

    /// The rule of a run whose number of rounds was fixed before.
    pub fn fixed(margin: f64) -> Self {
        Self { margin, interval: IntervalKind::Student }
    }

    /// The share of intervals that hold the true ratio.
    pub fn confidence(&self) -> f64 {
        match self.interval {
            IntervalKind::AnytimeValid => Sequence::default().confidence(),
            IntervalKind::Student => 0.95,
        }
    }

    /// What the rounds `control[i]` and `arm[i]` say: the first interval that decides if one may look after
    /// every round, else the one interval over all of them. Values that have no logarithm decide nothing.
    pub fn judge(&self, control: &[f64], arm: &[f64]) -> Judgement {
        let undecided =
            Judgement { verdict: Verdict::NotEnoughData { more_rounds: None }, ratio: None, rounds: 0 };
        let Some(logs) = stats::log_ratios(control, arm) else { return undecided };
        if self.interval == IntervalKind::AnytimeValid {
            let looks = logs.iter().scan(Moments::default(), |moments, &log| {
                *moments = moments.and(log);
                Some(*moments)
            });
            let mut judged = looks.map(|moments| self.look(&moments));
            if let Some(decided) = judged.find(Judgement::is_decided) {
                return decided;
            }
        }
        self.look(&logs.into_iter().collect())
    }

    /// What these log ratios say.
    fn look(&self, logs: &Moments) -> Judgement {
        let half = logs.stdev().and_then(|stdev| self.half_width(logs.n(), stdev));
        let decided = half.and_then(|half| self.decide(logs.n(), logs.mean(), half));
        let verdict =
            decided.unwrap_or_else(|| Verdict::NotEnoughData { more_rounds: self.more_rounds(logs) });
        let mean = logs.mean();
        let ratio = half
            .map(|half| Interval { estimate: mean, low: mean - half, high: mean + half }.map(f64::exp))
            .filter(|ratio| ratio.high.is_finite());
        Judgement { verdict, ratio, rounds: logs.n() }
    }

    /// The verdict of an interval around a mean log ratio, if it decides. Inside the margin the difference
    /// does not matter, even where it is surely not 0.
    fn decide(&self, n: usize, mean: f64, half: f64) -> Option<Verdict> {
        let (low, high) = (mean - half, mean + half);
        if n < LEAST_ROUNDS || !half.is_finite() {
            None
        } else if low > (-self.margin).ln_1p() && high < self.margin.ln_1p() {
            Some(Verdict::NoDifferenceLargerThan { margin: self.margin })
        } else if high < 0.0 {
            Some(Verdict::Faster)
        } else if low > 0.0 {
            Some(Verdict::Slower)
        } else {
            None
        }
    }

    fn half_width(&self, n: usize, stdev: f64) -> Option<f64> {
        match self.interval {
            IntervalKind::AnytimeValid => Sequence::default().half_width(n, stdev),
            IntervalKind::Student => stats::half_width(n, stdev),
        }
    }

    /// How many more rounds would decide if they had the mean and the spread of those so far.
    fn more_rounds(&self, logs: &Moments) -> Option<u32> {
        let stdev = logs.stdev()?;
        let would_do = |more: usize| {
            let n = logs.n() + more;
            self.half_width(n, stdev).is_some_and(|half| self.decide(n, logs.mean(), half).is_some())
        };
        let bound =
            std::iter::successors(Some(1), |more| Some(more * 2)).take_while(|&more| more < MOST_MORE);
        let mut high = bound.into_iter().find(|&more| would_do(more))?;
        let mut low = high / 2;
        while high - low > 1 {
            let middle = low.midpoint(high);
            if would_do(middle) { high = middle } else { low = middle }
        }
        u32::try_from(high).ok()
    }
}

impl Judgement {
    /// Whether it says more than that there is not enough data.
    pub fn is_decided(&self) -> bool {
        self.verdict.is_decided()
    }
}

impl Verdict {
    /// Whether it says more than that there is not enough data.
    pub fn is_decided(&self) -> bool {
        !matches!(self, Self::NotEnoughData { .. })
    }
}

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
    /// Valid whenever one looks: [`Sequence`].
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
