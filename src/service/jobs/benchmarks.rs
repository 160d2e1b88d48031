//! What can be run.

use serde::Serialize;
use utoipa::ToSchema;

use super::JobRequest;
use crate::experiment::Group;
use crate::optimization::{self, Optimization, agent, streaming};
use crate::scenario;

/// The name under which others know [`optimization::PARALLELISM`].
const PARALLEL: &str = "parallel";
/// Every optimisation in turn.
const ALL: &str = "all";
/// Every task as it is.
const BASELINE: &str = "baseline";

/// Something that can be run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Benchmark {
    /// Its name in addresses.
    #[serde(rename = "type")]
    #[schema(example = "streaming")]
    pub kind: String,
    /// Its name for people.
    pub name: String,
    /// The question it answers.
    pub description: String,
    /// How long it takes, in words.
    pub expected_duration: String,
    /// What it measures.
    pub metrics: Vec<String>,
    #[serde(skip)]
    optimization: Option<&'static Optimization>,
}

/// All of them, as they are listed.
pub fn benchmarks() -> Vec<Benchmark> {
    let known = optimization::ALL.iter().map(of_optimization);
    let all = Benchmark {
        kind: ALL.into(),
        name: "All".into(),
        description: "Each optimisation in turn.".into(),
        expected_duration: "some minutes for 5 runs of the simulator".into(),
        metrics: names(optimization::ALL.iter().flat_map(Optimization::groups)),
        optimization: None,
    };
    let baseline = Benchmark {
        kind: BASELINE.into(),
        name: "Baseline".into(),
        description: "What does every task take before anything is optimised?".into(),
        expected_duration: seconds(30),
        metrics: names(baseline()),
        optimization: None,
    };
    known.chain([baseline, all]).collect()
}

/// The benchmark of that name.
pub fn find(kind: &str) -> Option<Benchmark> {
    let kind = if kind == optimization::PARALLELISM.name { PARALLEL } else { kind };
    benchmarks().into_iter().find(|known| known.kind == kind)
}

impl Benchmark {
    /// Whether it can ask a prompt of one's own.
    pub fn takes_prompt(&self) -> bool {
        self.kind == optimization::STREAMING.name
    }

    /// What is run one after another, under the names of the results.
    pub(super) fn runs(&self, request: &JobRequest) -> Vec<(&'static str, Vec<Group>)> {
        match (self.optimization, &request.prompt) {
            (Some(streaming), Some(prompt)) => {
                vec![(streaming.name, vec![streaming::of(prompt, &[request.max_tokens])])]
            }
            (Some(known), None) => vec![(known.name, known.groups())],
            (None, _) if self.kind == ALL => {
                optimization::ALL.iter().map(|known| (known.name, known.groups())).collect()
            }
            (None, _) => vec![(BASELINE, baseline())],
        }
    }
}

fn of_optimization(known: &'static Optimization) -> Benchmark {
    let kind = if known.name == optimization::PARALLELISM.name { PARALLEL } else { known.name };
    let mut name = kind.replace('_', " ");
    name[..1].make_ascii_uppercase();
    Benchmark {
        kind: kind.into(),
        name,
        description: known.question.into(),
        expected_duration: seconds(typical_seconds(known.name)),
        metrics: names(known.groups()),
        optimization: Some(known),
    }
}

/// How long 5 runs against the simulator take on two cores.
fn typical_seconds(name: &str) -> u32 {
    match name {
        "streaming" | "routing" | "connection" => 20,
        "caching" | "speculation" => 30,
        _ => 60,
    }
}

fn seconds(typical: u32) -> String {
    format!("about {typical} s for 5 runs of the simulator")
}

fn baseline() -> Vec<Group> {
    let every = scenario::tasks().iter().flat_map(|file| &file.tasks).map(|task| task.name.as_str());
    agent::baseline(&every.collect::<Vec<_>>())
}

/// The names of the groups' metrics, each once.
fn names(groups: impl IntoIterator<Item = Group>) -> Vec<String> {
    let metrics = groups.into_iter().flat_map(|group| group.metrics);
    let mut names: Vec<String> = Vec::new();
    for metric in metrics {
        if !names.iter().any(|known| known == metric.name()) {
            names.push(metric.name().into());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_types_are_there_and_each_has_what_it_runs() {
        for kind in ["streaming", "caching", "parallel", "routing", "topology", "all"] {
            let benchmark = find(kind).unwrap();
            assert_eq!(benchmark.kind, kind);
            assert!(!benchmark.metrics.is_empty() && !benchmark.runs(&JobRequest::default()).is_empty());
        }
        assert_eq!(find("parallelism").unwrap().kind, "parallel");
        assert!(find("warp").is_none());
    }
}
