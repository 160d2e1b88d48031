//! The `llmlab` command: one file per subcommand.

mod commands;
mod flags;
mod help;
mod interrupt;
mod output;

use std::process::ExitCode;

use clap::{FromArgMatches, Parser, Subcommand};

use crate::report::say;
use commands::{
    baseline, claims, completions, gate, load, man, matrix, mock, profile, record, report, routing, run,
    scenarios, selftest, simulate, targets, trend,
};
#[cfg(feature = "service")]
use commands::{database, rankings, serve};

/// Exit code of a gate that found something slower.
const EXIT_REGRESSION: u8 = 1;
/// Exit code of a command that could not do what was asked.
const EXIT_ERROR: u8 = 2;
/// Exit code of a gate that could not tell.
const EXIT_INCONCLUSIVE: u8 = 3;
/// Exit code of a command that was interrupted with Ctrl-C.
const EXIT_INTERRUPTED: u8 = 130;

/// LLM Latency Lab: does this latency optimisation make my LLM application faster, and by how much?
///
/// Criterion's reports and baselines come from the benches: cargo bench --bench caching
#[derive(Debug, Parser)]
#[command(name = "llmlab", version, arg_required_else_help = true, after_long_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  llmlab run streaming --quick        does it work? 3 rounds against the simulator
  llmlab run caching                  until every comparison is decided
  llmlab mock                         the simulator alone, for any client
  llmlab targets --check              what can be asked, and does it answer?
  llmlab help gate                    all about one command
";

#[derive(Debug, Subcommand)]
enum Command {
    Baseline(baseline::Args),
    Gate(gate::Args),
    Run(run::Args),
    Load(Box<load::Args>),
    Matrix(matrix::Args),
    Routing(routing::Args),
    Claims(claims::Args),
    Scenarios(scenarios::Args),
    Selftest(selftest::Args),
    Simulate(simulate::Args),
    #[cfg(feature = "service")]
    Serve(Box<serve::Args>),
    #[cfg(feature = "service")]
    Rankings(rankings::Args),
    #[cfg(feature = "service")]
    Database(database::Args),
    Targets(targets::Args),
    Mock(mock::Args),
    Profile(profile::Args),
    Record(record::Args),
    Report(report::Args),
    Trend(trend::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Runs the command that the process's arguments name.
pub fn main() -> ExitCode {
    crate::instrument::serve_if_asked();
    let parsed = Cli::from_arg_matches(&help::command().get_matches());
    let result = match parsed.unwrap_or_else(|error| error.exit()).command {
        Command::Baseline(args) => baseline::run(&args),
        Command::Gate(args) => gate::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Load(args) => load::run(&args),
        Command::Matrix(args) => matrix::run(&args),
        Command::Routing(args) => routing::run(&args),
        Command::Claims(args) => claims::run(&args),
        Command::Scenarios(args) => scenarios::run(&args),
        Command::Selftest(args) => selftest::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        #[cfg(feature = "service")]
        Command::Serve(args) => serve::run(&args),
        #[cfg(feature = "service")]
        Command::Rankings(args) => rankings::run(&args),
        #[cfg(feature = "service")]
        Command::Database(args) => database::run(&args),
        Command::Targets(args) => targets::run(&args),
        Command::Mock(args) => mock::run(&args),
        Command::Profile(args) => profile::run(&args),
        Command::Record(args) => record::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Trend(args) => trend::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    };
    result.unwrap_or_else(|error| {
        say(&format!("error: {}", explained(&error)));
        ExitCode::from(EXIT_ERROR)
    })
}

/// An error with its causes, but for those that its own text names.
fn explained(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text.as_str() {
        "" => cause,
        text if text.contains(&cause) => text.into(),
        text => format!("{text}: {cause}"),
    })
}
