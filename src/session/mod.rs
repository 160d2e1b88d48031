//! A plan made real: the target runs, the budget is kept, every exchange is recorded as it comes.
//!
//! A [`Session`] is what every driver of rounds shares: Criterion, the command line, a service's job, a
//! test. It publishes what happens as [`SessionEvent`]s; the journal on disk, a progress bar and whatever
//! else wants to know are [`Observer`]s of it.

mod budget;
mod check;
mod collected;
mod journal;
mod record;
mod replay;
mod roads;

pub use budget::{Budget, BudgetError, Demand, Estimate, Used};
pub use check::{Asked, Check};
pub use collected::Collected;
pub use journal::Journal;
pub use record::{Outcome, Place, RECORD_SCHEMA_VERSION, RequestRecord};

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue};

use crate::catalog::{self, Model, Profile};
use crate::client::control::{Control, ControlError};
use crate::client::{Answer, Auth, Client, Failure, Road, Target, TargetError, Wait, Watch};
use crate::mock::{Defect, Mock, MockConfig, MockError, PacingReport};
use crate::provenance::{self, Machine, Provenance, Truth, Versions};
use crate::recorder::{Recorder, RecorderError};
use crate::seed::{DRAW_HEADER, DrawId, Seed};
use crate::settings::{LiveSettings, MockSettings, Pricing, Settings, TargetKind};
use crate::wire::{Ask, Dialect, SCRIPT_HEADER, SERVING_HEADER, Serving};

/// The model whose rules and prices the mock follows unless another is named.
const SIMULATED_MODEL: [(Dialect, &str); 4] = [
    (Dialect::Anthropic, "claude-sonnet-4-6"),
    (Dialect::OpenAi, "gpt-4o"),
    (Dialect::Completions, "gpt-4o"),
    (Dialect::Generate, "default"),
];

/// The small model beside it.
const SIMULATED_SMALL_MODEL: [(Dialect, &str); 4] = [
    (Dialect::Anthropic, "claude-haiku-4-5"),
    (Dialect::OpenAi, "gpt-4o-mini"),
    (Dialect::Completions, "gpt-4o-mini"),
    (Dialect::Generate, "small"),
];

/// A read that waited longer than this to be looked at was late.
const LATE: Duration = Duration::from_millis(5);

/// Why a session cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The mock cannot start.
    #[error(transparent)]
    Mock(#[from] MockError),
    /// The mock's own address is no target.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The target does not answer.
    #[error("the target `{name}` does not answer at {base_url}: {source}; start it, or unset LLMLAB_TARGET")]
    Unreachable {
        /// The target.
        name: String,
        /// Where it was asked.
        base_url: String,
        /// What happened.
        source: ControlError,
    },
    /// Its exchanges cannot be recorded.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// The run would cost more than it may.
    #[error(transparent)]
    Budget(#[from] BudgetError),
}

/// Why a question got no answer that counts.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AskError {
    /// The last attempt failed.
    #[error("{attempts} {} failed, the last one: {failure}", if *.attempts == 1 { "attempt" } else { "attempts" })]
    Failed {
        /// Exchanges tried.
        attempts: usize,
        /// Why the last one failed.
        failure: Failure,
    },
    /// The budget does not allow another request.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// The target does not speak the dialect.
    #[error("the target does not speak the {0} dialect")]
    Dialect(Dialect),
    /// The lab's mock answers behind a target that did not say so when it was looked at.
    #[error("the lab's mock answers behind this live target: its figures are simulated, not live")]
    Mislabelled,
    /// The road cannot be taken.
    #[error("could not take that road to the target: {0}")]
    Road(String),
    /// The mock's clock could not be moved.
    #[error("could not move the mock's clock: {0}")]
    Clock(String),
}

