//! Answers that an application has given before.

use std::time::Duration;

use super::toggles::{Toggle, Toggles};
use crate::experiment::{Draw, RunError};
use crate::optimization::semantic_cache::{
    Embedder, ExactCache, Lookup, NOMINAL_THRESHOLD, SemanticCache, embedder,
};
use crate::wire::Ask;

/// The share of rounds in which the question was asked before, word for word. It is assumed: what paraphrases and
/// near misses do is measured by `semantic_cache`.
pub(super) const REPEATED: f64 = 0.3;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(3_600);

/// A cache of answers as a round finds it.
pub(super) enum Answers {
    Exact(ExactCache<()>),
    Semantic(SemanticCache<()>, Box<dyn Embedder>),
}

impl Answers {
    /// The cache that is switched on, with the answer to `ask` in it if this is a round of a repeated question.
    pub(super) async fn prepare(
        draw: &Draw<'_>,
        toggles: &Toggles,
        ask: &Ask,
        prompt: &str,
    ) -> Result<Option<Self>, RunError> {
        let repeated = is_repeated(draw.round());
        if toggles.has(Toggle::ExactCache) {
            let mut cache = ExactCache::new(KEPT);
            if repeated {
                cache.put(ask, (), Duration::ZERO);
            }
            return Ok(Some(Self::Exact(cache)));
        }
        if !toggles.has(Toggle::SemanticCache) {
            return Ok(None);
        }
        let embedder = embedder(draw.session())?;
        let mut cache = SemanticCache::new(NOMINAL_THRESHOLD, KEPT);
        if repeated {
            cache.put(ask, &vector(&*embedder, prompt).await?, (), Duration::ZERO);
        }
        Ok(Some(Self::Semantic(cache, embedder)))
    }

    /// Whether the answer to `ask` is there.
    pub(super) async fn have(&self, ask: &Ask, prompt: &str) -> Result<bool, RunError> {
        let found = match self {
            Self::Exact(cache) => cache.get(ask, Duration::ZERO),
            Self::Semantic(cache, embedder) => {
                cache.get(ask, &vector(&**embedder, prompt).await?, Duration::ZERO)
            }
        };
        Ok(matches!(found, Lookup::Hit(())))
    }
}

async fn vector(embedder: &dyn Embedder, prompt: &str) -> Result<Vec<f32>, RunError> {
    let vectors = embedder.embed(&[prompt]).await?;
    let first = vectors.into_iter().next();
    first.ok_or_else(|| RunError::Workload("the embedder returned no vector".into()))
}

/// Whether a round's question was asked before: in exactly the assumed share of the rounds.
fn is_repeated(round: u32) -> bool {
    let line = |round: u32| (f64::from(round) * REPEATED + 1e-9) as u32;
    line(round + 1) > line(round)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_repeated_in_the_assumed_share_of_the_rounds() {
        for rounds in [10, 20, 50, 100] {
            let repeated = (0..rounds).filter(|&round| is_repeated(round)).count();
            assert_eq!(repeated as f64, f64::from(rounds) * REPEATED);
        }
    }
}
