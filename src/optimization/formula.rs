//! How long what is simulated takes, in nanoseconds: what predictions start from.

use std::time::Duration;

use crate::catalog::Profile;
use crate::experiment::Known;

/// Nanoseconds in a millisecond.
pub(super) const MS: f64 = 1e6;

/// A whole answer on the engine that is known; absent for a real one.
pub(super) fn call(known: &Known<'_>, input: f64, output: f64) -> Option<f64> {
    known.engine.map(|(engine, slowdown)| call_on(engine, slowdown, input, output))
}

/// A whole answer on an engine: [`Profile::answer_time`] at its slowdown.
pub(super) fn call_on(engine: &Profile, slowdown: f64, input: f64, output: f64) -> f64 {
    engine.answer_time(input, output).as_nanos() as f64 * slowdown
}

/// What the world around the engine takes: tools and stores.
pub(super) fn world(known: &Known<'_>, real: Duration) -> f64 {
    real.as_nanos() as f64 * known.scale
}
