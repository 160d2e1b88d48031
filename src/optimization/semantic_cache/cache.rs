//! Two caches of answers: by the question's words, and by its likeness to another.
//!
//! Both are told the time and read no clock, and both leave a request above temperature 0 alone: who asks for variety
//! must not get the same answer again.

use std::collections::HashMap;
use std::time::Duration;

use crate::embedding::dot;
use crate::wire::{Ask, Block, Content};

/// What a cache says of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup<A> {
    /// It has this answer.
    Hit(A),
    /// It has none.
    Miss,
    /// The question may not be answered from a cache. No hit rate counts it.
    Bypass,
}

impl<A> Lookup<A> {
    /// The answer, if there is one.
    pub fn hit(self) -> Option<A> {
        if let Self::Hit(answer) = self { Some(answer) } else { None }
    }
}

/// What two questions must have in common before one may have the other's answer, whatever they ask.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Terms {
    model: String,
    system: String,
    temperature: Option<u64>,
    max_tokens: Option<u32>,
}

/// The terms of a question; absent where no cache may answer it.
fn terms(ask: &Ask) -> Option<Terms> {
    let varied = ask.temperature.is_some_and(|temperature| temperature > 0.0);
    (!varied).then(|| Terms {
        model: ask.model.clone(),
        system: normalised(&text(&ask.system)),
        temperature: ask.temperature.map(f64::to_bits),
        max_tokens: ask.max_tokens,
    })
}

/// The text of the conversation.
fn prompt(ask: &Ask) -> String {
    ask.messages.iter().map(|message| text(&message.content)).collect::<Vec<_>>().join("\n")
}

