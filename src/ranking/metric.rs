//! What models are ranked by.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What models are ranked by. A [`Metric`](crate::metric::Metric) is a cost; of two of these more is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RankedMetric {
    /// Time to first token, in seconds.
    Ttft,
    /// Output tokens a second.
    Tps,
    /// Time of a whole request, in seconds.
    E2eLatency,
    /// Requests a second.
    Rps,
}

impl RankedMetric {
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

impl fmt::Display for RankedMetric {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
