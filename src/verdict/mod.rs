//! What the numbers say, in sentences: pure decisions over summaries.

pub mod claims;
mod exports;
pub mod gate;
mod samples;
mod sequential;
mod sweep;
pub mod trial;

pub use exports::{ExportError, ExportVerdict, Level, judge};
pub use samples::{Quantile, Samples, UnknownQuantile};
pub use sequential::{Finding, IntervalKind, Judgement, Rule, Verdict};
pub(crate) use sweep::grouped;
pub use sweep::{Crossing, Effect, agreement, sentences, unsafe_arms};