fn text(blocks: &[Block]) -> String {
    let texts = blocks.iter().filter_map(|block| match &block.content {
        Content::Text(text) => Some(&**text),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// Lower case, and one space for any white space.
fn normalised(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Answers by the question's own words, up to case and white space.
///
/// The key is the normalised prompt with model, system prompt, temperature and length, all kept whole: a hash in its
/// place would be shorter, and could give one question's answer to another.
#[derive(Debug, Clone)]
pub struct ExactCache<A> {
    kept: HashMap<(Terms, String), Kept<A>>,
    ttl: Duration,
}

#[derive(Debug, Clone)]
struct Kept<A> {
    answer: A,
    expires: Duration,
}

impl<A: Copy> ExactCache<A> {
    /// An empty cache whose answers live for `ttl`.
    pub fn new(ttl: Duration) -> Self {
        Self { kept: HashMap::new(), ttl }
    }

    /// Looks `ask` up at time `now`.
    pub fn get(&self, ask: &Ask, now: Duration) -> Lookup<A> {
        let Some(terms) = terms(ask) else { return Lookup::Bypass };
        let kept = self.kept.get(&(terms, normalised(&prompt(ask))));
        kept.filter(|kept| now < kept.expires).map_or(Lookup::Miss, |kept| Lookup::Hit(kept.answer))
    }

    /// Keeps the answer to `ask`, if it may be given again.
    pub fn put(&mut self, ask: &Ask, answer: A, now: Duration) {
        if let Some(terms) = terms(ask) {
            let kept = Kept { answer, expires: now + self.ttl };
            self.kept.insert((terms, normalised(&prompt(ask))), kept);
        }
    }
}

/// Answers by the likeness of the question to one that was asked before, among those on the same terms: the nearest
/// one, if the cosine between their vectors reaches the threshold.
#[derive(Debug, Clone)]
pub struct SemanticCache<A> {
    threshold: f32,
    ttl: Duration,
    /// The number of each set of terms, so that a scan compares numbers.
    terms: HashMap<Terms, usize>,
    kept: Vec<(usize, Kept<A>)>,
    /// The vectors of `kept`, one after another.
    vectors: Vec<f32>,
}

impl<A: Copy> SemanticCache<A> {
    /// An empty cache whose answers live for `ttl` and need a cosine of `threshold`.
    pub fn new(threshold: f64, ttl: Duration) -> Self {
        let (terms, kept, vectors) = Default::default();
        Self { threshold: threshold as f32, ttl, terms, kept, vectors }
    }

    /// Looks `ask` up, whose vector is `vector`, at time `now`.
    pub fn get(&self, ask: &Ask, vector: &[f32], now: Duration) -> Lookup<A> {
        let Some(terms) = terms(ask) else { return Lookup::Bypass };
        let Some(&terms) = self.terms.get(&terms) else { return Lookup::Miss };
        let alive = |(of, kept): &(usize, Kept<A>)| *of == terms && now < kept.expires;
        let near = self.kept.iter().zip(self.vectors.chunks_exact(vector.len().max(1)));
        let near = near.filter(|(entry, _)| alive(entry)).map(|(entry, other)| (dot(vector, other), entry));
        let nearest = near.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(cosine, _)| *cosine >= self.threshold);
        nearest.map_or(Lookup::Miss, |(_, (_, kept))| Lookup::Hit(kept.answer))
    }

    /// Keeps the answer to `ask`, if it may be given again. All vectors of a cache are of one length.
    pub fn put(&mut self, ask: &Ask, vector: &[f32], answer: A, now: Duration) {
        if let Some(terms) = terms(ask) {
            let next = self.terms.len();
            let terms = *self.terms.entry(terms).or_insert(next);
            self.kept.push((terms, Kept { answer, expires: now + self.ttl }));
            self.vectors.extend(vector);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedding::lexical;

    const TTL: Duration = Duration::from_secs(60);
    const NOW: Duration = Duration::from_secs(1_000);

    fn at(temperature: f64) -> Ask {
        Ask { temperature: Some(temperature), ..Ask::question("How do I reset my password?", 16) }
    }

    #[test]
    fn the_exact_cache_takes_case_and_white_space_for_the_same_and_nothing_else() {
        let mut cache = ExactCache::new(TTL);
        cache.put(&at(0.0), 1, NOW);
        let asked = |text: &str| cache.get(&Ask { temperature: Some(0.0), ..Ask::question(text, 16) }, NOW);
        assert_eq!(asked("how do I  reset my PASSWORD?\n"), Lookup::Hit(1));
        assert_eq!(asked("How can I reset my password?"), Lookup::Miss);
    }

    #[test]
    fn other_terms_are_another_question() {
        let (mut exact, mut semantic) = (ExactCache::new(TTL), SemanticCache::new(0.5, TTL));
        let vector = lexical("How do I reset my password?", 0);
        exact.put(&at(0.0), 1, NOW);
        semantic.put(&at(0.0), &vector, 1, NOW);
        let others = [
            Ask { model: "another".into(), ..at(0.0) },
            Ask { max_tokens: Some(17), ..at(0.0) },
            Ask { temperature: None, ..at(0.0) },
            Ask { system: vec![Block::text("Answer in French.")], ..at(0.0) },
        ];
        for other in others {
            let found = (exact.get(&other, NOW), semantic.get(&other, &vector, NOW));
            assert_eq!(found, (Lookup::Miss, Lookup::Miss), "{other:?}");
        }
    }

    #[test]
    fn above_temperature_0_both_are_bypassed() {
        let (mut exact, mut semantic) = (ExactCache::new(TTL), SemanticCache::new(0.5, TTL));
        let vector = lexical("How do I reset my password?", 0);
        exact.put(&at(0.7), 1, NOW);
        semantic.put(&at(0.7), &vector, 1, NOW);
        let found = (exact.get(&at(0.7), NOW), semantic.get(&at(0.7), &vector, NOW));
        assert_eq!(found, (Lookup::Bypass, Lookup::Bypass));
        assert_eq!(exact.get(&at(0.0), NOW), Lookup::Miss);
    }

    #[test]
    fn an_answer_is_given_until_it_is_too_old() {
        let (mut exact, mut semantic) = (ExactCache::new(TTL), SemanticCache::new(0.5, TTL));
        let vector = lexical("How do I reset my password?", 0);
        exact.put(&at(0.0), 1, NOW);
        semantic.put(&at(0.0), &vector, 1, NOW);
        let found = |now| (exact.get(&at(0.0), now).hit(), semantic.get(&at(0.0), &vector, now).hit());
        assert_eq!(found(NOW + TTL - Duration::from_nanos(1)), (Some(1), Some(1)));
        assert_eq!(found(NOW + TTL), (None, None));
    }

    #[test]
    fn the_nearest_question_answers_if_it_is_near_enough() {
        let texts = ["How do I reset my password?", "How do I cancel my order?"];
        let cache = |threshold| {
            let mut cache = SemanticCache::new(threshold, TTL);
            texts.iter().enumerate().for_each(|(i, text)| cache.put(&at(0.0), &lexical(text, 0), i, NOW));
            cache
        };
        let vector = lexical("How can I cancel my order?", 0);
        assert_eq!(cache(0.5).get(&at(0.0), &vector, NOW), Lookup::Hit(1));
        assert_eq!(cache(0.99).get(&at(0.0), &vector, NOW), Lookup::Miss);
    }
}
