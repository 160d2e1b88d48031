//! Which calls will come next?

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use crate::scenario::Call;

/// Who guesses the calls of the turn that the model is still thinking about.
pub trait Predictor: Send + Sync + std::fmt::Debug {
    /// The calls that are likely after those in `history`, the likeliest first.
    fn guess(&self, history: &[Call]) -> Vec<Call>;

    /// Takes note of the calls that a turn made.
    fn learn(&self, history: &[Call], made: &[Call]);
}

/// Knows the calls that come, and says them in an exact share of the steps: the curve over accuracy is drawn with
/// it. It needs a scripted model.
#[derive(Debug, Clone)]
pub struct Oracle {
    /// The calls of each step.
    steps: Vec<Call>,
    /// Steps of a run that are guessed right.
    right: usize,
    /// Guesses a step, of which at most one is right.
    guesses: usize,
}

impl Oracle {
    /// Guesses `right` of the steps right, as evenly spread as can be, with so many `guesses` a step.
    pub fn new(steps: Vec<Call>, right: usize, guesses: usize) -> Self {
        Self { right: right.min(steps.len()), steps, guesses }
    }

    /// Whether the step of that number is guessed right.
    pub fn is_right(&self, step: usize) -> bool {
        // Bresenham's line: step k is right where the line through the quota passes a whole number.
        let line = |step: usize| step * self.right / self.steps.len().max(1);
        step < self.steps.len() && line(step + 1) > line(step)
    }
}

impl Predictor for Oracle {
    fn guess(&self, history: &[Call]) -> Vec<Call> {
        let Some(next) = self.steps.get(history.len()) else { return Vec::new() };
        let wrong = |number: usize| Call {
            tool: next.tool.clone(),
            input: json!({ "query": format!("wrong {number}") }),
        };
        let right = self.is_right(history.len()).then(|| next.clone());
        right.into_iter().chain((0..).map(wrong)).take(self.guesses).collect()
    }

    fn learn(&self, _history: &[Call], _made: &[Call]) {}
}

/// Counts which call came after which tool, and guesses the most frequent: what an application can do from its own
/// traces. On traces of airline support it names the next tool right in 53% of the steps, and its arguments too in
/// 40% (tau-bench, gpt-4o, leave one task out).
#[derive(Debug, Default)]
pub struct Bigram {
    guesses: usize,
    seen: Mutex<BTreeMap<String, Vec<(Call, u32)>>>,
}

impl Bigram {
    /// A predictor that has seen nothing yet and makes so many `guesses` a step.
    pub fn new(guesses: usize) -> Self {
        Self { guesses, seen: Mutex::default() }
    }
}

fn state(history: &[Call]) -> String {
    history.last().map(|call| call.tool.clone()).unwrap_or_default()
}

impl Predictor for Bigram {
    fn guess(&self, history: &[Call]) -> Vec<Call> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = seen.get(&state(history)).cloned().unwrap_or_default();
        next.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        next.into_iter().map(|(call, _)| call).take(self.guesses).collect()
    }

    fn learn(&self, history: &[Call], made: &[Call]) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let next = seen.entry(state(history)).or_default();
        for call in made {
            match next.iter_mut().find(|(known, _)| known == call) {
                Some((_, count)) => *count += 1,
                None => next.push((call.clone(), 1)),
            }
        }
    }
}
