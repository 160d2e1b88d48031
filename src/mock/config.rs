//! What a mock is started with.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::catalog::Profile;

use super::{Defect, Limits, MockError, Replay, StandingFault};

/// Everything that decides what a mock answers, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct MockConfig {
    /// The speed of the engine.
    pub profile: Profile,
    /// Multiplies every time of the engine: 2 is half as fast. It makes a known regression.
    pub slowdown: f64,
    /// Multiplies, beside [`slowdown`](Self::slowdown), the times of single groups or arms by their path, such
    /// as `caching/cached`; requests that do not say which draw they are belong to none.
    pub slowed: BTreeMap<String, f64>,
    /// The engines of other models than the profile's, by name.
    pub models: BTreeMap<String, Profile>,
    /// What it does that no prediction expects.
    pub defect: Option<Defect>,
    /// Failures that a share of all requests meets.
    pub faults: Vec<StandingFault>,
    /// What may be asked in a minute.
    pub limits: Limits,
    /// The seed of all noise. Answers are a pure function of it and the request.
    pub seed: u64,
    /// Where to listen. Port 0 takes a free one.
    pub addr: SocketAddr,
    /// The `/generate` endpoint.
    pub generate: GenerateConfig,
    /// The length in tokens of an answer whose request sets no limit.
    pub default_answer_tokens: u32,
    /// Keeps the raw bodies of the last requests, to be read at `/_mock/requests`.
    pub keep_bodies: bool,
    /// The recordings that answer in the place of an engine.
    pub replay: Option<Replay>,
    /// Threads that serve connections. The clock has one more of its own.
    pub threads: usize,
}

impl Default for MockConfig {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            slowdown: 1.0,
            slowed: BTreeMap::new(),
            models: BTreeMap::new(),
            defect: None,
            faults: Vec::new(),
            limits: Limits::default(),
            seed: 0,
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            generate: GenerateConfig::default(),
            default_answer_tokens: 128,
            keep_bodies: false,
            replay: None,
            threads: 2,
        }
    }
}

impl MockConfig {
    /// What answers, as [`MOCK_HEADER`](super::MOCK_HEADER) has it.
    pub(crate) fn label(&self) -> String {
        match &self.replay {
            Some(replay) => format!("cassette {}", replay.cassette.label()),
            None => self.profile.name.clone(),
        }
    }

    /// Refuses what no server could do.
    pub(crate) fn check(&self) -> Result<(), MockError> {
        let refuse = |field, reason: &str| Err(MockError::Config { field, reason: reason.to_owned() });
        let factors = self.slowed.values().chain([&self.slowdown]);
        if factors.into_iter().any(|factor| !(factor.is_finite() && *factor > 0.0)) {
            return refuse("slowdown", "it must be a number above 0");
        }
        if self.profile.slots == 0 || self.profile.burst_tokens == 0 {
            return refuse("profile", "slots and burst_tokens must be at least 1");
        }
        if self.generate.max_batch_size == 0 {
            return refuse("generate.max_batch_size", "it must be at least 1");
        }
        // What adding up fractions may lose is no share.
        if self.faults.iter().map(|fault| fault.share).sum::<f64>() > 1.0 + 1e-9 {
            return refuse("faults", "their shares add up to more than 100%");
        }
        if self.threads == 0 {
            return refuse("threads", "it must be at least 1");
        }
        Ok(())
    }
}

/// The knobs of `/generate`: dynamic batching and a cache of whole answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GenerateConfig {
    /// A batch starts when it holds this many requests...
    pub max_batch_size: usize,
    /// ...or when its first request has waited this long.
    pub batch_timeout: Duration,
    /// How long an answer can be given again. Zero turns the cache off.
    pub cache_ttl: Duration,
    /// How many answers are kept; the oldest goes first. Zero turns the cache off.
    pub cache_max_entries: usize,
    /// Whether a request that the cache could answer waits for one like it that is being answered. Otherwise
    /// those that arrive together are all computed, and hit less than their repetition promises.
    pub single_flight: bool,
}

impl Default for GenerateConfig {
    fn default() -> Self {
        Self {
            max_batch_size: 8,
            batch_timeout: Duration::from_millis(50),
            cache_ttl: Duration::from_secs(300),
            cache_max_entries: 1000,
            single_flight: false,
        }
    }
}
