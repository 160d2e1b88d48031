//! Prompt caching: does it pay, and from which prefix length on?
//!
//! The off arm starts every prompt with text that was never sent before and sets no breakpoint; the on arm
//! starts with text of the same length that is its own in every round, and sets a breakpoint at the end of
//! the prefix. Nothing else differs. On a target without breakpoints the on arm relies on automatic prefix
//! caching, and the off arm stays cold all the same, because its very first tokens are new.
//!
//! Prediction (`TTFT = t0 + c·uncached + r·cached`): a cached prefix of K tokens saves `(c − r)·K` of the
//! prefill, and nothing below the model's minimum.

mod prefix;
mod prompt;
mod run_all;
mod warm_up;

pub use prefix::{automatic, prefix};
pub use run_all::{CachingComparison, CachingResults, run_all};
pub use warm_up::warm_up;

use std::borrow::Cow;

use crate::catalog::Profile;
use crate::experiment::{Known, Prediction};
use crate::wire::Dialect;

/// Prefix lengths of the sweep, in tokens: below the usual minimum, just above it, and up to a book.
pub const PREFIX_TOKENS: [u64; 6] = [512, 1_500, 4_000, 10_000, 32_000, 100_000];

/// Lengths for the automatic cache: just above its minimum and well past it.
pub const AUTOMATIC_TOKENS: [u64; 2] = [1_500, 10_000];

/// The published reduction of TTFT on a cache hit, "up to" (Anthropic, 2024).
const CLAIM: f64 = 0.85;

/// Seconds for each uncached token less those for a cached one, from four published points between 10,000
/// and 187,000 tokens (Claude 3.5 Sonnet, 2024): 50 to 125 µs, 90 in the middle.
const PUBLISHED_NS_PER_TOKEN: f64 = 90e3;

/// What reading `cached` tokens saves of the prefill.
fn saving(known: &Known<'_>, cached: u64) -> Option<Prediction> {
    let (per_token, source) = match known.engine {
        Some((engine, slowdown)) => (of_engine(engine) * slowdown, engine_source(engine, slowdown)),
        None if known.dialect == Dialect::Anthropic
            && known.model.is_some_and(|m| m.provider == "anthropic") =>
        {
            (PUBLISHED_NS_PER_TOKEN, Cow::Borrowed("published: 90 µs per cached token (50 to 125)"))
        }
        None => return None,
    };
    Some(Prediction { saving: per_token * cached as f64, source })
}

fn of_engine(engine: &Profile) -> f64 {
    engine.prefill.as_nanos() as f64 - engine.cached.as_nanos() as f64
}

fn engine_source(engine: &Profile, slowdown: f64) -> Cow<'static, str> {
    let per_token = of_engine(engine) * slowdown / 1e3;
    Cow::Owned(format!("engine {}: {per_token:.2} µs per cached token", engine.name))
}

/// The fewest tokens that some current model caches: no prefix below it is cached everywhere.
const LEAST_MINIMUM: u64 = 1_024;
