//! What models are ranked by.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

/// What models are ranked by. Other than a [`Metric`](crate::metric::Metric) it is no cost: of two of these more is
/// better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Time to first token, in seconds.
    Ttft,
    /// Output tokens a second.
    Tps,
    /// Time of a whole request, in seconds.
    E2eLatency,
    /// Requests a second.
    Rps,
}

/// A name that is no quality.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no quality `{0}`; there are ttft, tps, e2e_latency and rps")]
pub struct QualityError(String);

impl Quality {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 4] = [Self::Ttft, Self::Tps, Self::E2eLatency, Self::Rps];

    /// The name in addresses, files and replies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ttft => "ttft",
            Self::Tps => "tps",
            Self::E2eLatency => "e2e_latency",
            Self::Rps => "rps",
        }
    }

    /// The unit of its values.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Ttft | Self::E2eLatency => "s",
            Self::Tps => "tokens/s",
            Self::Rps => "requests/s",
        }
    }

    /// Whether a lower value is better.
    pub fn lower_is_better(self) -> bool {
        matches!(self, Self::Ttft | Self::E2eLatency)
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Quality {
    type Err = QualityError;

    fn from_str(name: &str) -> Result<Self, QualityError> {
        Self::ALL.into_iter().find(|quality| quality.name() == name).ok_or_else(|| QualityError(name.into()))
    }
}
