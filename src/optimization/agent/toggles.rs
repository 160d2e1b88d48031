//! Optimisations as switches.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One optimisation that a task can be run with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Toggle {
    /// Answers are read as they come.
    Streaming,
    /// The conversation so far is read from the prompt cache.
    CacheControl,
    /// The tools of a turn run together.
    ParallelTools,
    /// A question that was asked before, word for word, is answered from a cache of one's own.
    ExactCache,
    /// The same for a question that is like an earlier one.
    SemanticCache,
    /// A small model answers what is easy.
    Routing,
    /// Likely tool calls are made before the model asks for them.
    Speculation,
    /// Requests share connections.
    ConnectionReuse,
}

impl Toggle {
    /// Every toggle.
    pub const ALL: [Self; 8] = [
        Self::Streaming,
        Self::CacheControl,
        Self::ParallelTools,
        Self::ExactCache,
        Self::SemanticCache,
        Self::Routing,
        Self::Speculation,
        Self::ConnectionReuse,
    ];

    /// Pairs that exclude each other, and why.
    const CONFLICTS: [(Self, Self, &'static str); 1] =
        [(Self::ExactCache, Self::SemanticCache, "the semantic cache finds repeated questions too")];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Streaming => "streaming",
            Self::CacheControl => "cache_control",
            Self::ParallelTools => "parallel_tools",
            Self::ExactCache => "exact_cache",
            Self::SemanticCache => "semantic_cache",
            Self::Routing => "routing",
            Self::Speculation => "speculation",
            Self::ConnectionReuse => "connection_reuse",
        }
    }

    /// All names, for a message.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for Toggle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Toggle {
    type Err = TogglesError;

    fn from_str(text: &str) -> Result<Self, TogglesError> {
        let known = Self::ALL.into_iter().find(|toggle| toggle.name() == text);
        known.ok_or_else(|| TogglesError::Unknown(text.into()))
    }
}

/// A legal combination of toggles; none of them is the unoptimised task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "BTreeSet<Toggle>", into = "BTreeSet<Toggle>")]
pub struct Toggles(BTreeSet<Toggle>);

/// Why toggles cannot be set together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TogglesError {
    /// No toggle has that name.
    #[error("`{0}` is no toggle; there are {names}", names = Toggle::names())]
    Unknown(String),
    /// Two exclude each other.
    #[error("{0} and {1} cannot be set together: {2}")]
    Conflict(Toggle, Toggle, &'static str),
}

impl Toggles {
    /// These toggles together.
    ///
    /// # Errors
    /// When two exclude each other.
    pub fn of(toggles: impl IntoIterator<Item = Toggle>) -> Result<Self, TogglesError> {
        Self::try_from(toggles.into_iter().collect::<BTreeSet<_>>())
    }

    /// Whether a toggle is set.
    pub fn has(&self, toggle: Toggle) -> bool {
        self.0.contains(&toggle)
    }

    /// Every legal combination of these toggles, the empty one first, fewer before more.
    pub fn combinations(toggles: &[Toggle]) -> Vec<Self> {
        let chosen =
            |bits: u32| (0..).zip(toggles).filter(move |(bit, _)| bits & (1 << bit) != 0).map(|(_, t)| *t);
        let mut all: Vec<_> =
            (0..1_u32 << toggles.len()).filter_map(|bits| Self::of(chosen(bits)).ok()).collect();
        all.sort_by_key(|combination| combination.0.len());
        all
    }
}

impl TryFrom<BTreeSet<Toggle>> for Toggles {
    type Error = TogglesError;

    fn try_from(toggles: BTreeSet<Toggle>) -> Result<Self, TogglesError> {
        let both =
            |(one, other, _): &&(Toggle, Toggle, &str)| toggles.contains(one) && toggles.contains(other);
        match Toggle::CONFLICTS.iter().find(both) {
            Some(&(one, other, why)) => Err(TogglesError::Conflict(one, other, why)),
            None => Ok(Self(toggles)),
        }
    }
}

impl From<Toggles> for BTreeSet<Toggle> {
    fn from(toggles: Toggles) -> Self {
        toggles.0
    }
}

/// `streaming,parallel_tools`; the empty text, `none` and `baseline` set nothing.
impl FromStr for Toggles {
    type Err = TogglesError;

    fn from_str(text: &str) -> Result<Self, TogglesError> {
        let names =
            text.split([',', '+']).map(str::trim).filter(|name| !["", "none", "baseline"].contains(name));
        Self::try_from(names.map(str::parse).collect::<Result<BTreeSet<_>, _>>()?)
    }
}

/// As [`FromStr`] reads it, with `+` between names; `baseline` where nothing is set.
impl fmt::Display for Toggles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("baseline");
        }
        let names: Vec<_> = self.0.iter().map(|toggle| toggle.name()).collect();
        formatter.write_str(&names.join("+"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_legal_combination_reads_as_it_is_written() {
        let all = Toggles::combinations(&Toggle::ALL);
        // Half of the combinations of the other six hold both caches.
        assert_eq!(all.len(), (1 << 8) - (1 << 6));
        for combination in all {
            assert_eq!(combination.to_string().parse::<Toggles>(), Ok(combination.clone()));
            let json = serde_json::to_string(&combination).unwrap();
            assert_eq!(serde_json::from_str::<Toggles>(&json).unwrap(), combination);
        }
    }

    #[test]
    fn toggles_that_exclude_each_other_are_refused_with_the_reason() {
        let error = "exact_cache,semantic_cache".parse::<Toggles>().unwrap_err().to_string();
        assert!(error.contains("exact_cache and semantic_cache") && error.contains("repeated"), "{error}");
        let error = "warp".parse::<Toggles>().unwrap_err().to_string();
        assert!(error.contains("`warp`") && error.contains("parallel_tools"), "{error}");
        assert!(serde_json::from_str::<Toggles>("[\"exact_cache\",\"semantic_cache\"]").is_err());
    }
}
