//! A load under way: what it did so far can be asked at any time, whatever becomes of the rest.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::findings::Findings;
use super::{CONCURRENCY, Plan, Prompt, Schedule, drive};
use crate::client::{ErrorClass, Failure};
use crate::instrument::Conduct;
use crate::metric::Metric;
use crate::provenance::Provenance;
use crate::seed::DrawId;
use crate::session::{
    AskError, BudgetError, Collected, Estimate, Observer, Place, RequestRecord, Session, SessionEvent,
};
use crate::wire::{Ask, Dialect};

/// A server that takes no connection for so long is gone.
const GONE: Duration = Duration::from_secs(5);
/// What a worker waits that could not connect: it would otherwise ask a server that is gone as fast as it can.
const BREATH: Duration = Duration::from_millis(50);

/// How a load ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// All was sent, and answered or not.
    Complete,
    /// Somebody stopped it.
    Interrupted,
    /// The budget in requests or dollars was spent.
    Budget,
    /// The server takes no connection any more.
    Gone,
}

/// Requests that are under way, for whoever wants to look. Clones count the same ones.
#[derive(Debug, Clone, Default)]
pub struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    /// How many there are now.
    pub fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn enter(&self) -> Entered {
        self.0.fetch_add(1, Ordering::Relaxed);
        Entered(Arc::clone(&self.0))
    }
}

/// A request that is under way for as long as this lives.
struct Entered(Arc<AtomicUsize>);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A plan and the session that it is sent in.
#[derive(Debug)]
pub struct Load {
    plan: Plan,
    session: Session,
    dialect: Dialect,
    places: Option<Semaphore>,
    collected: Collected,
    under_way: UnderWay,
    /// When the load started, and how many answers of the warm-up this process looked at late.
    started: OnceLock<(Instant, u64)>,
    took: OnceLock<Duration>,
    sent: AtomicU32,
    /// Since when no connection was taken.
    refused: Mutex<Option<Instant>>,
    cold: AtomicU32,
    lateness: Mutex<Vec<f64>>,
}

/// Why nothing further is sent.
enum Stop {
    Budget(BudgetError),
    Gone,
    Failed(AskError),
}

impl Load {
    /// A load in `dialect` that has sent nothing yet.
    pub fn new(plan: Plan, session: Session, dialect: Dialect) -> Self {
        Self {
            places: plan.cap.map(|cap| Semaphore::new(cap as usize)),
            plan,
            session,
            dialect,
            collected: Collected::default(),
            under_way: UnderWay::default(),
            started: OnceLock::new(),
            took: OnceLock::new(),
            sent: AtomicU32::new(0),
            refused: Mutex::default(),
            cold: AtomicU32::new(0),
            lateness: Mutex::default(),
        }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The session, for whoever watches what is measured: to be asked for between the warm-up and the load.
    pub fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// The dialect it asks in.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What its figures are.
    pub fn provenance(&self) -> Provenance {
        let model = self.session.asked_model(self.dialect).to_owned();
        Provenance { dialect: self.dialect, model, ..self.session.provenance().clone() }
    }

    /// The requests that are under way.
    pub fn under_way(&self) -> UnderWay {
        self.under_way.clone()
    }

    /// Refuses a load that the budget does not allow, before anything is sent. One that ends by time is stopped when
    /// the budget is spent.
    ///
    /// # Errors
    /// What it would cost, and what it may.
    pub fn check_budget(&self) -> Result<(), BudgetError> {
        let pricing = self.session.pricing(self.dialect);
        let Some(demands) = self.plan.demands() else { return Ok(()) };
        self.session.budget().check(&Estimate::of(demands, pricing.as_ref()))
    }

    /// Sends what warms up, as many at once as the load has. Nothing of it is measured; failures are counted.
    ///
    /// # Errors
    /// When no request can be sent at all.
    pub async fn warm_up(&self) -> Result<(), AskError> {
        let prompts: Vec<_> = (0..self.plan.warm_up)
            .map(|number| self.plan.prompts.warm_up(number))
            .chain(self.plan.warming())
            .collect();
        let workers = match self.plan.schedule {
            Schedule::Closed { workers, .. } | Schedule::Joining { workers, .. } => workers,
            Schedule::Open(_) => self.plan.cap.unwrap_or(CONCURRENCY),
        };
        let count = prompts.len() as u32;
        let warm = |number: u32, intended| -> BoxFuture<'_, Result<(), AskError>> {
            let prompt = &prompts[number as usize];
            Box::pin(async move {
                match self.ask(prompt, place(prompt, 0, number), intended).await {
                    Err(AskError::Failed { .. }) => {
                        self.cold.fetch_add(1, Ordering::Relaxed);
                        Ok(())
                    }
                    other => other,
                }
            })
        };
        drive(&Schedule::closed(workers.min(count), count), &warm).await.map(drop)
    }

    /// Adds an observer of what is measured: to be called between the warm-up and the load.
    pub fn observe(&mut self, observer: Box<dyn Observer>) {
        self.session.observe(observer);
    }

