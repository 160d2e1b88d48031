//! Latencies as an exported result holds them, and the quantiles that are read from them.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

use crate::stats;

/// The fewest values on either side of a gate, whatever the quantile.
const LEAST_VALUES: usize = 20;

/// A quantile that exported results hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantile {
    /// The median.
    P50,
    /// The 90th percentile.
    P90,
    /// The 95th percentile.
    P95,
    /// The 99th percentile.
    P99,
}

impl Quantile {
    /// All of them, in ascending order.
    pub const ALL: [Self; 4] = [Self::P50, Self::P90, Self::P95, Self::P99];

    /// Its position, in 0..1.
    pub fn position(self) -> f64 {
        match self {
            Self::P50 => 0.50,
            Self::P90 => 0.90,
            Self::P95 => 0.95,
            Self::P99 => 0.99,
        }
    }

    /// Its name in flags and files: `p95`.
    pub fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
        }
    }

    /// How many values each side needs before a change of it can fail a gate: the floor of
    /// [`stats::gate_floor`] (44 for p90, 90 for p95, 459 for p99), and 20 at least.
    pub fn floor(self) -> usize {
        stats::gate_floor(self.position()).unwrap_or_default().max(LEAST_VALUES)
    }
}

impl fmt::Display for Quantile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Quantile {
    type Err = UnknownQuantile;

    fn from_str(text: &str) -> Result<Self, UnknownQuantile> {
        let known = Self::ALL.into_iter().find(|quantile| quantile.name() == text);
        known.ok_or_else(|| UnknownQuantile(text.into()))
    }
}

/// A quantile that is none of [`Quantile::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown quantile {0:?}: expected p50, p90, p95 or p99")]
pub struct UnknownQuantile(String);

/// One configuration's latencies as an export holds them, in milliseconds: the single values, or only what
/// was computed from them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    /// The values, in the order in which they were measured; empty when the export has a summary alone.
    pub values: Vec<f64>,
    /// The quantiles that the export states.
    pub stated: Vec<(Quantile, f64)>,
    /// How many values the export says it rests on.
    pub count: Option<usize>,
}

impl Samples {
    /// Samples of single values.
    pub fn of(values: Vec<f64>) -> Self {
        Self { count: Some(values.len()), values, stated: Vec::new() }
    }

    /// The quantile: of the values (type 7) where there are any, else as stated.
    pub fn quantile(&self, quantile: Quantile) -> Option<f64> {
        if self.values.is_empty() {
            return self.stated.iter().find(|(known, _)| *known == quantile).map(|&(_, value)| value);
        }
        stats::quantile(&stats::sorted(&self.values), quantile.position())
    }

    /// How many values there are, or were.
    pub fn n(&self) -> Option<usize> {
        if self.values.is_empty() { self.count } else { Some(self.values.len()) }
    }

    /// Whether there is neither a value nor a stated quantile.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.stated.is_empty()
    }
}
