//! Limits of single benchmarks, from a file that is committed beside the baselines.

use std::fs;
use std::path::Path;

use regex::Regex;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::GateError;
use crate::baseline::Measured;
use crate::settings::share;

/// Rules of a gate:
///
/// ```toml
/// max_regress = "10%"
///
/// [[benchmark]]
/// id = "^caching/ttft/cached/"    # a regular expression
/// max_regress = "5%"
///
/// [[benchmark]]
/// id = "/tpot/"
/// gate = false                    # shown, and never fails
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesFile {
    /// The slowdown from which on a benchmark fails, as a fraction, unless a rule of its own says otherwise.
    #[serde(default, deserialize_with = "limit")]
    pub max_regress: Option<f64>,
    /// Rules of single benchmarks; of several that match, the last one counts.
    #[serde(default)]
    pub benchmark: Vec<BenchmarkRule>,
}

/// A rule of the benchmarks whose id matches.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BenchmarkRule {
    /// The ids.
    #[serde(deserialize_with = "pattern")]
    pub id: Regex,
    /// The slowdown from which on they fail, as a fraction.
    #[serde(default, deserialize_with = "limit")]
    pub max_regress: Option<f64>,
    /// Whether they may fail. Without it, all metrics of simulated and replayed runs may, and the primary ones
    /// of live runs.
    #[serde(default)]
    pub gate: Option<bool>,
}

impl RulesFile {
    /// Reads `path`.
    ///
    /// # Errors
    /// When it cannot be read or says something that is no rule.
    pub fn read(path: &Path) -> Result<Self, GateError> {
        let refuse = |reason: String| GateError::Rules { path: path.into(), reason };
        let text = fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        toml::from_str(&text).map_err(|error| refuse(error.to_string().trim_end().into()))
    }

    /// The rule that counts for a benchmark.
    pub(super) fn of(&self, benchmark: &Measured) -> Option<&BenchmarkRule> {
        self.benchmark.iter().rev().find(|rule| rule.id.is_match(&benchmark.id))
    }

    /// Refuses a rule that matches nothing: a misspelt one would let everything pass.
    pub(super) fn check<'a>(
        &self,
        benchmarks: impl Iterator<Item = &'a Measured> + Clone,
    ) -> Result<(), GateError> {
        let matches =
            |rule: &&BenchmarkRule| benchmarks.clone().any(|benchmark| rule.id.is_match(&benchmark.id));
        let idle = self.benchmark.iter().find(|rule| !matches(rule));
        idle.map_or(Ok(()), |rule| Err(GateError::IdleRule { id: rule.id.as_str().into() }))
    }
}

fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    share(&text).map(Some).map_err(Error::custom)
}

fn pattern<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Regex, D::Error> {
    let text = String::deserialize(deserializer)?;
    Regex::new(&text).map_err(Error::custom)
}
