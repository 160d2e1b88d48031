//! The optimisations: for each, its groups of arms and the gain that theory predicts.
//!
//! One module, one bench, one scenario, one name. The arms know no driver: Criterion, a command, a job and a
//! test run the same ones.

pub mod caching;
mod catalog;
pub mod streaming;

pub use catalog::{ALL, CACHING, Claim, Optimization, STREAMING, UnknownOptimization, find};
