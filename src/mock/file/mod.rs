//! A mock as a file describes it: every setting in words, with its default.

mod engine;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cassette::{Cassette, CassetteError};
use crate::catalog::{self, Profile, UnknownProfile};
use crate::seed::Seed;

pub use engine::EngineFile;

use super::{Entrance, GenerateConfig, Limits, Mock, MockConfig, MockError, Replay, StandingFault, Time};

/// Everything that decides what a mock of its own answers, when, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MockFile {
    /// The engine that is simulated.
    pub profile: String,
    /// The directory of recordings that answer in the place of an engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cassette: Option<PathBuf>,
    /// What answers a request that was not recorded.
    #[serde(skip_serializing_if = "Fallback::is_default")]
    pub cassette_fallback: Fallback,
    /// Multiplies every simulated or recorded time.
    pub slowdown: f64,
    /// The seed of all noise.
    pub seed: u64,
    /// The loopback address to listen on.
    pub host: IpAddr,
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
    /// Whether it speaks TLS there.
    pub tls: bool,
    /// Where the certificate is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_out: Option<PathBuf>,
    /// The round trip to it.
    pub rtt: Time,
    /// The length in tokens of an answer whose request sets no limit.
    pub default_answer_tokens: u32,
    /// Whether the bodies of the last requests are kept.
    pub keep_bodies: bool,
    /// Failures that a share of all requests meets.
    pub faults: Vec<StandingFault>,
    /// What may be asked in a minute.
    pub limits: Limits,
    /// What differs from the profile's engine.
    pub engine: EngineFile,
    /// The `/generate` endpoint.
    pub generate: GenerateFile,
}

/// What answers a request that was not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// An error that says what was.
    #[default]
    None,
    /// The next recording in its dialect.
    Next,
}

impl Fallback {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The knobs of `/generate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerateFile {
    /// Most prompts in one batch.
    pub max_batch_size: usize,
    /// How long a batch waits for more prompts.
    pub batch_timeout: Time,
    /// How long an answer is given again.
    pub cache_ttl: Time,
    /// Most answers kept.
    pub cache_max_entries: usize,
    /// Whether a request waits for one like it that is being answered.
    pub single_flight: bool,
}

impl Default for MockFile {
    fn default() -> Self {
        let config = MockConfig::default();
        Self {
            profile: Profile::DEFAULT.into(),
            cassette: None,
            cassette_fallback: Fallback::default(),
            slowdown: config.slowdown,
            seed: Seed::DEFAULT.0,
            host: Ipv4Addr::LOCALHOST.into(),
            port: 8000,
            tls: false,
            cert_out: None,
            rtt: Time::default(),
            default_answer_tokens: config.default_answer_tokens,
            keep_bodies: config.keep_bodies,
            faults: config.faults,
            limits: config.limits,
            engine: EngineFile::default(),
            generate: GenerateFile::default(),
        }
    }
}

impl Default for GenerateFile {
    fn default() -> Self {
        let GenerateConfig { max_batch_size, batch_timeout, cache_ttl, cache_max_entries, single_flight } =
            GenerateConfig::default();
        let (batch_timeout, cache_ttl) = (Time(batch_timeout), Time(cache_ttl));
        Self { max_batch_size, batch_timeout, cache_ttl, cache_max_entries, single_flight }
    }
}

impl MockFile {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// When it is no TOML, or a setting is unknown or does not fit.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The text that [`parse`](Self::parse) reads back.
    ///
    /// # Errors
    /// When a setting cannot be written as TOML, such as a number beyond its range.
    pub fn text(&self) -> Result<String, toml::ser::Error> {
        toml::to_string_pretty(self)
    }

    /// The same settings with nothing left to the profile.
    ///
    /// # Errors
    /// [`MockError`] if the profile is unknown, or a speed is out of range.
    pub fn resolved(&self) -> Result<Self, MockError> {
        Ok(Self { engine: EngineFile::of(&self.profile()?), ..self.clone() })
    }

    fn profile(&self) -> Result<Profile, MockError> {
        let known = catalog::profile(&self.profile);
        let refuse =
            |unknown: UnknownProfile| MockError::Config { field: "profile", reason: unknown.to_string() };
        self.engine.over(known.map_err(refuse)?)
    }

    /// Starts the mock, and opens the way in that is described.
    ///
    /// # Errors
    /// [`MockError`] if a setting is out of range, or the address cannot be had.
    pub fn start(&self) -> Result<(Mock, Entrance), MockError> {
        let at = SocketAddr::new(self.host, self.port);
        let is_near = !self.tls && self.rtt.0.is_zero();
        // The port belongs to the way in; the mock behind it takes a free one.
        let addr = if is_near { at } else { SocketAddr::new(self.host, 0) };
        let mock = Mock::start(MockConfig { addr, ..self.config()? })?;
        let entrance = mock.entrance_at(at, self.tls, self.rtt.0)?;
        Ok((mock, entrance))
    }

    fn config(&self) -> Result<MockConfig, MockError> {
        let refuse = |field, reason: String| Err(MockError::Config { field, reason });
        if !self.host.is_loopback() {
            return refuse("host", Self::LOOPBACK_ONLY.into());
        }
        if self.cert_out.is_some() && !self.tls {
            return refuse("cert_out", "there is a certificate only with tls".into());
        }
        if self.rtt.0 > Duration::from_mins(1) {
            return refuse("rtt", "it must be at most a minute".into());
        }
        let generate = &self.generate;
        Ok(MockConfig {
            profile: self.profile()?,
            slowdown: self.slowdown,
            seed: self.seed,
            faults: self.faults.clone(),
            limits: self.limits,
            generate: GenerateConfig {
                max_batch_size: generate.max_batch_size,
                batch_timeout: generate.batch_timeout.0,
                cache_ttl: generate.cache_ttl.0,
                cache_max_entries: generate.cache_max_entries,
                single_flight: generate.single_flight,
            },
            replay: self.replay()?,
            default_answer_tokens: self.default_answer_tokens,
            keep_bodies: self.keep_bodies,
            ..MockConfig::default()
        })
    }

    /// The recordings that answer, read; absent where an engine is simulated.
    ///
    /// # Errors
    /// [`MockError`] when they cannot be read.
    pub fn replay(&self) -> Result<Option<Replay>, MockError> {
        let Some(directory) = &self.cassette else { return Ok(None) };
        let unread =
            |error: CassetteError| MockError::Config { field: "cassette", reason: error.to_string() };
        let cassette = Arc::new(Cassette::read(directory).map_err(unread)?);
        Ok(Some(Replay { cassette, next: self.cassette_fallback == Fallback::Next }))
    }

    /// Why it listens on loopback addresses alone.
    pub const LOOPBACK_ONLY: &str =
        "the mock has no authentication and listens on this machine alone: use 127.0.0.1 or ::1";
}
