//! Every optimisation by name: the one place that says which groups, and which sweeps, belong to it.

use super::{
    batching, caching, concurrency, connection, parallelism, routing, semantic_cache, speculation, streaming,
    topology,
};
use crate::experiment::Group;
use crate::mock::Defect;

/// An optimisation that can be measured by its name.
#[derive(Debug, Clone)]
pub struct Optimization {
    /// Its name, everywhere: bench, module, scenario and command-line argument.
    pub name: &'static str,
    /// What it answers, in a sentence.
    pub question: &'static str,
    broken_by: Defect,
    /// Groups whose formula assumes something else.
    but: &'static [(&'static str, Defect)],
    groups: fn() -> Vec<Group>,
}

/// Streamed against whole answers.
pub const STREAMING: Optimization = Optimization {
    name: "streaming",
    question: "How much sooner does a reader see something when the answer is streamed?",
    broken_by: Defect::Buffered,
    but: &[],
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
    broken_by: Defect::Uncached,
    but: &[],
    groups: || {
        vec![
            caching::prefix(&caching::PREFIX_TOKENS),
            caching::warm_up(),
            caching::automatic(&caching::AUTOMATIC_TOKENS),
        ]
    },
};

/// No cache of answers, an exact and a semantic one.
pub const SEMANTIC_CACHE: Optimization = Optimization {
    name: "semantic_cache",
    question: "What does a cache of answers save, and how often is it wrong?",
    broken_by: Defect::AnswerCache,
    but: &[],
    groups: || {
        vec![
            semantic_cache::stream(&semantic_cache::FAMILIAR_PERCENT),
            semantic_cache::lookup(&semantic_cache::ENTRIES),
        ]
    },
};

/// Tools and agents together against one after another.
pub const PARALLELISM: Optimization = Optimization {
    name: "parallelism",
    question: "What do tools and agents save that work at the same time?",
    broken_by: Defect::SerialTools,
    but: &[],
    groups: || {
        vec![
            parallelism::tools(),
            parallelism::width(),
            parallelism::cap(),
            parallelism::order(),
            parallelism::failing(),
            parallelism::fraction(),
            parallelism::looped(),
            parallelism::agents(),
        ]
    },
};

/// One agent, several at once, or several under a supervisor.
pub const TOPOLOGY: Optimization = Optimization {
    name: "topology",
    question: "What does each way of sharing a task between agents cost in time, and what do checkpoints add?",
    broken_by: Defect::Contended,
    but: &[("topology/context", Defect::HiddenCache)],
    groups: || {
        vec![
            topology::topologies(),
            topology::specialists(&topology::SPECIALISTS),
            topology::complexity(),
            topology::context(&topology::DOCUMENT_TOKENS),
            topology::checkpoint::group(&topology::checkpoint::cases(), topology::checkpoint::SUPERSTEPS),
        ]
    },
};

/// New against reused connections.
pub const CONNECTION: Optimization = Optimization {
    name: "connection",
    question: "What does it cost to open a connection for each request?",
    broken_by: Defect::Closing,
    but: &[],
    groups: || {
        vec![
            connection::reuse(&connection::RTT_MS),
            connection::tls(),
            connection::http(),
            connection::prompt(&connection::PROMPT_KB),
        ]
    },
};

/// Tool calls on suspicion against tool calls on demand.
pub const SPECULATION: Optimization = Optimization {
    name: "speculation",
    question: "What do tool calls save that are made before the model asks for them?",
    broken_by: Defect::StaleGuesses,
    but: &[("speculation/wrong", Defect::SerialTools)],
    groups: || {
        vec![speculation::accuracy(), speculation::ratio(), speculation::guesses(), speculation::all_wrong()]
    },
};

/// Prompts all at once against one after another, at the client and at the server.
pub const BATCHING: Optimization = Optimization {
    name: "batching",
    question: "What is gained by prompts that are not sent, or not served, one after another?",
    broken_by: Defect::Contended,
    but: &[],
    groups: || {
        vec![
            batching::fan_out(&batching::PROMPTS),
            batching::server(&batching::CONCURRENCY),
            batching::size(&batching::SIZES),
            batching::window(&batching::WINDOW_MS),
        ]
    },
};

/// Many requests at once against one after another.
pub const CONCURRENCY: Optimization = Optimization {
    name: "concurrency",
    question: "How much more is answered when more is asked at once, and what does each request pay?",
    broken_by: Defect::Contended,
    but: &[],
    groups: || vec![concurrency::levels(&concurrency::LEVELS), concurrency::open(&concurrency::LOADS)],
};

/// Everything to the large model, or easy questions to a small one.
pub const ROUTING: Optimization = Optimization {
    name: "routing",
    question: "Which questions does a router make faster, and which slower?",
    broken_by: Defect::SlowSmall,
    but: &[],
    groups: || vec![routing::by_complexity(), routing::share(&routing::SIMPLE_PERCENT)],
};

/// Every optimisation, in the order in which `all` runs them.
pub static ALL: [Optimization; 10] = [
    STREAMING,
    CACHING,
    SEMANTIC_CACHE,
    PARALLELISM,
    BATCHING,
    CONCURRENCY,
    ROUTING,
    TOPOLOGY,
    SPECULATION,
    CONNECTION,
];

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
    /// What the simulated world can do so that the predictions of a group fail: every formula has an assumption.
    pub fn broken_by(&self, group: &str) -> Defect {
        self.but.iter().find(|(name, _)| *name == group).map_or(self.broken_by, |(_, defect)| *defect)
    }

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