/// What happens in a session, as it happens.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionEvent<'a> {
    /// A round begins.
    Round {
        /// The group's name.
        group: &'a str,
        /// The round, from 0; round 0 warms up.
        round: u32,
        /// The rounds that are planned, where that is known.
        planned: Option<u32>,
    },
    /// An exchange ended, well or not.
    Exchange(&'a RequestRecord),
    /// The last round of a group, or of what was asked of it, is complete.
    GroupDone,
    /// A sentence for the person who watches.
    Notice(&'a str),
}

/// Somebody who wants to know what happens. Called in order, on the thread that measures, between
/// exchanges: be quick.
pub trait Observer: Send + Sync {
    /// Takes note of an event.
    fn on(&self, event: &SessionEvent<'_>);
}

/// A running plan.
pub struct Session {
    settings: Settings,
    provenance: Provenance,
    mock: Option<Mock>,
    recorder: Option<Recorder>,
    clients: BTreeMap<&'static str, Client>,
    roads: roads::Roads,
    context_tokens: Option<u64>,
    budget: Budget,
    observers: Vec<Box<dyn Observer>>,
    started: Instant,
    longest_lag: AtomicU64,
    late_answers: AtomicU64,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Session").field("provenance", &self.provenance).finish_non_exhaustive()
    }
}

impl Session {
    /// Makes `settings` real: starts the mock, or makes sure that the live target answers.
    ///
    /// # Errors
    /// When the mock cannot start or the target does not answer.
    pub async fn start(settings: Settings) -> Result<Self, SessionError> {
        let (truth, mock, targets) = match &settings.target {
            TargetKind::Mock(mock) => start_mock(mock, settings.seed)?,
            TargetKind::Cassette(replayed) => replay::start(replayed)?,
            TargetKind::Live(live) => (Truth::Live, None, vec![live.target.clone()]),
        };
        let recorder = replay::recorder(&settings, &targets[0])?;
        let (started, run_id) = provenance::start_of_run();
        let first = &targets[0];
        let mut session = Self {
            provenance: Provenance {
                run_id,
                started,
                truth,
                target: first.name().into(),
                base_url: first.base_url(),
                dialect: first.dialect(),
                model: first.model().into(),
                seed: settings.seed,
                machine: Machine::here(),
                versions: Versions::here(),
            },
            budget: Budget::new(&settings),
            clients: targets
                .iter()
                .map(|target| recorder.as_ref().map_or(target.clone(), |to| target.by_way_of(to.addr())))
                .map(|target| (target.dialect().name(), Client::new(target, settings.timeouts)))
                .collect(),
            recorder,
            roads: roads::Roads::default(),
            settings,
            mock,
            context_tokens: None,
            observers: Vec::new(),
            started: Instant::now(),
            longest_lag: AtomicU64::new(0),
            late_answers: AtomicU64::new(0),
        };
        session.look_at_live_target().await?;
        Ok(session)
    }

    /// Asks a live target, outside any measurement, for its context length and whether it is a mock.
    async fn look_at_live_target(&mut self) -> Result<(), SessionError> {
        let TargetKind::Live(LiveSettings { target, .. }) = &self.settings.target else { return Ok(()) };
        let unreachable = |source| SessionError::Unreachable {
            name: target.name().into(),
            base_url: target.base_url(),
            source,
        };
        let seen =
            Control::new(target).map_err(unreachable)?.look(target.model()).await.map_err(unreachable)?;
        self.context_tokens = self.settings.context_tokens.or(target.context_tokens).or(seen.context_tokens);
        if let Some(mock) = seen.mock {
            self.provenance.truth = Truth::of_mock_header(&mock);
        }
        Ok(())
    }

    /// Adds an observer.
    pub fn observe(&mut self, observer: Box<dyn Observer>) {
        self.observers.push(observer);
    }

    /// Tells every observer.
    pub fn publish(&self, event: &SessionEvent<'_>) {
        for observer in &self.observers {
            observer.on(event);
        }
    }

    /// Tells every observer a sentence.
    pub fn notice(&self, sentence: &str) {
        self.publish(&SessionEvent::Notice(sentence));
    }

    /// What the results of this session are.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The plan.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The budget.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Whether the engine is this session's own mock, whose clock can be moved.
    pub fn is_simulated(&self) -> bool {
        matches!(self.settings.target, TargetKind::Mock(_))
    }

    /// The engine that is simulated and the factor on its times, where that is known.
    pub fn engine(&self) -> Option<(&Profile, f64)> {
        match &self.settings.target {
            TargetKind::Mock(mock) => Some((&mock.profile, mock.slowdown)),
            TargetKind::Cassette(_) | TargetKind::Live(_) => None,
        }
    }

    /// The dialect that a group is asked in: its own if it insists on one, else the target's.
    pub fn dialect(&self, wanted: Option<Dialect>) -> Dialect {
        wanted.unwrap_or(self.provenance.dialect)
    }

    /// Whether the target speaks `dialect`.
    pub fn speaks(&self, dialect: Dialect) -> bool {
        self.clients.contains_key(dialect.name())
    }

    /// The most prompt tokens that the target takes, where that is known.
    pub fn context_tokens(&self) -> Option<u64> {
        self.context_tokens
    }

    /// The model asked for in `dialect`, as the list of known models has it.
    pub fn model(&self, dialect: Dialect) -> Option<&'static Model> {
        catalog::model(self.clients.get(dialect.name())?.target().model())
    }

    /// The name of the model asked for in `dialect`; empty if the target does not speak it.
    pub fn asked_model(&self, dialect: Dialect) -> &str {
        self.clients.get(dialect.name()).map_or("", |client| client.target().model())
    }

    /// Where requests in `dialect` are posted; empty if the target does not speak it.
    pub fn asked_url(&self, dialect: Dialect) -> String {
        self.clients.get(dialect.name()).map_or_else(String::new, |client| client.target().url())
    }

    /// Prices of the model asked for in `dialect`.
    pub fn pricing(&self, dialect: Dialect) -> Option<Pricing> {
        self.pricing_of(self.asked_model(dialect))
    }

    /// Prices of a model of the target.
    pub fn pricing_of(&self, model: &str) -> Option<Pricing> {
        match &self.settings.target {
            TargetKind::Live(live) if live.target.model() == model => live.prices,
            _ => Pricing::of_model(model),
        }
    }

    /// The name of the small model beside the one asked for in `dialect`; absent when nobody named one.
    pub fn small_model(&self, dialect: Dialect) -> Option<&str> {
        let named = self.settings.small_model.as_deref();
        let known =
            || SIMULATED_SMALL_MODEL.into_iter().find(|(of, _)| *of == dialect).map(|(_, model)| model);
        if self.is_simulated() { named.filter(|name| is_of(name, dialect)).or_else(known) } else { named }
    }

    /// The engine of the small model, where that is known.
    pub fn small_engine(&self) -> Option<&Profile> {
        match &self.settings.target {
            TargetKind::Mock(mock) => Some(&mock.small),
            TargetKind::Cassette(_) | TargetKind::Live(_) => None,
        }
    }

    /// How much less time than in the real world the simulator's tools and stores take: as much as its engine is
    /// faster. 1 for a live target.
    pub fn scale(&self) -> f64 {
        self.engine().map_or(1.0, |(engine, slowdown)| engine.time_scale * slowdown)
    }

    /// What the simulated world does that no prediction expects; absent where all is as assumed.
    pub fn defect(&self) -> Option<Defect> {
        match &self.settings.target {
            TargetKind::Mock(mock) => mock.defect,
            TargetKind::Cassette(_) | TargetKind::Live(_) => None,
        }
    }

    /// How late the mock wrote, compared with its own plan.
    pub fn pacing(&self) -> Option<PacingReport> {
        self.mock.as_ref().map(Mock::report)
    }

    /// The longest that any read waited for this process to look at it.
    pub fn client_lag(&self) -> Duration {
        Duration::from_nanos(self.longest_lag.load(Ordering::Relaxed))
    }

    /// Answers that this process looked at more than 5 ms late: it had no time. Their stamps are right all
    /// the same, but a process that is busy also *sends* late.
    pub fn late_answers(&self) -> u64 {
        self.late_answers.load(Ordering::Relaxed)
    }

    /// Connections opened so far.
    pub fn connections(&self) -> u64 {
        let ordinary = self.clients.values().map(Client::connections_opened).sum::<u64>();
        ordinary + self.roads.connections()
    }

    /// The client that asks in `dialect` over `road`.
    fn client(&self, dialect: Dialect, road: &Road) -> Result<Client, AskError> {
        let ordinary = self.clients.get(dialect.name()).ok_or(AskError::Dialect(dialect))?;
        let simulator = self.mock.as_ref().filter(|_| self.is_simulated() && self.recorder.is_none());
        let client = self.roads.client(road, ordinary, simulator, self.settings.timeouts);
        client.map_err(|error| AskError::Road(error.to_string()))
    }

    /// Opens a connection of `road` before it is needed.
    pub(crate) async fn connect(&self, dialect: Dialect, road: &Road) -> Result<(), AskError> {
        let opened = self.client(dialect, road)?.connect().await;
        opened.map_err(|failure| AskError::Failed { attempts: 1, failure })
    }

    /// Text that no other run, arm, round or step of a live target has sent; of a simulated one, text that
    /// is the same in every run with this seed, so that runs can be paired.
    pub(crate) fn nonce(&self, purpose: &str) -> String {
        let run = if self.is_simulated() { "" } else { self.provenance.run_id.as_str() };
        let text = format!("{}/{run}/{purpose}", self.settings.seed);
        format!("{:032x}", xxhash_rust::xxh3::xxh3_128(text.as_bytes()))
    }

    /// A generator for everything random in this session that is not the engine's.
    pub(crate) fn seed(&self) -> Seed {
        Seed(self.settings.seed)
    }

    /// Moves the clock of the mock's caches, as if this much time had passed.
    pub(crate) async fn pass_time(&self, dialect: Dialect, time: Duration) -> Result<(), AskError> {
        let client = self.clients.get(dialect.name()).ok_or(AskError::Dialect(dialect))?;
        let control = Control::new(client.target()).map_err(|error| AskError::Clock(error.to_string()))?;
        let body = serde_json::json!({ "advance_s": time.as_secs_f64() });
        control.post("/_mock/clock", &body).await.map_err(|error| AskError::Clock(error.to_string()))
    }

    /// Asks, and asks again as the plan allows. Every attempt is recorded; the answer is the last one's.
    pub(crate) async fn ask(
        &self,
        dialect: Dialect,
        place: &Place,
        ask: &Ask,
        intended: Instant,
        mut watch: Option<&mut Watch<'_>>,
    ) -> Result<(Answer, Vec<RequestRecord>), (AskError, Vec<RequestRecord>)> {
        let client = self.client(dialect, &place.road).map_err(|error| (error, Vec::new()))?;
        let headers = self.mock_headers(&place.draw, ask);
        let model = if ask.model.is_empty() { client.target().model() } else { &ask.model };
        let pricing = self.pricing_of(model);
        let mut records = Vec::with_capacity(1);
        let mut waited = Duration::ZERO;
        loop {
            if let Err(refused) = self.budget.take_request() {
                return Err((refused.into(), records));
            }
            // What is tried again starts anew.
            let intended = if records.is_empty() { intended } else { Instant::now() };
            let exchange = match &mut watch {
                Some(watch) => Box::pin(client.send_watched(ask, intended, &headers, watch)).await,
                None => Box::pin(client.send(ask, intended, &headers)).await,
            };
            let attempt = records.len() as u32 + 1;
            let record = RequestRecord::of(self, model, place, attempt, &exchange, pricing.as_ref());
            self.budget.spent(record.cost_usd);
            self.publish(&SessionEvent::Exchange(&record));
            records.push(record);
            if exchange.mock.is_some() && self.provenance.truth == Truth::Live {
                return Err((AskError::Mislabelled, records));
            }
            match exchange.outcome {
                Ok(answer) => {
                    // Who works on each event is late for the next on purpose.
                    if watch.is_none() {
                        self.note_lag(answer.client_lag);
                    }
                    return Ok((answer, records));
                }
                Err(failure) => {
                    let wait = self.settings.retries.after(&failure, attempt, waited);
                    match wait {
                        Wait::For(pause) if !(place.once && failure.class.was_seen()) => {
                            waited += pause;
                            tokio::time::sleep(pause).await;
                        }
                        _ => return Err((AskError::Failed { attempts: records.len(), failure }, records)),
                    }
                }
            }
        }
    }

    fn note_lag(&self, lag: Duration) {
        let nanoseconds = u64::try_from(lag.as_nanos()).unwrap_or(u64::MAX);
        self.longest_lag.fetch_max(nanoseconds, Ordering::Relaxed);
        self.late_answers.fetch_add(u64::from(lag > LATE), Ordering::Relaxed);
    }

    /// Tells the mock which draw a request is, so that its noise never depends on the order of requests, what its
    /// model says, and how it serves; and a recorder which draw it records. A live target is told nothing.
    fn mock_headers(&self, draw: &DrawId, ask: &Ask) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if self.mock.is_none() && self.recorder.is_none() {
            return headers;
        }
        let draw = Some((DRAW_HEADER, draw.to_string()));
        let script = ask.script.as_ref().map(|script| (SCRIPT_HEADER, script.to_header()));
        let serving = Some(ask.serving).filter(|serving| *serving != Serving::default());
        let serving = serving.map(|serving| (SERVING_HEADER, serving.to_header()));
        for (name, value) in draw.into_iter().chain(script).chain(serving) {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        headers
    }

    pub(crate) fn since_start(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.started).as_nanos()).unwrap_or(u64::MAX)
    }
}

