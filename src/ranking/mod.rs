//! Which model is best at what.
//!
//! A [`Board`] ranks models by the values that were found of them for one [`RankedMetric`], measured or simulated. A rank
//! counts the models that are shown to be better, so that models can share one: a list by mean alone would name a first
//! where the values show none.

mod board;
mod metric;
mod simulation;

pub use board::{Board, Order, OrderError, Standing};
pub use metric::RankedMetric;
pub use simulation::{Distribution, LLMS, Llm, POINTS, SEED, Simulation, SimulationError};

/// What was found of a model for one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// The model's name.
    pub llm_name: String,
    /// The values, in the metric's unit.
    pub values: Vec<f64>,
}

/// A value to two places, as rankings are shown and simulated; of two that are as near, the even one.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 100.0).round_ties_even() / 100.0
}
