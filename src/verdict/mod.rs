//! What the numbers say, in sentences: pure decisions over summaries.

mod sweep;

pub(crate) use sweep::grouped;
pub use sweep::{Crossing, Effect, sentences};
