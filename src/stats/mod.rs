//! Numbers in, numbers out: quantiles, summaries, bootstrap intervals and paired comparisons.
//!
//! Nothing here knows what the numbers mean. Every function is deterministic: what needs chance takes a seed.
//! What a sample cannot say is absent: an empty sample has no quantile, one value has no spread, and a value
//! that is not finite makes the whole result absent, because leaving it out would hide a fault.

mod between;
mod bootstrap;
mod change_points;
mod holm;
mod interval;
mod least_squares;
mod line;
mod noise;
mod paired;
mod proportion;
mod quantile;
mod scalability;
mod sequence;
mod summary;
mod trimmed;
mod two_samples;
mod welch;

pub use between::between_runs;
pub use bootstrap::{Bootstrap, Method};
pub use change_points::{ChangePoint, LEAST_FOR_CHANGE, change_points};
pub use holm::holm;
pub use interval::{Interval, half_width, mean_interval};
pub use least_squares::least_squares;
pub use line::{Line, correlation};
pub use noise::{Noise, Outliers, detectable};
pub use paired::{Paired, difference, log_ratios, ratio};
pub use proportion::proportion;
pub use quantile::{
    Percentiles, floor_quantile, gate_floor, marked_below, median, quantile, samples_for, sorted,
};
pub use scalability::{Scalability, amdahl, knee, little};
pub use sequence::{Moments, Sequence};
pub use summary::{Summary, autocorrelation};
pub use trimmed::Trimmed;
pub use two_samples::quantile_ratio;
pub use welch::welch;
