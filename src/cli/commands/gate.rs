//! `llmlab gate`: did anything get slower?

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::baseline::{self, DIRECTORY};
use crate::cli::{EXIT_INCONCLUSIVE, EXIT_REGRESSION, output};
use crate::gate::{self, Confirm, Options, RulesFile};
use crate::report::{gate as exporters, say};
use crate::settings::{Environment, share};
use crate::verdict::gate::{CONFIRMING_RUNS, Outcome};

/// Compares the latest runs of a baseline's benches with it: exit code 1 means that something got slower.
///
/// Simulated and replayed runs are paired with the baseline round by round; live ones are judged by each arm's
/// ratio to its control, with the baseline's runs as replicates. Every benchmark ends as pass, improved,
/// regression or inconclusive. Exit codes: 0 pass, 1 regression, 2 a baseline, run or flag that is wrong, 3
/// inconclusive.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The baseline.
    #[arg(long, value_name = "NAME")]
    baseline: String,
    /// This bench alone.
    #[arg(long, value_name = "BENCH")]
    bench: Option<String>,
    /// The slowdown from which on a benchmark fails: 10% or 0.1.
    #[arg(long, value_name = "SHARE", default_value = "10%", value_parser = share)]
    max_regress: f64,
    /// The slowdown that a benchmark must be able to show, else it is inconclusive.
    #[arg(long, value_name = "SHARE", default_value = "20%", value_parser = share)]
    detect: f64,
    /// A file of limits for single benchmarks (see the examples).
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Measure suspects again, at most so many times, before anything fails.
    #[arg(long, value_name = "RUNS", num_args = 0..=1, default_missing_value = CONFIRMING.as_str(), value_parser = runs)]
    confirm: Option<usize>,
    /// What runs a bench again, instead of `cargo bench --bench NAME --`.
    #[arg(long, value_name = "COMMAND", requires = "confirm", value_parser = words)]
    confirm_with: Option<Words>,
    /// How to write the findings.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Write them to a file, and the text to the console all the same.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show benchmarks that passed, too.
    #[arg(long)]
    all: bool,
    /// Compare a live baseline of another kind of machine all the same.
    #[arg(long)]
    force: bool,
    /// The folder of baselines.
    #[arg(long, value_name = "DIR", default_value = DIRECTORY)]
    dir: PathBuf,
    /// Criterion's directory; found as Criterion finds it: $CRITERION_HOME, or target/criterion.
    #[arg(long, value_name = "DIR")]
    criterion_home: Option<PathBuf>,
}
