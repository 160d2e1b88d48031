//! The optimisations: for each, its groups of arms and the gain that theory predicts.
//!
//! One module, one bench, one scenario, one name. The arms know no driver: Criterion, a command, a job and a
//! test run the same ones.

pub mod agent;
pub mod batching;
pub mod caching;
mod catalog;
pub mod concurrency;
pub mod connection;
mod deck;
mod formula;
pub mod parallelism;
pub mod routing;
pub mod semantic_cache;
pub mod speculation;
pub mod streaming;
pub mod topology;

pub use catalog::{
    ALL, BATCHING, CACHING, CONCURRENCY, CONNECTION, Optimization, PARALLELISM, ROUTING, SEMANTIC_CACHE,
    SPECULATION, STREAMING, TOPOLOGY, UnknownOptimization, find,
};
