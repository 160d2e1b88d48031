//! What a running mock knows and counts, shared by all its requests.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::seed::{DrawId, Noise, Seed};
use crate::wire::{Ask, Dialect, Serving, Usage};

use super::cache::{CacheCounts, PromptCache};
use super::config::MockConfig;
use super::deployment::Deployment;
use super::engine::Engine;
use super::faults::Faults;
use super::generate::{Flights, GenerateCounts};
use super::limits::{Limiter, TooMany};
use super::pacer::{Pacer, lock};
use super::replay::Turns;
use super::replies::ReplyCache;
use super::slowdown;
use super::standing::Fates;
use super::{Defect, FaultKind, PacingReport, log::RequestLog};

/// What a mock has seen and done so far, as `GET /_mock/state` gives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MockState {
    /// The engine profile, or the cassette that is replayed.
    pub profile: String,
    /// The factor on all its times.
    pub slowdown: f64,
    /// The seed of all noise.
    pub seed: u64,
    /// Requests received, by dialect.
    pub requests: BTreeMap<String, u64>,
    /// Connections accepted.
    pub connections: u64,
    /// TLS handshakes in full.
    pub tls_full: u64,
    /// TLS handshakes that resumed an earlier session.
    pub tls_resumed: u64,
    /// Requests being answered or waiting for a slot.
    pub in_flight: usize,
    /// The most there ever were.
    pub in_flight_max: usize,
    /// The prompt cache.
    pub cache: CacheCounts,
    /// The endpoint `/generate`.
    pub generate: GenerateCounts,
    /// Faults that still wait for a request.
    pub faults: usize,
    /// Requests that failed on purpose.
    #[serde(default)]
    pub failed: u64,
    /// Requests that a rate limit refused.
    #[serde(default)]
    pub limited: u64,
    /// How late frames were.
    pub pacing: PacingReport,
}

/// Everything that requests share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) config: MockConfig,
    pub(crate) pacer: Pacer,
    pub(crate) cache: Mutex<PromptCache>,
    pub(crate) faults: Mutex<Faults>,
    fates: Mutex<Fates>,
    pub(crate) limiter: Mutex<Limiter>,
    pub(crate) flights: Flights,
    pub(crate) log: Mutex<RequestLog>,
    pub(crate) replies: Mutex<ReplyCache>,
    pub(crate) turns: Turns,
    pub(crate) generated: Mutex<GenerateCounts>,
    pub(crate) connections: AtomicU64,
    pub(crate) tls_full: AtomicU64,
    pub(crate) tls_resumed: AtomicU64,
    failed: AtomicU64,
    limited: AtomicU64,
    deployments: Mutex<BTreeMap<Serving, Arc<Deployment>>>,
    /// What was answered before, for [`Defect::AnswerCache`].
    answered: Mutex<HashSet<u128>>,
    seed: AtomicU64,
    origin: Instant,
    advanced: Mutex<Duration>,
    requests: Mutex<BTreeMap<&'static str, u64>>,
    in_flight: AtomicUsize,
    in_flight_max: AtomicUsize,
}

impl App {
    pub(crate) fn new(config: MockConfig, pacer: Pacer) -> Self {
        Self {
            pacer,
            cache: Mutex::default(),
            faults: Mutex::default(),
            fates: Mutex::default(),
            limiter: Mutex::new(Limiter::new(config.limits)),
            flights: Flights::default(),
            log: Mutex::default(),
            replies: Mutex::default(),
            turns: Turns::default(),
            generated: Mutex::default(),
            connections: AtomicU64::new(0),
            tls_full: AtomicU64::new(0),
            tls_resumed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            limited: AtomicU64::new(0),
            deployments: Mutex::default(),
            answered: Mutex::default(),
            seed: AtomicU64::new(config.seed),
            origin: Instant::now(),
            advanced: Mutex::default(),
            requests: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            in_flight_max: AtomicUsize::new(0),
            config,
        }
    }

