//! Model routing: easy questions to a small model. Which does it make faster, which slower, and which answers suffer?
//!
//! The control asks the large model everything. `routed` first has the small model name the class of the question
//! (simple, moderate, complex), and asks whom [`decide`] then names; `heuristic` decides by a few rules, `oracle` by
//! the labels, `cascade` lets the small model try, and `hedged` classifies while the large one is already at work.
//!
//! Prediction (`E[T] = T_cls + p T_small + (1 - p) T_large`): classifying pays from the share
//! `p* = T_cls / (T_large - T_small)` of easy questions on; a complex one always takes `T_cls` longer.
//!
//! **Being wrong.** Easy work that goes to the large model costs time and money (misrouted up); hard work that goes
//! to the small one costs the answer's quality (misrouted down), which no latency shows. Both are counted against
//! labels that a person gave, and more than 5% misrouted down is called UNSAFE. What a simulated model says of a
//! question is assumed; [`accuracy`] asks a real one.

mod accuracy;
mod break_even;
mod classifier;
mod compare;
mod confusion;
mod decide;
mod groups;
mod prompts;
mod router;

pub use accuracy::{Accuracy, accuracy};
pub use break_even::Times;
pub use classifier::{ASSUMED_ACCURACY, heuristic};
pub use compare::{RoutingComparison, compare};
pub use confusion::{Confusion, MOST_DOWN};
pub use decide::{CONFIDENT, Classification, Complexity, Route, decide, deserved};
pub use groups::{by_complexity, share};
pub use prompts::{Prompt, prompts, smoke};
pub use router::Strategy;
pub(in crate::optimization) use router::chosen_model;

/// Percentages of simple prompts over the sweep.
pub const SIMPLE_PERCENT: [u32; 5] = [0, 25, 50, 75, 100];
