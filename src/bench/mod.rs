//! Criterion as a driver of rounds: the only code that knows it.
//!
//! Criterion measures one number at a time and repeats a benchmark as it sees fit. A request shows several
//! numbers and costs money. So rounds are collected once, when Criterion first wants a value of them, and
//! every metric of every arm is read from the same requests: sample i of each benchmark is round i + 1.
//! Criterion keeps what it is good at: its command line, baselines, regression detection and HTML reports.

mod bridge;
mod command_line;
mod cost;
mod driver;

pub use cost::Cost;

use std::process::ExitCode;

use crate::experiment::Group;

/// Exit code of a bench that could not measure: a wrong setting, an arm that failed for good.
pub const EXIT_ERROR: u8 = 2;

/// Runs a bench: everything a `benches/NAME.rs` has to do.
///
/// The plan comes from the environment ([`crate::settings`]), the rest from Criterion's command line. Live
/// targets are told nothing before the whole plan was priced and found to fit the budget.
pub fn main(name: &str, groups: impl IntoIterator<Item = Group>) -> ExitCode {
    crate::instrument::serve_if_asked();
    let groups = groups.into_iter().collect();
    match driver::run(name, groups) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            crate::report::say(&format!("error: {error}"));
            ExitCode::from(EXIT_ERROR)
        }
    }
}