    /// The engine at the speed at which it answers a draw that asks for `model`.
    pub(crate) fn engine(&self, model: &str, draw: Option<&DrawId>) -> Engine<'_> {
        let own = draw.map_or(1.0, |draw| slowdown::factor(&self.config.slowed, draw));
        let defect = self.config.defect;
        let others = self.in_flight.load(Relaxed).saturating_sub(1) as f64;
        let contention = if defect == Some(Defect::Contended) { 1.0 + others / 2.0 } else { 1.0 };
        let of_model = self.config.models.get(model).filter(|_| defect != Some(Defect::SlowSmall));
        let profile = of_model.unwrap_or(&self.config.profile);
        Engine {
            profile,
            slowdown: self.config.slowdown * own * contention,
            prompt_token: match defect {
                Some(Defect::Uncached) => [profile.prefill; 2],
                Some(Defect::HiddenCache) => [Duration::ZERO; 2],
                _ => [profile.prefill, profile.cached],
            },
            default_answer_tokens: self.config.default_answer_tokens,
        }
    }

    /// The engine that serves in this way, made when it is first asked for.
    pub(crate) fn deployment(&self, serving: Serving) -> Arc<Deployment> {
        let mut deployments = lock(&self.deployments);
        let deployment = deployments.entry(serving);
        Arc::clone(deployment.or_insert_with(|| Arc::new(Deployment::new(serving, &self.config))))
    }

    /// Whether an answer cache that nobody expects holds the answer to `ask`; from now on it does.
    pub(crate) fn has_answered(&self, ask: &Ask) -> bool {
        let expected = self.config.defect != Some(Defect::AnswerCache);
        !expected && ReplyCache::key(ask).is_some_and(|key| !lock(&self.answered).insert(key))
    }

    pub(crate) fn seed(&self) -> Seed {
        Seed(self.seed.load(Relaxed))
    }

    pub(crate) fn set_seed(&self, seed: u64) {
        self.seed.store(seed, Relaxed);
    }

    /// Real time since the start.
    pub(crate) fn real_now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// The moment at a real time since the start.
    pub(crate) fn at(&self, time: Duration) -> Instant {
        self.origin + time
    }

    /// The time of the caches and the rate limits: real time plus what it was advanced by.
    pub(crate) fn cache_now(&self) -> Duration {
        self.real_now() + *lock(&self.advanced)
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut advanced = lock(&self.advanced);
        *advanced = advanced.saturating_add(by);
    }

    pub(crate) fn clear_caches(&self) {
        lock(&self.cache).clear();
        lock(&self.replies).clear();
        lock(&self.answered).clear();
    }

    /// Counts a request for as long as the guard lives.
    pub(crate) fn enter(self: &Arc<Self>, dialect: Dialect) -> InFlight {
        *lock(&self.requests).entry(dialect.name()).or_default() += 1;
        let now = self.in_flight.fetch_add(1, Relaxed) + 1;
        self.in_flight_max.fetch_max(now, Relaxed);
        InFlight(Arc::clone(self))
    }

    /// The failure that a request meets on purpose: one that waits for it, else one that stays. `noise` is that
    /// of the request.
    pub(crate) fn fate(&self, draw: Option<&str>, noise: &Noise) -> Option<FaultKind> {
        let waiting = lock(&self.faults).take(draw);
        let fate = waiting.or_else(|| lock(&self.fates).draw(&self.config.faults, noise));
        self.failed.fetch_add(u64::from(fate.is_some()), Relaxed);
        fate
    }

    /// Lets a request with so many prompt tokens pass the rate limits.
    pub(crate) fn admit(&self, input: u64) -> Result<(), TooMany> {
        let admitted = lock(&self.limiter).admit(input, self.cache_now());
        self.limited.fetch_add(u64::from(admitted.is_err()), Relaxed);
        admitted
    }

    pub(crate) fn note_usage(&self, record: u64, usage: Usage) {
        lock(&self.limiter).settle(&usage, self.cache_now());
        lock(&self.log).note_usage(record, usage);
    }

    /// Back to the state of a fresh start, but for connections and requests in flight.
    pub(crate) fn reset(&self) {
        lock(&self.replies).clear();
        self.turns.clear();
        lock(&self.answered).clear();
        *lock(&self.cache) = PromptCache::default();
        lock(&self.faults).clear();
        lock(&self.fates).clear();
        *lock(&self.limiter) = Limiter::new(self.config.limits);
        *lock(&self.log) = RequestLog::default();
        *lock(&self.generated) = GenerateCounts::default();
        *lock(&self.advanced) = Duration::ZERO;
        self.failed.store(0, Relaxed);
        self.limited.store(0, Relaxed);
        lock(&self.requests).clear();
        self.set_seed(self.config.seed);
        self.in_flight_max.store(self.in_flight.load(Relaxed), Relaxed);
        self.pacer.reset();
    }

    pub(crate) fn state(&self) -> MockState {
        let requests =
            lock(&self.requests).iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let generate = GenerateCounts { entries: lock(&self.replies).len(), ..*lock(&self.generated) };
        MockState {
            profile: self.config.label(),
            slowdown: self.config.slowdown,
            seed: self.seed().0,
            requests,
            connections: self.connections.load(Relaxed),
            tls_full: self.tls_full.load(Relaxed),
            tls_resumed: self.tls_resumed.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
            in_flight_max: self.in_flight_max.load(Relaxed),
            cache: lock(&self.cache).counts(),
            generate,
            faults: lock(&self.faults).len(),
            failed: self.failed.load(Relaxed),
            limited: self.limited.load(Relaxed),
            pacing: self.pacer.report(),
        }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<App>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}
