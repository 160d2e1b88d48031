//! What a session does, as OpenTelemetry's spans: one for the run, and below it one for each group, round, arm's turn,
//! request and tool call.
//!
//! Nothing of it is on the measured path. An observer of the session moves what it is told into a queue and never waits;
//! what does not fit is counted. A thread of its own makes spans of it afterwards, from the stamps of the records, and
//! hands them on in batches. A collector that is slow or gone costs spans and never a measurement.
//!
//! Requests follow OpenTelemetry's conventions for generative AI (`gen_ai.*`); what only the lab knows is `llmlab.*`.

#[cfg(not(feature = "otel"))]
mod disabled;
#[cfg(feature = "otel")]
mod enabled;
mod summary;

#[cfg(not(feature = "otel"))]
pub use disabled::{Tracing, init_tracing};
#[cfg(feature = "otel")]
pub use enabled::{Tracing, init_tracing};
pub use summary::{Sent, Summary};

pub use crate::settings::TracingConfig;

/// Why there are no traces.
#[derive(Debug, thiserror::Error)]
pub enum TracingError {
    /// This build has none.
    #[error(
        "traces were asked for (LLMLAB_TRACE, init_tracing), and this build has none: build it with `--features otel`"
    )]
    NotBuilt,
    /// A collector's address is none.
    #[error("traces cannot go to {to}: {reason}")]
    Address {
        /// For which destination.
        to: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Something cannot stand in a header. It is not shown, since it may be a key.
    #[error("traces cannot go to {to}: a header's name or value holds what no header can carry")]
    Header {
        /// For which destination.
        to: &'static str,
    },
    /// The thread that hands them on cannot start.
    #[error("could not start the thread for traces: {0}")]
    Thread(#[from] std::io::Error),
}
