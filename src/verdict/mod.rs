//! What the numbers say, in sentences: pure decisions over summaries.

pub mod gate;
mod sweep;
pub mod trial;

pub(crate) use sweep::grouped;
pub use sweep::{Crossing, Effect, sentences};
