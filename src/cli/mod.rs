//! The `llmlab` command: one file per subcommand.
//!
//! Exit codes: 0 done, 2 a wrong flag or a failure that the message names, 130 interrupted.

mod commands;
mod flags;
mod interrupt;
mod output;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::report::say;
use commands::{mock, run};

/// Exit code of a command that could not do what was asked.
const EXIT_ERROR: u8 = 2;
/// Exit code of a command that was interrupted with Ctrl-C.
const EXIT_INTERRUPTED: u8 = 130;

/// LLM Latency Lab: does this latency optimisation make my LLM application faster, and by how much?
///
/// Criterion's reports and baselines come from the benches: cargo bench --bench caching
#[derive(Debug, Parser)]
#[command(name = "llmlab", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Mock(mock::Args),
}

/// Runs the command that the process's arguments name.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Mock(args) => mock::run(&args),
    };
    result.unwrap_or_else(|error| {
        say(&format!("error: {error:#}"));
        ExitCode::from(EXIT_ERROR)
    })
}
