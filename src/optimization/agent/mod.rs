//! An agent: a model turn, its tools, their results, and the next turn, until there is an answer.
//!
//! [`Plan::run`] is the loop. [`run`] is a whole task from `scenarios/` with any legal combination of optimisations,
//! its [`Toggles`]: the one function behind the unoptimised baseline, the matrix and every comparison on a task.

mod answers;
mod conversation;
mod run;
mod toggles;
mod toolbox;

pub use conversation::{Caching, How, Plan, Ran};
pub use run::{Memory, REPRESENTATIVE, baseline, run, scenarios};
pub use toggles::{Toggle, Toggles, TogglesError};
pub(in crate::optimization) use toolbox::in_order;
pub use toolbox::{AT_MOST, Order, Output, Toolbox};
