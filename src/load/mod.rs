//! Many requests: when each one starts, what it asks, and what comes of it.
//!
//! A [`Schedule`] says when, and [`drive`] keeps it; [`Prompts`] say what; a [`Load`] is both with a session, and its
//! [`Findings`] are what it found, as far as it came.
//!
//! A *closed* loop has so many workers, each of which asks again when it was answered: a server that slows down is
//! asked less. An *open* loop asks at given times whatever becomes of the answers, as users do: what waits behind a
//! slow answer is measured from when it was meant to start.

mod bounds;
mod drive;
mod file;
mod findings;
mod open;
mod plan;
mod prompts;
mod run;
mod saturation;
mod slo;
mod trace;

pub use bounds::Bounds;
pub use drive::{Sending, drive};
pub use file::FileError;
pub use findings::{Cache, Findings, Latency, SloFindings, Third};
pub use open::{Arrivals, arrivals, ramped, responses};
pub use plan::{CONCURRENCY, MAX_TOKENS, Options, Plan, PlanError, REQUESTS};
pub use prompts::{Mix, Prompt, Prompts};
pub use run::{Ending, Load, UnderWay};
pub use saturation::{Limit, Saturation};
pub use slo::Slo;
pub use trace::{BadLine, Format as TraceFormat, Row, read as read_trace};

use std::time::Duration;

/// When the requests of a load start.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// So many workers, each of which asks again as soon as it was answered.
    Closed {
        /// Requests under way at once.
        workers: u32,
        /// When no further one is sent.
        extent: Extent,
    },
    /// The same, but the workers join one after another.
    Joining {
        /// Requests under way at once, when all have joined.
        workers: u32,
        /// When no further one is sent.
        extent: Extent,
        /// How long it takes until all have joined.
        over: Duration,
    },
    /// A request at each of these times after the start, in order, whatever became of those before.
    Open(Vec<Duration>),
}

/// How long a load goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// For so many requests.
    Requests(u32),
    /// For so long: what was sent by then is still waited for.
    Time(Duration),
}

impl Extent {
    /// Whether request `index`, counted from 0, is still sent at a time after the start.
    pub fn includes(self, index: u32, at: Duration) -> bool {
        match self {
            Self::Requests(requests) => index < requests,
            Self::Time(time) => at < time,
        }
    }
}

impl Schedule {
    /// So many workers that share a number of requests.
    pub fn closed(workers: u32, requests: u32) -> Self {
        Self::Closed { workers, extent: Extent::Requests(requests) }
    }
}
