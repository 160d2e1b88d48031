//! Tasks: what is asked, with how many tokens.
//!
//! A scenario is a file in `scenarios/`, named after the optimisation that uses it. Prompts of any length
//! are made by [`prose`].

mod prose;

pub use prose::{TOKEN_BYTES, prose, tokens};

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64;

/// A task with its prompts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name: that of its file.
    pub name: String,
    /// What it stands for.
    pub description: String,
    /// The system prompt's fixed part.
    pub system: String,
    /// Questions, asked in turn.
    pub questions: Vec<String>,
    /// Tokens to answer with.
    pub max_tokens: u32,
}

impl Scenario {
    /// The question of a round: all arms of a round ask the same one.
    pub fn question(&self, round: u32) -> &str {
        &self.questions[round as usize % self.questions.len()]
    }
}

macro_rules! scenario {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        pub fn $name() -> &'static Scenario {
            static SCENARIO: LazyLock<Scenario> = LazyLock::new(|| {
                let text = include_str!(concat!("../../scenarios/", stringify!($name), ".toml"));
                toml::from_str(text).unwrap_or_else(|error| unreachable!("a test reads the embedded scenario: {error}"))
            });
            &SCENARIO
        }
    )+

    /// The text of the scenario's file.
    fn text(name: &str) -> Option<&'static str> {
        match name {
            $(stringify!($name) => Some(include_str!(concat!("../../scenarios/", stringify!($name), ".toml"))),)+
            _ => None,
        }
    }

        #[cfg(test)]
        mod tests {
            #[test]
            fn every_scenario_is_named_after_its_file_and_asks_something() {
                $(
                    let scenario = super::$name();
                    assert_eq!(scenario.name, stringify!($name));
                    assert!(!scenario.questions.is_empty() && scenario.max_tokens > 1);
                )+
            }
        }
    };
}

/// A hash of what `groups` ask: of the files of the scenarios that they are named after, the same on every
/// machine. Absent where no group is named after one.
pub fn hash_of<'a>(groups: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let names: BTreeSet<_> = groups.into_iter().filter_map(|group| group.split('/').next()).collect();
    let texts: Vec<_> = names.into_iter().filter_map(text).collect();
    // A checkout may have changed how lines end.
    let asked = texts.join("\n").replace("\r\n", "\n");
    (!texts.is_empty()).then(|| format!("{:016x}", xxh3_64(asked.as_bytes())))
}

scenario!(
    /// Questions over one long system prompt.
    caching,
    /// One open question, answered at length.
    streaming,
);
