//! Prompts with the complexity that a person gave them: `fixtures/routing_prompts.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

use super::Complexity;
use crate::scenario;

/// A labelled prompt.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// The prompt.
    pub text: String,
    /// Its label.
    pub complexity: Complexity,
    /// Whether it is one of the few of a short run.
    #[serde(default)]
    pub smoke: bool,
    /// Whether its latency is measured.
    #[serde(default)]
    pub latency: bool,
}

#[derive(Deserialize)]
struct File {
    prompts: Vec<Prompt>,
}

/// All labelled prompts.
pub fn prompts() -> &'static [Prompt] {
    static PROMPTS: LazyLock<Vec<Prompt>> = LazyLock::new(|| {
        let file: Result<File, _> = toml::from_str(scenario::ROUTING_PROMPTS);
        file.unwrap_or_else(|error| unreachable!("a test reads the embedded prompts: {error}")).prompts
    });
    &PROMPTS
}

/// The nine of a short run, three of each class.
pub fn smoke() -> Vec<Prompt> {
    prompts().iter().filter(|prompt| prompt.smoke).cloned().collect()
}

/// Those of a class, of all or of the scenario's, whose latency is measured.
pub(super) fn of_class(complexity: Complexity, only_scenario: bool) -> Vec<&'static Prompt> {
    let asked = &scenario::routing().questions;
    let wanted = |prompt: &&Prompt| {
        prompt.complexity == complexity && (!only_scenario || asked.contains(&prompt.text))
    };
    prompts().iter().filter(wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompts_are_many_of_each_class_and_the_scenario_asks_two_of_each() {
        for complexity in Complexity::ALL {
            assert!(of_class(complexity, false).len() >= 20);
            let measured = of_class(complexity, true);
            assert_eq!((measured.len(), measured.iter().all(|prompt| prompt.latency)), (2, true));
            assert_eq!(smoke().iter().filter(|prompt| prompt.complexity == complexity).count(), 3);
        }
    }
}
