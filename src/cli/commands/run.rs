//! `llmlab run`: an optimisation's rounds until the verdict is clear.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use regex::Regex;

use crate::cli::{EXIT_ERROR, EXIT_INTERRUPTED, flags, interrupt, output};
use crate::optimization::{self, Optimization};
use crate::report::results::{Comparison, Ending};
use crate::report::{comparison, say};
use crate::run::{self, Finished, Options, Stop};
use crate::settings::{Settings, share};

/// Compares an optimisation with its control, round by round, until the verdict is clear.
///
/// Every round asks each arm once, in random order. From the fifth round on the run may stop: its intervals
/// stay valid although it looks after every round. It ends with a verdict for each metric: faster, slower, no
/// difference larger than the margin, or not enough data. Without a target it asks the mock: no key, no
/// network. Exit codes: 0 done, 2 a wrong flag or a failure, 130 interrupted; what was measured is kept.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    #[arg(value_name = "OPTIMIZATION|all", help = optimizations())]
    optimization: String,
    /// Make this many rounds, and one to warm up, instead of stopping when it is clear.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
    /// A smoke run: 3 rounds of the shortest arms, which decide nothing.
    #[arg(long, conflicts_with_all = ["runs", "max_rounds"])]
    quick: bool,
    /// Stop at this many rounds of a group, clear or not.
    #[arg(long, value_name = "N", default_value_t = Options::DEFAULT_MOST, conflicts_with = "runs",
          value_parser = clap::value_parser!(u32).range(5..))]
    max_rounds: u32,
    /// The difference that does not matter, either way: 10% or 0.1.
    #[arg(long, value_name = "SHARE", default_value = "10%", value_parser = share)]
    margin: f64,
    /// The metric that decides when to stop, such as ttft or total, instead of each group's own.
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// Only arms whose group/arm/x matches this regular expression, and their controls.
    #[arg(long, value_name = "REGEX")]
    filter: Option<Regex>,
    /// Where the result and the journal of requests go.
    #[arg(long, value_name = "DIRECTORY", default_value = "results")]
    output_dir: PathBuf,
    /// Write the result to standard output as JSON, one line for each optimisation, instead of the table.
    #[arg(long)]
    json: bool,
    /// No colours, as with NO_COLOR in the environment; a file or a pipe gets none anyway.
    #[arg(long)]
    no_color: bool,
    #[command(flatten, next_help_heading = "Target and budget")]
    target: flags::Target,
}

const EXAMPLES: &str = "Examples:
  llmlab run streaming --quick            does it work? 3 rounds, a table, no verdict
  llmlab run streaming                    until every comparison is decided
  llmlab run caching --runs 20            20 rounds, whatever they show
  llmlab run caching --filter '/(un)?cached/10000$' --margin 5%
  llmlab run all --output-dir results
  llmlab run streaming --target anthropic --model claude-haiku-4-5 --max-usd 0.50
  llmlab run streaming --json | jq '.verdicts[] | {arm, x, metric, verdict}'
";

/// Runs what was named and shows what it found.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let environment = args.target.environment();
    let settings = Settings::from_environment(&environment)?;
    let optimizations: Vec<&Optimization> = match args.optimization.as_str() {
        "all" => optimization::ALL.iter().collect(),
        name => vec![optimization::find(name)?],
    };
    let options = args.options(environment.get("LLMLAB_RUNS").map(|_| settings.runs as u32));
    let show = |finished: &Finished| args.show(finished);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let interrupted = runtime.block_on(async { interrupt::interruption() });
    let mut failed = Vec::new();
    for (number, optimization) in (1..).zip(&optimizations) {
        if optimizations.len() > 1 {
            say(&format!("\n[{number}/{}] {}", optimizations.len(), optimization.name));
        }
        let future =
            run::run(optimization, settings.clone(), &options, &args.output_dir, interrupted.clone());
        let ran = runtime.block_on(Box::pin(future)).map_err(anyhow::Error::from);
        match ran.and_then(|finished| show(&finished).map(|()| finished.comparison)) {
            Ok(Comparison { ending: Ending::Interrupted, .. }) => return Ok(EXIT_INTERRUPTED.into()),
            Ok(Comparison { ending: Ending::Failed, .. }) => failed.push(optimization.name),
            Ok(_) => {}
            Err(error) if optimizations.len() == 1 => return Err(error),
            Err(error) => {
                say(&format!("error: {}: {error:#}", optimization.name));
                failed.push(optimization.name);
            }
        }
    }
    if optimizations.len() > 1 {
        say(&if failed.is_empty() {
            "ALL BENCHMARKS COMPLETE".into()
        } else {
            format!("FAILED: {}", failed.join(", "))
        });
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { EXIT_ERROR.into() })
}

impl Args {
    fn options(&self, runs: Option<u32>) -> Options {
        let stop = match self.runs.or(runs) {
            _ if self.quick => Stop::After(Options::SMOKE_ROUNDS),
            Some(runs) => Stop::After(runs),
            None => Stop::Decided { most: self.max_rounds },
        };
        let (metric, filter) = (self.metric.clone(), self.filter.clone());
        Options { stop, margin: self.margin, smoke: self.quick, metric, filter }
    }

    fn show(&self, finished: &Finished) -> anyhow::Result<()> {
        let found = &finished.comparison;
        let colour = output::colour(self.no_color);
        let text = if self.json { serde_json::to_string(found)? } else { comparison::text(found, colour) };
        output::print(&text).context("could not write to standard output")?;
        say(&format!("[llmlab] the result is in {}", finished.path.display()));
        Ok(())
    }
}

/// What can be run, with the question that each answers.
fn optimizations() -> String {
    let known = optimization::ALL.iter().map(|known| format!("{}: {}", known.name, known.question));
    known.chain(["all: each of them in turn".into()]).collect::<Vec<_>>().join("\n")
}
