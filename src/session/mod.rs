//! A plan made real: the target runs, the budget is kept, every exchange is recorded as it comes.
//!
//! A [`Session`] is what every driver of rounds shares: Criterion, the command line, a service's job, a
//! test. It publishes what happens as [`SessionEvent`]s; the journal on disk, a progress bar and whatever
//! else wants to know are [`Observer`]s of it.

mod asking;
mod budget;
mod check;
mod collected;
mod conduct;
mod journal;
mod record;
mod replay;
mod roads;
mod simulated;
mod turn;

pub use asking::AskError;
pub use budget::{Budget, BudgetError, Demand, Estimate, Used};
pub use check::{Asked, Check};
pub use collected::Collected;
pub use conduct::Measuring;
pub use journal::Journal;
pub use record::{Outcome, Place, RECORD_SCHEMA_VERSION, Request, RequestRecord};
pub use turn::{CallEnd, ToolCall, Turn};

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::catalog::{self, Model, Profile};
use crate::client::control::{Control, ControlError};
use crate::client::{Client, TargetError};
use crate::instrument::TruthCheck;
use crate::mock::{Defect, Mock, MockError, PacingReport};
use crate::provenance::{self, Machine, Provenance, Truth, Versions};
use crate::recorder::{Recorder, RecorderError};
use crate::seed::Seed;
use crate::settings::{LiveSettings, Pricing, Settings, TargetKind};
use crate::wire::Dialect;

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
    /// An arm's turn in a round begins.
    Turn(Turn<'a>),
    /// It is over.
    TurnDone {
        /// The turn.
        turn: Turn<'a>,
        /// Why it does not count, if it does not.
        error: Option<&'a str>,
    },
    /// An exchange ended, well or not.
    Exchange(&'a RequestRecord),
    /// A tool was called, and the call is over.
    ToolCall(ToolCall<'a>),
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
    watched: conduct::Watched,
    truth: OnceLock<Result<TruthCheck, String>>,
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
            TargetKind::Mock(mock) => simulated::start_mock(mock, settings.seed)?,
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
            watched: conduct::Watched::default(),
            truth: OnceLock::new(),
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

    /// The longest that any answer waited, once it was read, until whoever asked went on.
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

    pub(crate) fn since_start(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.started).as_nanos()).unwrap_or(u64::MAX)
    }
}
