//! Two classifiers: the small model, and a few rules.

use std::sync::Arc;

use rand::RngExt;
use rand::seq::IndexedRandom;

use super::decide::{Classification, Complexity, Route, decide};
use super::prompts::Prompt;
use crate::experiment::Draw;
use crate::scenario::tokens;
use crate::wire::{Ask, Block, Script};

/// What the small model is asked to do with a prompt.
const SYSTEM: &str = "You classify the complexity of a question. SIMPLE: one fact or one step. MODERATE: several steps, or a short explanation. COMPLEX: weighing, design, proof or long synthesis. Answer with JSON only: {\"complexity\": \"SIMPLE|MODERATE|COMPLEX\", \"confidence\": 0.0 to 1.0, \"reasoning\": \"a few words\"}";

/// The most tokens of its answer.
pub(super) const MAX_TOKENS: u32 = 200;

/// How often the simulated classifier is right. It is an assumption: a simulator cannot read.
pub const ASSUMED_ACCURACY: f64 = 0.95;

/// Its confidence when it is right, and when it is wrong; assumed as well.
const ASSUMED_CONFIDENCE: (f64, f64) = (0.9, 0.7);

/// The request by which the small model classifies a prompt. On the simulator its answer is right with
/// [`ASSUMED_ACCURACY`] or names one of the other classes, the same for all arms of a round.
pub(super) fn ask(draw: &Draw<'_>, model: &str, prompt: &Prompt) -> Ask {
    let mut rng = draw.shared_rng(&format!("classifier {}", prompt.text));
    let right = rng.random_bool(ASSUMED_ACCURACY);
    let others = others(prompt.complexity);
    let wrong = others.choose(&mut rng).copied();
    let said = said(prompt.complexity, wrong.filter(|_| !right));
    let script = Script { text: answer(&said), ..Script::default() };
    Ask {
        model: model.to_owned(),
        system: vec![Block::text(SYSTEM)],
        script: Some(Arc::new(script)),
        ..Ask::question(prompt.text.as_str(), MAX_TOKENS)
    }
}

fn others(complexity: Complexity) -> Vec<Complexity> {
    Complexity::ALL.into_iter().filter(|other| *other != complexity).collect()
}

fn said(label: Complexity, wrong: Option<Complexity>) -> Classification {
    let (sure, unsure) = ASSUMED_CONFIDENCE;
    let confidence = if wrong.is_some() { unsure } else { sure };
    Classification { complexity: wrong.unwrap_or(label), confidence }
}

fn answer(said: &Classification) -> String {
    let complexity = said.complexity.to_string().to_uppercase();
    format!(r#"{{"complexity":"{complexity}","confidence":{},"reasoning":"assumed"}}"#, said.confidence)
}

/// The share of prompts of a class that the simulated classifier sends to the small model.
pub(super) fn assumed_small_share(label: Complexity) -> f64 {
    let small = |wrong| f64::from(u8::from(decide(&said(label, wrong)) == Route::Small));
    let others = others(label);
    let wrong: f64 = others.iter().map(|&other| small(Some(other))).sum::<f64>() / others.len() as f64;
    ASSUMED_ACCURACY * small(None) + (1.0 - ASSUMED_ACCURACY) * wrong
}

/// Tokens of the classifier's prompt and answer, roughly.
pub(super) fn sizes(prompt: &Prompt) -> (u64, u64) {
    let answer = answer(&said(prompt.complexity, None));
    (tokens(SYSTEM) + tokens(&prompt.text), tokens(&answer))
}

/// Words that ask for weighing, design or proof.
const COMPLEX: [&str; 18] = [
    "analyse", "analyze", "argue", "assess", "compare", "critique", "debate", "derive", "design", "devise",
    "discuss", "essay", "evaluate", "justify", "propose", "prove", "strategy", "weigh",
];

/// Words that ask for several steps or an explanation.
const MODERATE: [&str; 14] = [
    "code",
    "describe",
    "draft",
    "explain",
    "how",
    "plan",
    "reasons",
    "rewrite",
    "steps",
    "summarise",
    "summarize",
    "table",
    "why",
    "write",
];

/// Prompts of more words than this are taken for several steps.
const LONG: usize = 25;

/// Classifies by words and length, at once and without asking anybody. The lists were written with the labelled
/// prompts at hand: expect less of them elsewhere.
pub fn heuristic(prompt: &str) -> Classification {
    let prompt = prompt.to_lowercase();
    let words: Vec<&str> =
        prompt.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).collect();
    let has = |list: &[&str]| words.iter().any(|word| list.contains(word));
    let (complexity, confidence) = if has(&COMPLEX) {
        (Complexity::Complex, 0.9)
    } else if has(&MODERATE) {
        (Complexity::Moderate, 0.9)
    } else if words.len() > LONG {
        (Complexity::Moderate, 0.6)
    } else {
        (Complexity::Simple, 0.9)
    };
    Classification { complexity, confidence }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_length_tell_the_classes_apart() {
        let class = |prompt: &str| heuristic(prompt).complexity;
        assert_eq!(class("What is the capital of France?"), Complexity::Simple);
        assert_eq!(class("Why is the sky blue? Keep it short."), Complexity::Moderate);
        assert_eq!(class(&"word ".repeat(26)), Complexity::Moderate);
        assert_eq!(class("COMPARE the two plans."), Complexity::Complex);
        // Not a word of the list, but part of one
        assert_eq!(class("What is a showcase?"), Complexity::Simple);
    }

    #[test]
    fn the_simulated_answer_reads_back_and_its_share_follows_from_the_contract() {
        let said = said(Complexity::Moderate, None);
        assert_eq!(Classification::read(&answer(&said)), said);
        // Right: small. Wrong, as moderate or complex with 0.7: large.
        assert!((assumed_small_share(Complexity::Simple) - 0.95).abs() < 1e-9);
        // Half of what is wrong is called simple.
        assert!((assumed_small_share(Complexity::Moderate) - 0.975).abs() < 1e-9);
        assert!((assumed_small_share(Complexity::Complex) - 0.025).abs() < 1e-9);
    }
}
