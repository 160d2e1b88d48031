//! How many requests an endpoint answers at once: one level of concurrency, or several.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use serde::Serialize;

use super::asking::{Asking, place};
use super::{Counted, Level, Measurement, Point, Providers, Scaling, lock, percent};
use crate::load::{Schedule, drive};
use crate::session::{AskError, Estimate, Session};
use crate::stats::Percentiles;

/// The profile's name in records.
const NAME: &str = "throughput";
/// A level tells how far it is so many times.
const TOLD: u32 = 20;

/// What to ask, how often, and how much of it at once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ThroughputPlan {
    /// The question.
    #[serde(flatten)]
    pub asking: Asking,
    /// The model.
    pub model: String,
    /// Requests of each level.
    pub requests: u32,
    /// Requests under way at once, level by level, in ascending order.
    pub levels: Vec<u32>,
    /// Whether the levels are a sweep.
    pub sweep: bool,
    /// Seconds between two levels.
    #[serde(rename = "pause_s", serialize_with = "seconds")]
    pub pause: Duration,
    /// How percentiles are read.
    pub percentiles: Percentiles,
    /// The 95th percentile of the latency that the best level may have at most, in milliseconds.
    pub slo_p95_ms: Option<f64>,
}

impl ThroughputPlan {
    /// What it sends and costs at most.
    pub fn estimate(&self, session: &Session) -> Estimate {
        let requests = u64::from(self.requests) * self.levels.len() as u64;
        self.asking.estimate(session, std::slice::from_ref(&self.model), requests)
    }
}

fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

/// What happens in a throughput profile.
#[derive(Debug)]
pub enum ThroughputStep<'a> {
    /// A level begins.
    Level(u32),
    /// So many requests of a level have ended.
    Progress {
        /// Requests that ended.
        done: u32,
        /// Requests of the level.
        of: u32,
        /// Percent of them that succeeded.
        success_rate: f64,
        /// Requests a second so far.
        rps: f64,
    },
    /// A level has ended.
    Done(&'a Level),
}

type Tell<'a> = dyn Fn(ThroughputStep<'_>) + Sync + 'a;

/// A throughput profile and what it has measured so far.
#[derive(Debug)]
pub struct Throughput {
    plan: ThroughputPlan,
    provider: String,
    taken: Mutex<Vec<Taken>>,
}

/// What a level has measured so far.
#[derive(Debug, Clone)]
struct Taken {
    concurrency: u32,
    started: Instant,
    lasted: Duration,
    succeeded: u32,
    measurements: Vec<Measurement>,
}

/// What a throughput profile found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ThroughputFound {
    /// What was asked.
    pub plan: ThroughputPlan,
    /// The levels that were begun, as far as they came.
    pub levels: Vec<Level>,
    /// How often each error came, at any level.
    pub errors: BTreeMap<String, usize>,
    /// What the levels of a sweep show together.
    pub scaling: Option<Scaling>,
}

impl Throughput {
    /// A profile that has asked nothing yet.
    pub fn new(plan: ThroughputPlan, providers: &Providers) -> Self {
        let provider = providers.of(&plan.model).to_owned();
        Self { plan, provider, taken: Mutex::default() }
    }

    /// Asks as the plan says. `tell` is called on the task that measures.
    ///
    /// # Errors
    /// When no further request may be sent: the budget is spent, say.
    pub async fn measure(&self, session: &Session, tell: &Tell<'_>) -> Result<(), AskError> {
        for (index, &concurrency) in self.plan.levels.iter().enumerate() {
            if index > 0 {
                tokio::time::sleep(self.plan.pause).await;
            }
            tell(ThroughputStep::Level(concurrency));
            lock(&self.taken).push(Taken::begin(concurrency));
            let schedule = Schedule::closed(concurrency, self.plan.requests);
            drive(&schedule, &|number, intended| self.one(session, tell, (index, number), intended)).await?;
            let taken = lock(&self.taken).last().cloned();
            if let Some(level) = taken.and_then(|taken| taken.level(self.plan.percentiles)) {
                tell(ThroughputStep::Done(&level));
            }
        }
        Ok(())
    }

    fn one<'a>(
        &'a self,
        session: &'a Session,
        tell: &'a Tell<'a>,
        (level, number): (usize, u32),
        intended: Instant,
    ) -> BoxFuture<'a, Result<(), AskError>> {
        Box::pin(async move {
            let (asking, model) = (&self.plan.asking, &self.plan.model);
            let concurrency = self.plan.levels[level];
            let mut place = place(NAME, &format!("{concurrency}"), 1, number);
            place.x = Some(concurrency.into());
            let exchange = asking.exchange(session, model, asking.max_tokens, place, intended).await?;
            let measurement =
                Measurement::of(&exchange, number + 1, model, &self.provider, asking.max_tokens);
            let step = lock(&self.taken)[level].take(measurement, self.plan.requests);
            step.map(tell);
            Ok(())
        })
    }

    /// What was found so far.
    pub fn found(&self) -> ThroughputFound {
        let taken = lock(&self.taken).clone();
        let levels: Vec<Level> =
            taken.into_iter().filter_map(|taken| taken.level(self.plan.percentiles)).collect();
        let measurements = levels.iter().flat_map(|level| &level.measurements);
        let errors = super::errors(measurements).into_iter().collect();
        let points: Vec<Point> = levels.iter().map(Point::from).collect();
        let scaling = self.plan.sweep.then(|| Scaling::of(&points, self.plan.slo_p95_ms));
        ThroughputFound { plan: self.plan.clone(), levels, errors, scaling }
    }
}

impl ThroughputFound {
    /// How many requests it rests on, and how many failed.
    pub fn counted(&self) -> Counted {
        Counted::of(self.levels.iter().flat_map(|level| &level.measurements))
    }
}

impl Taken {
    fn begin(concurrency: u32) -> Self {
        let (started, lasted) = (Instant::now(), Duration::ZERO);
        Self { concurrency, started, lasted, succeeded: 0, measurements: Vec::new() }
    }

    /// Keeps a measurement, and says how far the level is whenever a twentieth of it is done.
    fn take(&mut self, measurement: Measurement, of: u32) -> Option<ThroughputStep<'static>> {
        self.lasted = self.started.elapsed();
        self.succeeded += u32::from(measurement.success);
        self.measurements.push(measurement);
        let done = self.measurements.len() as u32;
        (done.is_multiple_of((of / TOLD).max(1)) || done == of).then(|| ThroughputStep::Progress {
            done,
            of,
            success_rate: percent(self.succeeded as usize, done as usize),
            rps: f64::from(done) / self.lasted.as_secs_f64(),
        })
    }

    fn level(self, percentiles: Percentiles) -> Option<Level> {
        Level::of(self.concurrency, self.lasted, self.measurements, percentiles)
    }
}
