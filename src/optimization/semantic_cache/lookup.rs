//! What a lookup costs as the cache grows.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::cache::{ExactCache, SemanticCache};
use super::embedder::{Embedder, Lexical};
use super::prepared::ask;
use super::{NOMINAL_THRESHOLD, TTL};
use crate::embedding::{DIMENSIONS, unit};
use crate::experiment::{Arm, Draw, Group, Observation, RunError, Workload};
use crate::metric::Metric;
use crate::scenario;
use crate::session::Demand;

/// Sizes of the cache over the sweep, in entries.
pub const ENTRIES: [usize; 4] = [100, 1_000, 10_000, 100_000];

/// Lookups of a run; its value is their mean.
const LOOKUPS: usize = 8;

/// A scan over vectors (the control) against a table of exact questions, over caches of these many entries. Nothing
/// is asked of a model.
pub fn lookup(entries: &[usize]) -> Group {
    let arms = |&entries: &usize| {
        [
            Arm::new("semantic", Semantic { entries, cache: OnceLock::new() }).at(entries as f64),
            Arm::new("exact", Exact { entries, cache: OnceLock::new() }).at(entries as f64),
        ]
    };
    Group {
        name: "semantic_cache/lookup".into(),
        question: "What does a lookup cost as the cache grows?".into(),
        x_label: Some("entries".into()),
        control: "semantic".into(),
        arms: entries.iter().flat_map(arms).collect(),
        metrics: vec![Metric::LOOKUP],
        remarks: Some(Arc::new(|_| {
            vec!["Both are measured on this machine, and no model is asked; semantic includes its lexical vector.".into()]
        })),
        ..Group::default()
    }
}

/// No request, and so none that has no price.
fn nothing() -> Demand {
    Demand { requests: 0, ..Demand::uncached(0, 0) }
}

struct Exact {
    entries: usize,
    cache: OnceLock<ExactCache<usize>>,
}

struct Semantic {
    entries: usize,
    cache: OnceLock<SemanticCache<usize>>,
}

/// The questions of a round, which no cache holds.
fn questions(draw: &Draw<'_>) -> impl Iterator<Item = String> {
    let question = scenario::semantic_cache().question(draw.round());
    (0..LOOKUPS).map(move |number| format!("{question} ({number})"))
}

fn mean(begin: Instant) -> Observation {
    Observation::value(Metric::LOOKUP, begin.elapsed().as_nanos() as f64 / LOOKUPS as f64)
}

impl Workload for Exact {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(async move {
            let cache = self.cache.get_or_init(|| {
                let mut cache = ExactCache::new(TTL);
                (0..self.entries)
                    .for_each(|entry| cache.put(&ask(&format!("{entry}?")), entry, Duration::ZERO));
                cache
            });
            let asks: Vec<_> = questions(draw).map(|question| ask(&question)).collect();
            let begin = Instant::now();
            for ask in &asks {
                std::hint::black_box(cache.get(ask, Duration::ZERO));
            }
            Ok(mean(begin))
        })
    }

    fn demand(&self, _round: u32) -> Demand {
        nothing()
    }
}

impl Workload for Semantic {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(async move {
            let cache = self.cache.get_or_init(|| filled(self.entries));
            let asks: Vec<_> = questions(draw).map(|question| (ask(&question), question)).collect();
            let begin = Instant::now();
            for (ask, question) in &asks {
                let vector = Lexical.embed(&[question]).await?.swap_remove(0);
                std::hint::black_box(cache.get(ask, &vector, Duration::ZERO));
            }
            Ok(mean(begin))
        })
    }

    fn demand(&self, _round: u32) -> Demand {
        nothing()
    }
}

/// A cache of random directions: a scan takes as long whatever its vectors mean.
fn filled(entries: usize) -> SemanticCache<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(entries as u64);
    let mut cache = SemanticCache::new(NOMINAL_THRESHOLD, TTL);
    let ask = ask("?");
    for entry in 0..entries {
        let vector = unit((0..DIMENSIONS).map(|_| rng.random_range(-1.0..1.0)).collect());
        cache.put(&ask, &vector, entry, Duration::ZERO);
    }
    cache
}
