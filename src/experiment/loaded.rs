//! Many requests in one turn of an arm: a level of load is one observation.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;

use super::{Answer, Draw, Observation, RunError, Tally};
use crate::client::Failure;
use crate::load::{Schedule, Slo, drive};
use crate::metric::{Metric, Unit};
use crate::session::AskError;
use crate::stats;
use crate::wire::Ask;

/// A request that leaves so many nanoseconds after its time makes the load another one than intended...
const LATE: f64 = 5e6;
/// ...or, where that is more, so large a share of the median TTFT.
const LATE_OF_TTFT: f64 = 0.05;

/// A load that has been run: what became of its requests.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// From the start until nothing was under way any more.
    pub makespan: Duration,
    /// Whether requests had times to keep.
    pub open: bool,
    /// The answers.
    pub answers: Vec<Answer>,
    /// Why the others got none; what was tried again and answered is not among them.
    pub failures: Vec<Failure>,
}

/// What is asked, by the request's number in its load.
type Asking<'a> = &'a (dyn Fn(&Draw<'_>, u32) -> Ask + Send + Sync);

/// Runs `schedule`: each request is a [branch](Draw::branch) of the turn, numbered from 0 in the order of its start.
/// A request that failed for good is one of the load's failures and ends nothing else.
///
/// # Errors
/// When no further request may be sent: the budget is spent, say.
pub async fn under_load(draw: &Draw<'_>, schedule: &Schedule, ask: Asking<'_>) -> Result<Loaded, RunError> {
    let start = Instant::now();
    let outcomes = drive(schedule, &|number, intended| one(draw, ask, number, intended)).await?;
    let makespan = start.elapsed();
    let open = matches!(schedule, Schedule::Open(_));
    let mut loaded = Loaded { makespan, open, answers: Vec::new(), failures: Vec::new() };
    for outcome in outcomes {
        match outcome {
            Ok(answer) => loaded.answers.push(answer),
            Err(failure) => loaded.failures.push(failure),
        }
    }
    Ok(loaded)
}

type Outcome = Result<Answer, Failure>;

fn one<'a>(
    draw: &'a Draw<'_>,
    ask: Asking<'a>,
    number: u32,
    intended: Instant,
) -> BoxFuture<'a, Result<Outcome, AskError>> {
    Box::pin(async move {
        let branch = draw.branch(number);
        match branch.ask_since(&ask(&branch, number), intended).await {
            Ok(answer) => Ok(Ok(answer)),
            Err(AskError::Failed { failure, .. }) => Ok(Err(failure)),
            Err(error) => Err(error),
        }
    })
}

impl Loaded {
    /// Requests under way on average, one of the values of an [observation](Self::observation): throughput times mean
    /// latency (Little 1961).
    pub fn under_way() -> Metric {
        Metric::new("under_way", Unit::Count)
    }

    /// Tallied: requests that failed.
    pub const FAILED: &'static str = "failed";
    /// Tallied: answers within the bounds of the [`Slo`].
    pub const GOOD: &'static str = "good";
    /// Tallied, of an open loop: requests that left more than 5 ms, or 5% of the median TTFT, after their time.
    pub const SENT_LATE: &'static str = "sent late";

    /// The values of `metric`, of the answers that define it.
    pub fn values(&self, metric: &Metric) -> Vec<f64> {
        self.answers.iter().filter_map(|answer| answer.values.get(metric).copied()).collect()
    }

    /// The load as one observation: medians and 95th percentiles over its answers, failures counted and in no
    /// latency; how many were good, where bounds are given.
    pub fn observation(&self, slo: Option<Slo>) -> Observation {
        let mut observation = Observation::default();
        let mut note = |metric: Metric, value: Option<f64>| {
            value.map(|value| observation.values.insert(metric, value));
        };
        let makespan = self.makespan.as_nanos() as f64;
        let answered = self.answers.len() as f64;
        note(Metric::MAKESPAN, Some(makespan));
        note(Metric::TIME_PER_REQUEST, (answered > 0.0).then(|| makespan / answered));
        let times = self.values(&Metric::TOTAL);
        let mean = times.iter().sum::<f64>() / times.len() as f64;
        note(Self::under_way(), Some(stats::little(times.len() as f64 / makespan, mean)));
        for metric in [Metric::TTFT, Metric::TPOT, Metric::TOTAL, Metric::RESPONSE_TIME] {
            let median = self.quantile(&metric, 0.5);
            note(metric, median);
        }
        note(Metric::TOTAL_P95, self.quantile(&Metric::TOTAL, 0.95));
        note(Metric::RESPONSE_P95, self.quantile(&Metric::RESPONSE_TIME, 0.95));
        observation.tallies = self.tallies(slo);
        observation
    }

    fn quantile(&self, metric: &Metric, q: f64) -> Option<f64> {
        stats::quantile(&stats::sorted(&self.values(metric)), q)
    }

    fn tallies(&self, slo: Option<Slo>) -> BTreeMap<Cow<'static, str>, Tally> {
        let all = (self.answers.len() + self.failures.len()) as u64;
        let among = |holds: &dyn Fn(&Answer) -> bool| {
            Tally::share(self.answers.iter().filter(|answer| holds(answer)).count() as u64, all)
        };
        let value = |answer: &Answer, metric: &Metric| answer.values.get(metric).copied();
        // What is not streamed is first seen when it is complete.
        let seen = |answer: &Answer| {
            let first = value(answer, &Metric::TTFT_RESPONSE);
            first.or_else(|| value(answer, &Metric::RESPONSE_TIME))
        };
        let is_good = |slo: Slo| move |answer: &Answer| slo.met(seen(answer), value(answer, &Metric::TPOT));
        let good = slo.map(|slo| (Self::GOOD, among(&is_good(slo))));
        let allowed = self.quantile(&Metric::TTFT, 0.5).map_or(LATE, |ttft| LATE.max(LATE_OF_TTFT * ttft));
        let late = among(&|answer| value(answer, &Metric::SEND_LAG).is_some_and(|lag| lag > allowed));
        let failed = Tally::share(self.failures.len() as u64, all);
        let tallies = [(Self::FAILED, failed)]
            .into_iter()
            .chain(good)
            .chain(self.open.then_some((Self::SENT_LATE, late)));
        tallies.map(|(name, tally)| (name.into(), tally)).collect()
    }
}
