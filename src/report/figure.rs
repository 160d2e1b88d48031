//! Which number of an exported result is meant: `p95`, `ttft_p50`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::metric::Metric;
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

/// Milliseconds in the unit that reads best: `1.50 s`.
pub(super) fn time(milliseconds: f64) -> String {
    Metric::TOTAL.show(milliseconds * 1e6)
}

/// A change in percent with its sign: `+12.3%`.
pub(super) fn signed(percent: f64) -> String {
    // A change that rounds to nothing has no sign.
    let shown = format!("{percent:+.1}%").replace('-', "−");
    if shown == "−0.0%" { "+0.0%".into() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_read_as_it_is_written() {
        for text in ["p50", "p95", "ttft_p50", "ttft_p99"] {
            assert_eq!(text.parse::<Figure>().unwrap().to_string(), text);
        }
        assert_eq!("mean".parse::<Figure>(), Err(UnknownFigure));
        assert_eq!("ttft_".parse::<Figure>(), Err(UnknownFigure));
    }

    #[test]
    fn a_change_always_has_its_sign() {
        assert_eq!([12.34, -3.0, -0.001].map(signed), ["+12.3%", "−3.0%", "+0.0%"]);
    }
}
