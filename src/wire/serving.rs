//! How a simulated engine serves.
//!
//! A client cannot choose how many requests a server takes at once, or in which batches. Where just that is
//! compared, whoever asks says so in a header beside the request, and the simulator serves it as an engine of that
//! kind would. A live target is never told.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The request header that carries a [`Serving`] to the mock.
pub const SERVING_HEADER: &str = "x-llmlab-serving";

/// What differs from the way in which the simulated engine serves by itself. Requests of one kind share an engine;
/// those of another kind have one of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serving {
    /// Requests served at once; more wait in the order they came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<NonZeroUsize>,
    /// How `/generate` batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batching: Option<Batching>,
}

/// Dynamic batching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batching {
    /// A batch starts when it holds this many requests...
    pub size: NonZeroUsize,
    /// ...or when its first request has waited this many microseconds.
    pub window_us: u64,
}

impl Batching {
    /// How long the first request of a batch waits for others.
    pub fn window(&self) -> Duration {
        Duration::from_micros(self.window_us)
    }
}

impl Serving {
    /// As the value of [`SERVING_HEADER`]: JSON in ASCII.
    pub fn to_header(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| unreachable!("numbers: {error}"))
    }

    /// Reads a header's value.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_header(value: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(value)
    }
}
