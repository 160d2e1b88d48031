//! Which number of an exported result is meant: `p95`, `ttft_p50`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::verdict::Quantile;

/// What is measured in an exported result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cost {
    /// The total latency.
    Latency,
    /// The time to the first token.
    Ttft,
}

/// A quantile of a cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Figure {
    /// What is measured.
    pub cost: Cost,
    /// The quantile of it.
    pub quantile: Quantile,
}

impl Figure {
    /// The median of the total latency.
    pub const P50: Self = Self { cost: Cost::Latency, quantile: Quantile::P50 };
    /// The 95th percentile of the total latency.
    pub const P95: Self = Self { cost: Cost::Latency, quantile: Quantile::P95 };
    /// The 99th percentile of the total latency.
    pub const P99: Self = Self { cost: Cost::Latency, quantile: Quantile::P99 };
    /// The median of the time to the first token.
    pub const TTFT_P50: Self = Self { cost: Cost::Ttft, quantile: Quantile::P50 };

    /// The figure as a heading: `TTFT p50`.
    pub fn title(self) -> String {
        match self.cost {
            Cost::Latency => self.quantile.to_string(),
            Cost::Ttft => format!("TTFT {}", self.quantile),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.cost == Cost::Ttft { "ttft_" } else { "" };
        write!(formatter, "{prefix}{}", self.quantile)
    }
}

impl FromStr for Figure {
    type Err = UnknownFigure;

    fn from_str(text: &str) -> Result<Self, UnknownFigure> {
        let (cost, rest) = match text.strip_prefix("ttft_") {
            Some(rest) => (Cost::Ttft, rest),
            None => (Cost::Latency, text),
        };
        Ok(Self { cost, quantile: rest.parse().map_err(|_| UnknownFigure)? })
    }
}

/// A text that names no [`Figure`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected p50, p90, p95, p99 (of the total latency), or one of them after ttft_, such as ttft_p50")]
pub struct UnknownFigure;
