//! Tasks: what is asked, with how many tokens.
//!
//! A scenario is a file in `scenarios/`, named after the optimisation that uses it, or after the category of its
//! [`Task`]s, which every optimisation can be tried on. Prompts of any length are made by [`prose`].

mod prose;
mod retrieve;
mod task;
mod tools;

pub use prose::{TOKEN_BYTES, prose, tokens};
pub use retrieve::{Corpus, Passage};
pub use task::{Category, Expected, Retrieval, Size, Task, Tasks, Turn, category, task, tasks};
pub use tools::{Call, Tool};

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
    /// The agents that share the work, where there are several.
    #[serde(default)]
    pub agents: Vec<Agent>,
}

/// One of several agents that work on a task.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// What it is.
    pub name: String,
    /// Its system prompt.
    pub system: String,
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

/// Labelled pairs of questions, for the semantic cache.
pub const SEMANTIC_PAIRS: &str = include_str!("../../fixtures/semantic_pairs.toml");
/// Labelled prompts, for routing.
pub const ROUTING_PROMPTS: &str = include_str!("../../fixtures/routing_prompts.toml");

/// What a scenario asks beside its own questions.
fn labelled(name: &str) -> Option<&'static str> {
    match name {
        "routing" => Some(ROUTING_PROMPTS),
        "semantic_cache" => Some(SEMANTIC_PAIRS),
        _ => None,
    }
}

/// A hash of what `groups` ask: of the files of the scenarios that they are named after, the same on every
/// machine. Absent where no group is named after one.
pub fn hash_of<'a>(groups: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let names: BTreeSet<_> = groups.into_iter().filter_map(|group| group.split('/').next()).collect();
    let texts: Vec<_> = names
        .into_iter()
        .flat_map(|name| {
            let own = [text(name), labelled(name)].into_iter().flatten();
            own.chain(task::texts(name).iter().copied())
        })
        .collect();
    // A checkout may have changed how lines end.
    let asked = texts.join("\n").replace("\r\n", "\n");
    (!texts.is_empty()).then(|| format!("{:016x}", xxh3_64(asked.as_bytes())))
}

scenario!(
    /// Prompts that do not depend on each other.
    batching,
    /// Questions over one long system prompt.
    caching,
    /// Four sources that are asked for in one turn.
    parallelism,
    /// Prompts of three complexities.
    routing,
    /// Questions at a help desk, many of them asked before.
    semantic_cache,
    /// A lookup in every step.
    speculation,
    /// Questions so short that the way there is what takes time.
    connection,
    /// One short question, asked by many at once.
    concurrency,
    /// Questions of which a load makes as many as it needs.
    load,
    /// One open question, answered at length.
    streaming,
    /// One task for one agent or several.
    topology,
);
