//! Which model is best at what.
//!
//! A [`Board`] ranks models by the values that were found of them for one [`Quality`], measured or simulated. Models
//! that the data cannot tell apart share a rank: a list by mean alone would name a first where there is none.

mod board;
mod quality;
mod simulation;

pub use board::{Board, Order, Standing};
pub use quality::{Quality, QualityError};
pub use simulation::{Distribution, LLMS, Llm, POINTS, SEED, Simulation, SimulationError};

/// What was found of a model for one quality.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// The model's name.
    pub llm_name: String,
    /// The values, in the quality's unit.
    pub values: Vec<f64>,
}
