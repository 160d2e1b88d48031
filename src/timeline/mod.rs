//! When each event of an answer came, and what follows from it.
//!
//! A [`Timeline`] holds the stamps of one exchange and nothing derived; [`Timeline::values`] turns them into
//! metrics once the exchange is over, so that no arithmetic stands between two reads. A stamp is the time at
//! which the bytes arrived that *completed* an event, as the kernel saw it, or, where that does not say, at which their
//! read returned: neither a slow parser nor a busy process moves it. Events that came in one read share its stamp and
//! its number.
//!
//! One rule holds throughout: a value that this exchange does not define is absent, never 0. A streamed
//! answer without content has no time to first token, and a body that came in one read has no decode speed.
//!
//! [`Timer`] and its kin are for an application's own code: they read the clock themselves, and see what
//! that code sees, after its HTTP client and its decoder.

mod observe;
mod timer;
mod timing;
mod tokens;
mod values;

use std::time::Instant;

use crate::wire::Event;

pub use observe::{Observed, StreamingTimer};
pub use timer::{Timer, async_timed, timed};
pub use timing::TimingResult;
pub use tokens::{TokenCount, TokenSource};

/// An event and the time at which its last byte arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamped {
    /// When the bytes arrived that completed the event.
    pub at: Instant,
    /// The number of that read within the response. Events of one read were coalesced on their way, so that
    /// the time between them is not known.
    pub read: u32,
    /// What came.
    pub event: Event,
}

/// The stamps of one exchange, in the order of the clock:
/// `intended <= send <= headers <= first_byte <= events <= end`.
///
/// A stamp that stands before the one it is measured from is a fault of whoever took it; the metric is then
/// absent rather than 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    /// When the request was meant to start: the schedule's time under an open loop, else the moment at which
    /// the caller asked.
    pub intended: Instant,
    /// When the request's first byte was written.
    pub send: Instant,
    /// When the response headers were complete.
    pub headers: Option<Instant>,
    /// When the first bytes of the body arrived.
    pub first_byte: Option<Instant>,
    /// The events of a streamed answer in order; empty when nothing was streamed.
    pub events: Vec<Stamped>,
    /// When the last bytes of the response arrived.
    pub end: Instant,
    /// Whether the answer was streamed as events, rather than sent as one body.
    pub streamed: bool,
}
