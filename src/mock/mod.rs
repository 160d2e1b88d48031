//! A server that answers like a large language model's, at the speed of a profile, with known truth.
//!
//! It speaks Anthropic Messages, OpenAI chat completions, completions and embeddings, and `/generate`; keeps a
//! prompt cache by each vendor's rules; queues requests for a limited number of slots; keeps rate limits; and
//! fails on demand, once or for a share of all requests. It runs on threads of its own and writes at absolute
//! deadlines, so that a slow client never slows the server's clock.
//!
//! **Clock.** A request's time starts when its body has been received in full, or when it gets a slot if it
//! had to wait for one. Streamed answers send their headers at once and content at its deadline.
//! **Tokens.** Four bytes are one token, rounded up for each block of the prompt.
//! **Ways in.** Plain HTTP/1.1 and HTTP/2 at its address; TLS and links of any length at an [`Entrance`].
//! **Truth.** First token after `slowdown (overhead + prefill · uncached + cached · read)`, then one token each
//! `slowdown · decode`, all with seeded noise. Every response says so in the header [`MOCK_HEADER`].
//! **Replay.** With a [`Replay`] recorded answers come instead, at their recorded times; the header says that too.

mod answer;
pub mod batch;
pub mod cache;
mod call;
mod config;
mod control;
mod defect;
mod deployment;
mod embeddings;
pub mod engine;
mod faults;
mod file;
mod frames;
mod generate;
pub mod limits;
mod link;
mod listener;
mod log;
mod pacer;
pub mod prompt;
mod replay;
pub mod replies;
mod routes;
mod server;
mod slowdown;
mod standing;
mod state;
mod time;
mod tls;

use std::io;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub use config::{GenerateConfig, MockConfig};
pub use defect::{Defect, UnknownDefect};
pub use faults::{Fault, FaultKind};
pub use file::{EngineFile, Fallback, GenerateFile, MockFile};
pub use generate::{BATCH_SIZE, GenerateCounts};
pub use limits::Limits;
pub use link::FIRST_WINDOW;
pub use log::ReceivedRequest;
pub use replay::Replay;
pub use server::{Entrance, Mock};
pub use standing::{FaultError, StandingFault};
pub use state::MockState;
pub use time::{NoTime, Time};

/// The header on every response, by which a client labels its results: simulated for `<profile>; slowdown=<x>`,
/// replayed for `cassette <label>; slowdown=<x>`.
pub const MOCK_HEADER: &str = "x-llmlab-mock";

/// Why a mock could not be started.
#[derive(Debug, thiserror::Error)]
pub enum MockError {
    /// A setting that no server could follow.
    #[error("could not start the mock: {field}: {reason}")]
    Config {
        /// The setting at fault.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The address is taken, or not ours.
    #[error("could not listen on {addr}: {source}")]
    Listen {
        /// Where it was to listen.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Its certificate could not be made.
    #[error("could not serve TLS: {0}")]
    Tls(String),
    /// Its threads could not be started.
    #[error("could not start the mock's threads: {0}")]
    Threads(#[source] io::Error),
}

impl MockError {
    fn tls(error: &dyn std::error::Error) -> Self {
        Self::Tls(error.to_string())
    }
}

/// How late frames were handed over, compared with their deadlines. Nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct PacingReport {
    /// Frames that had a deadline.
    pub n: u64,
    /// Half of the frames were at most this late.
    pub p50_ns: u64,
    /// 99 of 100 frames were at most this late.
    pub p99_ns: u64,
    /// The latest frame.
    pub max_ns: u64,
}
