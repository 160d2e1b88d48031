//! What stands ready before the first question: the judged threshold, and caches that have seen some traffic.

use std::time::{Duration, Instant};

use rand::seq::SliceRandom;

use super::TTL;
use super::cache::{ExactCache, SemanticCache};
use super::embedder::{Embedder, embedder};
use super::evaluation::{Cosines, Evaluation, Rates};
use super::pairs::{Pair, held_out, pairs, tuning};
use crate::experiment::{Draw, RunError};
use crate::optimization::deck::Deck;
use crate::scenario::{self, tokens};
use crate::session::Session;
use crate::wire::{Ask, Block};

/// What is asked for, whatever the words: questions of one intent deserve one answer.
pub(super) type Intent = usize;

/// Where a question of the stream comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A common one, asked before in the same words: one of the scenario's.
    Repeat,
    /// Asked before in other words: the second of a held-out pair.
    Paraphrase,
    /// One that looks like one asked before: the second of a held-out pair.
    NearMiss,
    /// One that nobody asked: the first of a pair that only chose the threshold.
    New,
}

/// A question of the stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) text: &'a str,
    pub(super) intent: Intent,
    pub(super) kind: Kind,
    /// Whether the arm has not had it before.
    pub(super) is_new: bool,
}

/// The request of a question.
pub(super) fn ask(text: &str) -> Ask {
    let scenario = scenario::semantic_cache();
    Ask { system: vec![Block::text(scenario.system.as_str())], ..Ask::question(text, scenario.max_tokens) }
}

/// Tokens of the longest question.
pub(super) fn longest_question() -> u64 {
    let pairs = pairs();
    let paired = pairs.paraphrases.iter().chain(&pairs.near_misses).flat_map(|pair| [&pair.a, &pair.b]);
    paired.chain(&scenario::semantic_cache().questions).map(|text| tokens(text)).max().unwrap_or(0)
}

/// Everything that the arms of a group share.
pub(super) struct Prepared {
    pub(super) embedder: Box<dyn Embedder>,
    pub(super) evaluation: Evaluation,
    /// The threshold that the arm uses, on the held-out pairs.
    pub(super) judged: Rates,
    /// Caches that hold the scenario's questions and the first of every held-out pair.
    pub(super) exact: ExactCache<Intent>,
    pub(super) semantic: SemanticCache<Intent>,
    /// The mean time of a semantic lookup, measured once.
    pub(super) lookup: Duration,
    /// The questions of each kind.
    questions: [Vec<(&'static str, Intent)>; 4],
}

impl Prepared {
    /// Judges the session's embedder, and fills the caches.
    pub(super) async fn new(session: &Session, threshold: Option<f64>) -> Result<Self, RunError> {
        let embedder = embedder(session)?;
        let cosines = Cosines::of(&*embedder).await?;
        let too_few = || RunError::Workload("too few labelled pairs".into());
        let evaluation = Evaluation::of(embedder.name(), &cosines).ok_or_else(too_few)?;
        let judged = threshold.map_or(Some(evaluation.held_out), |at| Rates::held_out(at, &cosines));
        let judged = judged.ok_or_else(too_few)?;
        let mut prepared = Self {
            exact: ExactCache::new(TTL),
            semantic: SemanticCache::new(judged.threshold, TTL),
            lookup: Duration::ZERO,
            embedder,
            evaluation,
            judged,
            questions: questions(),
        };
        prepared.fill().await?;
        prepared.time().await?;
        Ok(prepared)
    }

    /// Answers what was asked before the stream begins.
    async fn fill(&mut self) -> Result<(), RunError> {
        let seen = seen();
        let texts: Vec<&str> = seen.iter().map(|(text, _)| *text).collect();
        let vectors = self.embedder.embed(&texts).await?;
        for ((text, intent), vector) in seen.iter().zip(&vectors) {
            self.exact.put(&ask(text), *intent, Duration::ZERO);
            self.semantic.put(&ask(text), vector, *intent, Duration::ZERO);
        }
        Ok(())
    }

    /// Times lookups, each with an embedding of its own.
    async fn time(&mut self) -> Result<(), RunError> {
        let texts = &self.questions[Kind::New as usize][..8];
        let begin = Instant::now();
        for (text, _) in texts {
            let vector = self.embedder.embed(&[text]).await?.swap_remove(0);
            let _ = self.semantic.get(&ask(text), &vector, Duration::ZERO);
        }
        self.lookup = begin.elapsed() / texts.len() as u32;
        Ok(())
    }

    /// The questions of a round, the same for all arms with the same mix, in a random order.
    pub(super) fn deal(&self, draw: &Draw<'_>, mix: &[(Kind, usize)]) -> Vec<Question<'_>> {
        let of_kind = |&(kind, wanted): &(Kind, usize)| {
            let questions = &self.questions[kind as usize];
            let deck = Deck::new(draw, &format!("semantic_cache {kind:?}"), questions.len());
            deck.deal(draw.round(), wanted).into_iter().map(move |card| {
                let (text, intent) = questions[card.index];
                Question { text, intent, kind, is_new: card.is_new }
            })
        };
        let mut dealt: Vec<_> = mix.iter().flat_map(of_kind).collect();
        dealt.shuffle(&mut draw.shared_rng("questions"));
        dealt
    }

    /// Tokens of a question on average.
    pub(super) fn mean_tokens(&self) -> f64 {
        let all = || self.questions.iter().flatten();
        all().map(|(text, _)| tokens(text) as f64).sum::<f64>() / all().count() as f64
    }
}

/// Intents are numbered through: the scenario's questions, then two for each pair.
fn common() -> Vec<(&'static str, Intent)> {
    scenario::semantic_cache().questions.iter().map(String::as_str).zip(0..).collect()
}

/// Held-out pairs with the number of their first intent.
fn judged(pairs: &'static [Pair], before: usize) -> impl Iterator<Item = (&'static Pair, Intent)> {
    let first = common().len() + 2 * before;
    held_out(pairs).zip((first..).step_by(2))
}

/// What was asked before the stream begins.
fn seen() -> Vec<(&'static str, Intent)> {
    let pairs = pairs();
    let (paraphrases, near) = (&pairs.paraphrases, judged(&pairs.near_misses, pairs.paraphrases.len()));
    let first = judged(paraphrases, 0).chain(near).map(|(pair, intent)| (pair.a.as_str(), intent));
    common().into_iter().chain(first).collect()
}

/// The questions of each [`Kind`], in its order.
fn questions() -> [Vec<(&'static str, Intent)>; 4] {
    let pairs = pairs();
    let (paraphrases, near_misses) = (&pairs.paraphrases, &pairs.near_misses);
    let before = paraphrases.len();
    // No pair has the intents from here on.
    let unseen = common().len() + 2 * (before + near_misses.len());
    let new = tuning(paraphrases).chain(tuning(near_misses)).map(|pair| pair.a.as_str());
    [
        common(),
        judged(paraphrases, 0).map(|(pair, intent)| (pair.b.as_str(), intent)).collect(),
        judged(near_misses, before).map(|(pair, intent)| (pair.b.as_str(), intent + 1)).collect(),
        new.zip(unseen..).collect(),
    ]
}