    /// Sends the load.
    ///
    /// # Errors
    /// When no request can be sent for a reason that no other one would escape.
    pub async fn drive(&mut self) -> Result<Ending, AskError> {
        self.session.observe(Box::new(self.collected.clone()));
        let load = &*self;
        let _measuring = load.session.measuring();
        let (started, _) = *load.started.get_or_init(|| (Instant::now(), load.session.late_answers()));
        let send =
            |number, intended| -> BoxFuture<'_, Result<(), Stop>> { Box::pin(load.send(number, intended)) };
        let driven = drive(&load.plan.schedule, &send).await;
        let _unset = load.took.set(started.elapsed());
        match driven {
            Ok(_) => Ok(Ending::Complete),
            Err(Stop::Budget(refused)) => {
                load.session.notice(&refused.to_string());
                Ok(Ending::Budget)
            }
            Err(Stop::Gone) => Ok(Ending::Gone),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    async fn send(&self, number: u32, intended: Instant) -> Result<(), Stop> {
        let late = intended.elapsed().as_nanos() as f64;
        self.lateness.lock().unwrap_or_else(PoisonError::into_inner).push(late);
        // The semaphore is never closed, so the place is free in the end.
        let waits = Instant::now();
        let _place = match &self.places {
            Some(places) => places.acquire().await.ok(),
            None => None,
        };
        let prompt = self.plan.prompts.get(number);
        self.sent.fetch_add(1, Ordering::Relaxed);
        let _entered = self.under_way.enter();
        let place = Place { held: waits.elapsed(), ..place(&prompt, 1, number) };
        match self.ask(&prompt, place, intended).await {
            Ok(()) => *self.refused() = None,
            Err(AskError::Failed { failure, .. }) => self.after(&failure).await?,
            Err(AskError::Budget(refused)) => {
                self.sent.fetch_sub(1, Ordering::Relaxed);
                return Err(Stop::Budget(refused));
            }
            Err(error) => return Err(Stop::Failed(error)),
        }
        Ok(())
    }

    /// What follows a failure: nothing, or a pause, or the end.
    async fn after(&self, failure: &Failure) -> Result<(), Stop> {
        if failure.class != ErrorClass::Connect {
            *self.refused() = None;
            return Ok(());
        }
        let since = *self.refused().get_or_insert_with(Instant::now);
        if since.elapsed() >= GONE {
            return Err(Stop::Gone);
        }
        tokio::time::sleep(BREATH).await;
        Ok(())
    }

    fn refused(&self) -> MutexGuard<'_, Option<Instant>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, prompt: &Prompt, place: Place, intended: Instant) -> Result<(), AskError> {
        let stream = self.dialect != Dialect::Generate;
        let ask = Ask { stream, ..Ask::question(Arc::clone(&prompt.text), prompt.max_tokens) };
        let asked = Box::pin(self.session.ask(self.dialect, &place, &ask, intended, None)).await;
        asked.map(drop).map_err(|(error, _)| error)
    }

    /// What this process did while it sent the load, of which `found` was found.
    pub fn conduct(&self, found: &Findings) -> Conduct {
        let first = if found.streamed { Metric::TTFT } else { Metric::TTFB };
        let ttft = found.offered.and(found.latency(&first)).map(|first| first.p50 / 1e6);
        Conduct { open_ttft_ms: ttft, ..self.session.conduct() }
    }

    /// What was found so far, in numbers; to be called once.
    pub fn findings(&self, ending: Ending) -> Findings {
        self.session.publish(&SessionEvent::GroupDone);
        let started = self.started.get().copied();
        let now = || started.map(|(started, _)| started.elapsed()).unwrap_or_default();
        let records: Vec<RequestRecord> = self.collected.take();
        let facts = Facts {
            ending,
            took: self.took.get().copied().unwrap_or_else(now),
            sent: self.sent.load(Ordering::Relaxed).into(),
            cold: self.cold.load(Ordering::Relaxed).into(),
            late_answers: started.map_or(0, |(_, before)| self.session.late_answers() - before),
            lateness: std::mem::take(&mut *self.lateness.lock().unwrap_or_else(PoisonError::into_inner)),
        };
        Findings::of(&self.plan, records, facts)
    }
}

/// What is known of a load beside its records.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) ending: Ending,
    /// From the first request's start until nothing was under way any more.
    pub(super) took: Duration,
    /// Requests that were sent.
    pub(super) sent: u64,
    /// Requests of the warm-up that failed.
    pub(super) cold: u64,
    /// Answers that this process looked at late.
    pub(super) late_answers: u64,
    /// How long after its time each request could start, in nanoseconds, before it waited for anything.
    pub(super) lateness: Vec<f64>,
}

fn place(prompt: &Prompt, round: u32, number: u32) -> Place {
    Place {
        group: "load".into(),
        arm: prompt.kind.into(),
        repeat: 1,
        draw: DrawId { scenario: "load".into(), stream: prompt.kind.into(), round, step: number },
        ..Place::default()
    }
}
