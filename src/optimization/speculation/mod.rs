//! Speculation: tool calls that are made while the model has not asked for them yet.
//!
//! When a model call starts, the likely next calls of tools that change nothing start beside it. A right guess is
//! used as soon as the model asks for it; a wrong one is given up and counted as wasted. Tools with side effects
//! are never called on suspicion.
//!
//! Prediction, a step of a model call L and a tool call d: guessed right it takes `max(L, d)` instead of `L + d`, so
//! an accuracy of p saves `p·min(L, d)` of each step (arXiv 2510.04371; `s`, the time to guess, is taken as 0).

mod ahead;
mod guess;
mod steps;

pub use ahead::Ahead;
pub use guess::{Bigram, Oracle, Predictor};
pub use steps::{accuracy, all_wrong, guesses, ratio};
