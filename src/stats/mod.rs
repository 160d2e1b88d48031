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
mod paired;
mod quantile;
mod summary;
mod trimmed;
mod two_samples;

pub use between::between_runs;
pub use bootstrap::{Bootstrap, Method};
pub use change_points::{ChangePoint, LEAST_FOR_CHANGE, change_points};
pub use holm::holm;
pub use interval::{Interval, mean_interval};
pub use paired::{Paired, difference, ratio};
pub use quantile::{gate_floor, marked_below, median, quantile, samples_for, sorted};
pub use summary::{Summary, autocorrelation};
pub use trimmed::Trimmed;
pub use two_samples::quantile_ratio;
