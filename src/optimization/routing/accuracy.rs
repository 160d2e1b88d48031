//! How often the classifiers are right, on labelled prompts.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;

use super::classifier::{ASSUMED_ACCURACY, MAX_TOKENS, heuristic, sizes};
use super::confusion::Confusion;
use super::prompts::Prompt;
use super::router::classify;
use crate::experiment::{Arm, Draw, Group, Needs, Observation, Rounds, RunError, Workload};
use crate::metric::Metric;
use crate::session::{Demand, Session};

/// What the classifiers make of labelled prompts.
#[derive(Debug, Clone, PartialEq)]
pub struct Accuracy {
    /// The small model's name, and what it makes of them. On the simulator its answers are assumed.
    pub classifier: (String, Confusion),
    /// What a few rules make of them.
    pub heuristic: Confusion,
    /// Whether the small model is simulated.
    pub is_simulated: bool,
}

impl Accuracy {
    /// Both matrices, and what their errors cost, in lines.
    pub fn report(&self) -> Vec<String> {
        let (model, confusion) = &self.classifier;
        let mut lines = Vec::new();
        if self.is_simulated {
            let percent = ASSUMED_ACCURACY * 100.0;
            lines.push(format!("{model} is simulated: it was assumed to be right in {percent:.0}%, and says nothing of a real one."));
        }
        lines.extend(confusion.report(&format!("classifier {model}")));
        lines.extend(self.heuristic.report("heuristic"));
        lines
    }
}

/// Has the session's small model classify `prompts`, one after another.
///
/// # Errors
/// When no small model is named, or one of the questions got no answer.
pub async fn accuracy(session: &Arc<Session>, prompts: &[Prompt]) -> Result<Accuracy, RunError> {
    let confusion = Arc::new(Mutex::new(Confusion::default()));
    let workload = Classifying { prompts: prompts.to_vec(), confusion: Arc::clone(&confusion) };
    let needs = Needs { small_model: true, ..Needs::default() };
    let arm = Arm { needs, ..Arm::new("classifier", workload) };
    let dialect = session.dialect(None);
    if let Some(obstacle) = arm.obstacle(session, dialect) {
        return Err(RunError::Workload(obstacle));
    }
    let group = Group {
        name: "routing/accuracy".into(),
        question: "How often does the small model name the class that a person gave a prompt?".into(),
        control: "classifier".into(),
        arms: vec![arm],
        metrics: vec![Metric::CLASSIFICATION],
        ..Group::default()
    };
    Rounds::new(Arc::clone(session), Arc::new(group), vec![0]).planned(1).next().await?;
    let confusion = *confusion.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Accuracy {
        classifier: (session.small_model(dialect).unwrap_or_default().to_owned(), confusion),
        heuristic: Confusion::of(prompts, heuristic),
        is_simulated: session.is_simulated(),
    })
}

/// Classifies every prompt once.
struct Classifying {
    prompts: Vec<Prompt>,
    confusion: Arc<Mutex<Confusion>>,
}

impl Workload for Classifying {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(async move {
            let mut seen = Confusion::default();
            for prompt in &self.prompts {
                seen.add(prompt.complexity, &classify(draw, prompt).await?);
            }
            *self.confusion.lock().unwrap_or_else(PoisonError::into_inner) = seen;
            Ok(Observation::default())
        })
    }

    fn demand(&self, _round: u32) -> Demand {
        let requests = self.prompts.len() as u64;
        let input = self.prompts.iter().map(|prompt| sizes(prompt).0).sum();
        Demand { requests: requests as u32, ..Demand::uncached(input, requests * u64::from(MAX_TOKENS)) }
    }
}