/// What answers, the mock that does, and how it is asked in each dialect.
type Answering = (Truth, Option<Mock>, Vec<Target>);

fn start_mock(settings: &MockSettings, seed: u64) -> Result<Answering, SessionError> {
    let mock = Mock::start(MockConfig {
        profile: settings.profile.clone(),
        slowdown: settings.slowdown,
        slowed: settings.slowed.clone(),
        models: small_models(settings),
        defect: settings.defect,
        seed,
        ..MockConfig::default()
    })?;
    let target = |(dialect, model): (Dialect, &str)| {
        let named = settings.model.as_deref().filter(|name| is_of(name, dialect));
        let model = named.unwrap_or(model);
        Target::new(crate::settings::MOCK, dialect, &mock.url(), model, &Auth::None)
    };
    let targets = SIMULATED_MODEL.into_iter().map(target).collect::<Result<Vec<_>, _>>()?;
    let truth = Truth::Simulated {
        profile: settings.profile.name.clone(),
        slowdown: settings.slowdown,
        slowed: settings.slowed.clone(),
    };
    Ok((truth, Some(mock), targets))
}

/// The engine of each model that a run may ask for as the small one.
fn small_models(settings: &MockSettings) -> BTreeMap<String, Profile> {
    let known = SIMULATED_SMALL_MODEL.map(|(_, model)| model.to_owned());
    known
        .into_iter()
        .chain(settings.small_model.clone())
        .map(|model| (model, settings.small.clone()))
        .collect()
}

/// Whether a named model may be simulated in `dialect`: a known one only in its provider's own.
fn is_of(name: &str, dialect: Dialect) -> bool {
    let provider = if dialect == Dialect::Completions { Dialect::OpenAi } else { dialect }.name();
    catalog::model(name).is_none_or(|model| model.provider == provider)
}
