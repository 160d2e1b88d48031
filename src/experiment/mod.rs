//! Arms side by side: what is compared, and the rounds that compare it.
//!
//! A [`Group`] is a question with [`Arm`]s as its possible answers, one of them the control. [`Rounds`] asks
//! every arm once a round, in an order drawn afresh, so that what drifts drifts for all of them and every
//! comparison is paired. Whoever pulls the rounds decides how many: Criterion as it wants samples, a command
//! until the verdict is clear, a job until it is cancelled, a test twice.
//!
//! A [`Workload`] is what an arm does. It sends requests only through its [`Draw`] and returns an
//! [`Observation`]; only [`Rounds`] decides whether that counts.

mod draw;
mod fitted;
mod group;
mod loaded;
mod rounds;
mod summary;
mod tally;

pub use draw::{Answer, Draw};
pub use group::{Arm, CacheState, Conclude, Group, Known, Needs, Predict, Prediction, Remarks};
pub use loaded::{Loaded, under_load};
pub use rounds::{Round, Rounds, RunError, compare, plan};
pub use summary::{
    ArmSummary, CacheSummary, CostSummary, GroupSummary, MetricSummary, PredictedSaving,
    SUMMARY_SCHEMA_VERSION,
};
pub use tally::{Guard, Tally, TallySummary};

use std::borrow::Cow;
use std::collections::BTreeMap;

use futures::future::BoxFuture;

use crate::metric::Metric;
use crate::price::Usd;
use crate::session::{Demand, RequestRecord};
use crate::wire::{Ask, Usage};

/// What an arm does once in every round.
pub trait Workload: Send + Sync {
    /// Runs once. Every request goes through `draw`.
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>>;

    /// What one run asks of the target at most, in the given round; round 0 finds every cache cold.
    fn demand(&self, round: u32) -> Demand;
}

/// What one run of a workload showed.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// The metrics' values, each in its metric's unit. What is not defined is absent.
    pub values: BTreeMap<Metric, f64>,
    /// What was counted beside the times, by name: `false hits`.
    pub tallies: BTreeMap<Cow<'static, str>, Tally>,
    /// Tokens of the request that was observed, for cache rules and cost.
    pub usage: Option<Usage>,
    /// Every exchange, attempts that failed included. Filled in by [`Rounds`].
    pub requests: Vec<RequestRecord>,
    /// What all requests cost; absent when a price or a count is unknown. Filled in by [`Rounds`].
    pub cost: Option<Usd>,
}

impl Observation {
    /// What one answer showed.
    pub fn of(answer: &Answer) -> Self {
        Self { values: answer.values.clone(), usage: Some(answer.reply.usage), ..Self::default() }
    }

    /// One value of one's own.
    pub fn value(metric: Metric, value: f64) -> Self {
        Self { values: BTreeMap::from([(metric, value)]), ..Self::default() }
    }
}

/// A workload of one request: `ask` builds it, `demand` says what it takes at most in a given round.
pub fn asking<A, D>(ask: A, demand: D) -> impl Workload
where
    A: Fn(&Draw<'_>) -> Ask + Send + Sync,
    D: Fn(u32) -> Demand + Send + Sync,
{
    Asking { ask, demand }
}

struct Asking<A, D> {
    ask: A,
    demand: D,
}

impl<A, D> Workload for Asking<A, D>
where
    A: Fn(&Draw<'_>) -> Ask + Send + Sync,
    D: Fn(u32) -> Demand + Send + Sync,
{
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(async move { Ok(Observation::of(&draw.ask(&(self.ask)(draw)).await?)) })
    }

    fn demand(&self, round: u32) -> Demand {
        (self.demand)(round)
    }
}

/// A workload made of a function, for whatever one request cannot say.
pub struct FromFn<F>(F, Demand);

impl<F> FromFn<F>
where
    F: for<'a> Fn(&'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> + Send + Sync,
{
    /// A workload that runs `run` and takes at most `demand` in any round.
    pub fn new(run: F, demand: Demand) -> Self {
        Self(run, demand)
    }
}

impl<F> std::fmt::Debug for FromFn<F> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("FromFn").field(&self.1).finish_non_exhaustive()
    }
}

impl<F> Workload for FromFn<F>
where
    F: for<'a> Fn(&'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> + Send + Sync,
{
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        (self.0)(draw)
    }

    fn demand(&self, _round: u32) -> Demand {
        self.1
    }
}
