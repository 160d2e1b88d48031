//! A cache of whole answers: what does it save, and what does it cost to be wrong?
//!
//! Three arms answer one stream of questions: no cache; an exact one, which knows a question by its own words; and a
//! semantic one, which knows it by its likeness to another. The exact one cannot be wrong, and finds no paraphrase.
//! The semantic one finds some, and now and then answers a question with another one's answer.
//!
//! Prediction (`E[T] = T_lookup + (1 - h) T_llm`): a cache saves `h T_llm - T_lookup` of each question. The hit
//! rate `h` follows from the mix of questions, which is assumed, and from what the cache makes of labelled pairs.
//!
//! **Being wrong.** The threshold is chosen on every second labelled pair, and judged on the others, which are also
//! the only ones that the stream asks. A pair counts once for each arm: the same text gives the same vector, and
//! counting it again in every round would make the interval look narrower than the pairs allow. Where no threshold
//! keeps false hits to 3% of near misses and still finds a fifth of paraphrases, the report says UNSAFE, and the
//! arm runs at a nominal one so that the harm can be seen. The built-in embedder is lexical and is unsafe by this
//! measure: "enable" and "disable" are written nearly alike. `LLMLAB_EMBEDDINGS` names a model that may do better.
//!
//! **No index.** A lookup compares the question with every entry, one dot product each. On two shared cores a scan over
//! 256 dimensions takes 0.03 ms at 1,000 entries, 0.3 ms at 10,000 and 4 ms at 100,000, against model calls of hundreds
//! of milliseconds, and always finds the nearest. A graph index (HNSW: Malkov & Yashunin 2016; `hnsw_rs` 0.3, M 16, over
//! vectors of random direction, its hardest case) took 0.2, 0.9 and 1.8 ms while it searched 50 candidates, and found
//! the nearest of 100,000 in 7 of 50 searches; over 200 candidates it took 6 ms and found 20. Building it took 231 s.
//! So there is none; a cache that large is better kept by a database.

mod cache;
mod embedder;
mod evaluation;
mod lookup;
mod pairs;
mod prepared;
mod stream;

pub use cache::{ExactCache, Lookup, SemanticCache};
pub use embedder::{Embedder, Endpoint, Lexical, embedder};
pub use evaluation::{
    Cosines, Evaluation, LEAST_RECALL, MOST_FALSE_HITS, NOMINAL_THRESHOLD, Rates, THRESHOLDS,
};
pub use lookup::{ENTRIES, lookup};
pub use pairs::{Pair, Pairs, pairs};
pub use stream::{at_threshold, stream};

use std::time::Duration;

use tokio::sync::OnceCell;

use crate::experiment::RunError;
use crate::session::Session;
use prepared::Prepared;

/// Percentages of questions that were asked before, over the sweep.
pub const FAMILIAR_PERCENT: [u32; 3] = [0, 40, 80];

/// How long an answer lives in the caches.
const TTL: Duration = Duration::from_secs(3600);

/// What the arms, the prediction and the remarks of one group have in common, made when the first arm runs. It is
/// of the first session that the group runs on.
struct Shared {
    threshold: Option<f64>,
    prepared: OnceCell<Prepared>,
}

impl Shared {
    fn new(threshold: Option<f64>) -> Self {
        Self { threshold, prepared: OnceCell::new() }
    }

    async fn prepared(&self, session: &Session) -> Result<&Prepared, RunError> {
        self.prepared.get_or_try_init(|| Box::pin(Prepared::new(session, self.threshold))).await
    }

    fn ready(&self) -> Option<&Prepared> {
        self.prepared.get()
    }
}
