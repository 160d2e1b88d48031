//! Parallelism: tools of one turn, whole agent loops and sub-agents, one after another or together.
//!
//! Predictions: tools that take `d₁..d_k` take `Σd` in turn and `max d` together; at most `m` at a time they take what
//! greedy list scheduling gives (Graham 1969), at least `max(max d, Σd/m)`. A task whose model calls its tools one a
//! turn takes `(k + 1)·L + Σd`, one that calls them all in one turn `2·L + max d`. Where only a share f of the work can
//! be spread over p workers the whole is `1/((1 − f) + f/p)` times as fast (Amdahl 1967).

mod agents;
mod schedule;
mod tools;

pub use agents::{agents, looped};
pub use schedule::{Graph, list_schedule};
pub use tools::{ParallelComparison, cap, compare, failing, fraction, order, tools, width};
