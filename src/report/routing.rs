//! How often a router's classifiers are right, for programs.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::optimization::routing::{Accuracy, Complexity, Confusion};
use crate::provenance::Provenance;
use crate::stats::Interval;

/// The version of the JSON's form.
pub const ROUTING_SCHEMA_VERSION: u32 = 1;

/// What the classifiers make of labelled prompts, and what was asked.
#[derive(Debug, Serialize)]
pub struct AccuracyReport<'a> {
    /// The version of this form.
    pub schema_version: u32,
    /// What was asked.
    #[serde(flatten)]
    pub provenance: &'a Provenance,
    /// The small model first, then the rules that ask nobody.
    pub classifiers: [Classifier; 2],
}

/// One classifier, with 95% intervals of its shares.
#[derive(Debug, Serialize)]
pub struct Classifier {
    /// The model, or `heuristic`.
    pub name: String,
    /// Whether its answers were assumed, because the model is simulated.
    pub assumed: bool,
    /// How often prompts with a label were called what.
    pub called: BTreeMap<String, BTreeMap<String, u64>>,
    /// The share called by their label.
    pub accuracy: Option<Interval>,
    /// The share of hard prompts that go to the small model.
    pub misrouted_down: Option<Interval>,
    /// The share of easy prompts that go to the large model.
    pub misrouted_up: Option<Interval>,
    /// Whether too many hard prompts go to the small model.
    pub is_unsafe: bool,
}

impl<'a> AccuracyReport<'a> {
    /// The report of what was found in a session.
    pub fn new(accuracy: &Accuracy, provenance: &'a Provenance) -> Self {
        let (model, confusion) = &accuracy.classifier;
        let classifiers = [
            Classifier::new(model, accuracy.is_simulated, confusion),
            Classifier::new("heuristic", false, &accuracy.heuristic),
        ];
        Self { schema_version: ROUTING_SCHEMA_VERSION, provenance, classifiers }
    }
}

impl Classifier {
    fn new(name: &str, assumed: bool, confusion: &Confusion) -> Self {
        let called = |label| Complexity::ALL.map(|said| (said.to_string(), confusion.count(label, said)));
        Self {
            name: name.into(),
            assumed,
            called: Complexity::ALL.map(|label| (label.to_string(), called(label).into())).into(),
            accuracy: confusion.accuracy(),
            misrouted_down: confusion.misrouted_down(),
            misrouted_up: confusion.misrouted_up(),
            is_unsafe: confusion.is_unsafe(),
        }
    }
}
