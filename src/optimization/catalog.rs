//! Every optimisation by name: the one place that says which groups, and which sweeps, belong to it.

use super::{caching, streaming};
use crate::experiment::Group;
use crate::metric::Metric;

/// An optimisation that can be measured by its name.
#[derive(Debug, Clone)]
pub struct Optimization {
    /// Its name, everywhere: bench, module, scenario and command-line argument.
    pub name: &'static str,
    /// What it answers, in a sentence.
    pub question: &'static str,
    /// What is published about it.
    pub claim: Claim,
    groups: fn() -> Vec<Group>,
}

/// A published gain.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The claim in a few words.
    pub text: &'static str,
    /// The metric that it speaks of.
    pub metric: Metric,
    /// The share by which the metric is said to fall, from and to; for a claim of "up to", both are that.
    pub window: (f64, f64),
}

/// Streamed against whole answers.
pub const STREAMING: Optimization = Optimization {
    name: "streaming",
    question: "How much sooner does a reader see something when the answer is streamed?",
    claim: Claim {
        text: "up to 60-80% less perceived latency",
        metric: Metric::PERCEIVED,
        window: streaming::CLAIM,
    },
    groups: || {
        vec![
            streaming::length(&streaming::ANSWER_TOKENS),
            streaming::complexity(),
            streaming::chunked(&streaming::WORK),
        ]
    },
};

/// Cached against uncached prompts.
pub const CACHING: Optimization = Optimization {
    name: "caching",
    question: "Does prompt caching pay, and from which prefix length on?",
    claim: Claim { text: "up to 85% less latency on cache hits", metric: Metric::TTFT, window: (0.85, 0.85) },
    groups: || {
        vec![
            caching::prefix(&caching::PREFIX_TOKENS),
            caching::warm_up(),
            caching::automatic(&caching::AUTOMATIC_TOKENS),
        ]
    },
};

/// Every optimisation, in the order in which `all` runs them.
pub static ALL: [Optimization; 2] = [STREAMING, CACHING];

/// A name that is no optimisation's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no optimisation{}; known are {}", suggestion.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default(), names().join(", "))]
pub struct UnknownOptimization {
    /// The name.
    pub name: String,
    /// The nearest one that is known.
    pub suggestion: Option<&'static str>,
}

impl Optimization {
    /// Its groups with their default sweeps; the first one is the comparison itself.
    pub fn groups(&self) -> Vec<Group> {
        (self.groups)()
    }
}

/// The optimisation of that name.
///
/// # Errors
/// When there is none; the error lists those there are.
pub fn find(name: &str) -> Result<&'static Optimization, UnknownOptimization> {
    ALL.iter()
        .find(|known| known.name == name)
        .ok_or_else(|| UnknownOptimization { name: name.into(), suggestion: nearest(name) })
}

fn names() -> Vec<&'static str> {
    ALL.iter().map(|known| known.name).collect()
}

/// The name that differs in the fewest letters, or that `name` begins.
fn nearest(name: &str) -> Option<&'static str> {
    let begun = names().into_iter().find(|known| !name.is_empty() && known.starts_with(name));
    begun.or_else(|| {
        let near = names().into_iter().map(|known| (strsim::damerau_levenshtein(name, known), known));
        near.min().filter(|(letters, _)| *letters <= 3).map(|(_, known)| known)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_and_the_list() {
        let text = find("streamin").unwrap_err().to_string();
        assert!(text.contains("did you mean `streaming`?") && text.contains("streaming, caching"), "{text}");
        let text = find("warp").unwrap_err().to_string();
        assert!(!text.contains("did you mean") && text.contains("known are"), "{text}");
    }

    #[test]
    fn every_group_is_named_after_its_optimisation_and_has_its_control() {
        for optimization in &ALL {
            assert_eq!(find(optimization.name).unwrap().name, optimization.name);
            for group in optimization.groups() {
                assert!(group.name.starts_with(optimization.name), "{}", group.name);
                assert!(group.arms.iter().any(|arm| arm.name == group.control), "{}", group.name);
            }
        }
    }
}
