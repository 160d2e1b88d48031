//! What the numbers say, in sentences: pure decisions over summaries.

mod sequential;
mod sweep;

pub use sequential::{Finding, IntervalKind, Judgement, Rule, Verdict};
pub(crate) use sweep::grouped;
pub use sweep::{Crossing, Effect, sentences};
