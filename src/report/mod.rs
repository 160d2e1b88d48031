//! Results for people and programs: one exporter a file. Nothing here computes a statistic.

pub mod baseline;
pub mod cassette;
#[cfg(feature = "cli")]
pub mod charts;
pub mod claims;
pub mod compare;
pub mod comparison;
pub mod destination;
pub mod exported;
pub mod figure;
pub mod gate;
pub mod instrument;
pub mod json;
pub mod load;
pub mod matrix;
#[cfg(feature = "cli")]
pub mod plot;
pub mod profile;
pub mod progress;
#[cfg(feature = "cli")]
pub mod ranking;
pub mod results;
pub mod routing;
pub mod scenarios;
pub mod selftest;
#[cfg(feature = "cli")]
pub mod slow;
pub mod table;
pub mod targets;
pub mod traces;
#[cfg(feature = "cli")]
pub mod trend;

use std::io::{self, Write};

/// Writes text for a person to standard error, where it cannot mix with a program's output. A closed pipe
/// is nobody listening, and no error.
pub fn say(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "{text}").and_then(|()| stderr.flush());
}
