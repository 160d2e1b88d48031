//! One request, measured.
//!
//! The measured path is HTTP/1.1 over a socket of ours: each read is stamped with the time at which the
//! kernel saw its last byte arrive (where it does not say, at which the read returned), below TLS and before any of it is
//! looked at, and each event belongs to the read that completed it. The request's first write is
//! stamped above TLS. A connection serves one exchange at a time, in a task of its own.
//!
//! A client follows a [`Road`]: connections kept or not, TLS resumed or not, HTTP/2 for many exchanges on one
//! connection. Those share its reads, so their stamps are upper bounds ([`ConnectionFacts::shared`]).
//!
//! [`Client::send`] is one exchange, whatever becomes of it. Whether it is tried again is for a
//! [`RetryPolicy`] to say, and whether it counts is decided higher up. What is not measured goes through
//! [`control`].

mod arrival;
mod bound;
mod connection;
pub mod control;
mod exchange;
mod failure;
#[cfg(not(fuzzing))]
mod http1;
#[cfg(fuzzing)]
pub mod http1;
mod http2;
mod passage;
mod pool;
mod receive;
mod retry;
mod road;
mod socket;
mod target;
mod timeouts;
mod tls;

pub use connection::{ConnectionFacts, Phases};
pub use exchange::{Answer, Exchange, Watch};
pub use failure::{ErrorClass, Failure};
pub(crate) use passage::Passage;
pub(crate) use pool::Pool;
pub use retry::{RetryPolicy, Wait};
pub use road::{HttpVersion, Road, TlsVersion};
pub use target::{Auth, Target, TargetError};
pub use timeouts::Timeouts;
pub use tls::TlsFacts;

use std::sync::Arc;
use std::time::Instant;

use crate::wire::Ask;

/// A client of one target. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    target: Arc<Target>,
    pool: Arc<pool::Pool>,
    timeouts: Timeouts,
}

impl Client {
    /// A client of `target` that has opened nothing yet.
    pub fn new(target: Target, timeouts: Timeouts) -> Self {
        Self::over(&Road::default(), target, timeouts)
    }

    /// A client of `target` that follows `road`, but for its length, and has opened nothing yet.
    pub fn over(road: &Road, target: Target, timeouts: Timeouts) -> Self {
        let pool = Arc::new(pool::Pool::new(target.origin().clone(), *road, timeouts.connect));
        Self { target: Arc::new(target), pool, timeouts }
    }

    /// Opens a connection before it is needed: the next exchange takes it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn connect(&self) -> Result<(), Failure> {
        Box::pin(self.pool.open_ahead()).await
    }

    /// The target that is asked.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The number of connections opened so far.
    pub fn connections_opened(&self) -> u64 {
        self.pool.opened()
    }

    /// One exchange: one request on the wire, with everything that is known of it, failed or not.
    ///
    /// `intended` is when the request was meant to start; response time and send lag run from it.
    /// `headers` are added to the request, over those of the target.
    pub async fn send(&self, ask: &Ask, intended: Instant, headers: &http::HeaderMap) -> Exchange {
        Box::pin(exchange::run(self, ask, intended, headers, None)).await
    }

    /// As [`send`](Self::send), showing each event of a stream to `watch` as it comes. What `watch` does holds up
    /// its next event, and no stamp.
    pub async fn send_watched(
        &self,
        ask: &Ask,
        intended: Instant,
        headers: &http::HeaderMap,
        watch: &mut Watch<'_>,
    ) -> Exchange {
        Box::pin(exchange::run(self, ask, intended, headers, Some(watch))).await
    }
}
