//! `llmlab run`: an optimisation's rounds until the verdict is clear.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use regex::Regex;

use crate::cli::interrupt::Interruptible;
use crate::cli::{EXIT_ERROR, EXIT_INTERRUPTED, flags, output};
use crate::experiment::Group;
use crate::optimization::{self, agent};
use crate::report::results::{Comparison, Ending};
use crate::report::{comparison, say};
use crate::run::{Finished, Options, StartError, Stop};
use crate::scenario;
use crate::settings::{Settings, share};

/// Compares an optimisation with its control, round by round, until the verdict is clear.
///
/// Every round asks each arm once, in random order. From the fifth round on the run may stop: its intervals
/// stay valid although it looks after every round. It ends with a verdict for each metric: faster, slower, no
/// difference larger than the margin, or not enough data. Without a target it asks the mock: no key, no
/// network. What was measured is kept, however it ends.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    #[arg(value_name = "OPTIMIZATION|baseline|all", help = optimizations())]
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

/// What runs every task unoptimised.
const BASELINE: &str = "baseline";

const EXAMPLES: &str = "Examples:
  llmlab run streaming --quick            does it work? 3 rounds, a table, no verdict
  llmlab run streaming                    until every comparison is decided
  llmlab run caching --runs 20            20 rounds, whatever they show
  llmlab run caching --filter '/(un)?cached/10000$' --margin 5%
  llmlab run baseline --runs 20           every task as it is, before anything is optimised
  llmlab run all --output-dir results
  llmlab run streaming --target anthropic --model claude-haiku-4-5 --max-usd 0.50
  llmlab run streaming --json | jq '.verdicts[] | {arm, x, metric, verdict}'
";

/// Runs what was named and shows what it found.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let environment = args.target.environment();
    let settings = Settings::from_environment(&environment)?;
    let named: Vec<(&str, Vec<Group>)> = match args.optimization.as_str() {
        "all" => optimization::ALL.iter().map(|known| (known.name, known.groups())).collect(),
        BASELINE => {
            let every = scenario::tasks().iter().flat_map(|file| &file.tasks).map(|task| task.name.as_str());
            vec![(BASELINE, agent::baseline(&every.collect::<Vec<_>>()))]
        }
        name => vec![(name, optimization::find(name)?.groups())],
    };
    let options = args.options(environment.get("LLMLAB_RUNS").map(|_| settings.runs as u32));
    let interruptible = Interruptible::new()?;
    let all = named.len();
    let (several, mut skipped, mut failed) = (all > 1, 0, Vec::new());
    for (number, (name, groups)) in (1..).zip(named) {
        if several {
            say(&format!("\n[{number}/{}] {name}", all));
        }
        let ran = interruptible.run(name, groups, settings.clone(), &options, &args.output_dir);
        match ran.and_then(|finished| args.show(&finished).map(|()| finished.comparison)) {
            Ok(Comparison { ending: Ending::Interrupted, .. }) => return Ok(EXIT_INTERRUPTED.into()),
            Ok(Comparison { ending: Ending::Failed, .. }) => failed.push(name.to_owned()),
            Ok(_) => {}
            // What the filter or the target leaves nothing of is no failure among several.
            Err(error) if several && is_nothing(&error) => {
                say(&format!("skipped {name}: {error:#}"));
                skipped += 1;
            }
            Err(error) if several => {
                say(&format!("error: {name}: {error:#}"));
                failed.push(name.to_owned());
            }
            Err(error) => return Err(error),
        }
    }
    anyhow::ensure!(skipped < all, "nothing was run: every optimisation was skipped");
    if several {
        let failures = format!("FAILED: {}", failed.join(", "));
        say(if failed.is_empty() { "ALL BENCHMARKS COMPLETE" } else { &failures });
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { EXIT_ERROR.into() })
}

fn is_nothing(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(StartError::Nothing { .. }))
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
    let others = [
        format!("{BASELINE}: every task of scenarios/ without any optimisation"),
        "all: each optimisation in turn".into(),
    ];
    known.chain(others).collect::<Vec<_>>().join("\n")
}
