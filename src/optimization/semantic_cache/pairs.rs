//! The questions that put a semantic cache on trial: `fixtures/semantic_pairs.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::scenario;

/// Two questions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The one that was asked before.
    pub a: String,
    /// The one that is asked now.
    pub b: String,
    /// What tells them apart, of a near miss: `number`, `negation`.
    #[serde(default)]
    pub kind: Option<String>,
}

/// Labelled pairs of questions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pairs {
    /// Two ways to ask one thing: they deserve the same answer.
    pub paraphrases: Vec<Pair>,
    /// Two questions that look alike and must not share an answer.
    pub near_misses: Vec<Pair>,
}

/// All labelled pairs.
pub fn pairs() -> &'static Pairs {
    static PAIRS: LazyLock<Pairs> = LazyLock::new(|| {
        toml::from_str(scenario::SEMANTIC_PAIRS)
            .unwrap_or_else(|error| unreachable!("a test reads the embedded pairs: {error}"))
    });
    &PAIRS
}

/// The half on which a threshold is chosen: every second of some pairs, from the first on.
pub(super) fn tuning<T>(pairs: &[T]) -> impl Iterator<Item = &T> {
    pairs.iter().step_by(2)
}

/// The other half, on which the choice is judged.
pub(super) fn held_out<T>(pairs: &[T]) -> impl Iterator<Item = &T> {
    pairs.iter().skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_pairs_are_many_and_no_question_is_in_two_of_them() {
        let pairs = pairs();
        assert!(pairs.paraphrases.len() >= 100 && pairs.near_misses.len() >= 100);
        assert!(pairs.near_misses.iter().all(|pair| pair.kind.is_some()));
        let all = || pairs.paraphrases.iter().chain(&pairs.near_misses).flat_map(|pair| [&pair.a, &pair.b]);
        assert_eq!(all().collect::<BTreeSet<_>>().len(), all().count());
    }
}
