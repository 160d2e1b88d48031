//! `llmlab simulate`: rankings of no model, for boards that have nothing measured yet.

use std::process::ExitCode;

use anyhow::Context;

use crate::cli::output;
use crate::ranking::{Board, Distribution, Order, POINTS, RankedMetric, Simulation};
use crate::report::ranking::{Dump, Rankings, SIMULATED, table};
use crate::report::say;
use crate::settings::Environment;

/// Ranks models on values that nobody measured: the same for everybody who takes the same seed.
///
/// They fill boards and load tests before anything was measured. Every model draws from the same range, so that what
/// order they come in is chance. A rank counts the models that are shown to be better; = marks one that is shared.
/// Nothing is asked.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Draw other values: any word [default: SEED of the environment, or 20; another one each time if SEED is empty].
    #[arg(long, value_name = "WORD")]
    seed: Option<String>,
    /// Values of each model for each metric.
    #[arg(long, value_name = "N", default_value_t = POINTS)]
    points: usize,
    /// How they are spread over their range: evenly, or as times are, with a long tail.
    #[arg(long, value_name = "uniform|lognormal", default_value = "uniform")]
    dist: Distribution,
    /// Which model is listed first: that of the highest mean, or the best.
    #[arg(long, value_name = "descending|best", default_value = "descending")]
    order: Order,
    /// Print JSON, as the rankings API replies.
    #[arg(long)]
    json: bool,
    /// With JSON, also ranks, percentiles and intervals, and that the values are simulated.
    #[arg(long, requires = "json")]
    full: bool,
    /// Print every value as JSON.
    #[arg(long, conflicts_with_all = ["json", "order"])]
    dump: bool,
    /// Put them into the service's database, in the place of those before, instead of showing them.
    #[cfg(feature = "service")]
    #[arg(long, conflicts_with_all = ["json", "dump", "order"], help_heading = "The service's rankings")]
    once: bool,
    #[cfg(feature = "service")]
    #[command(flatten, next_help_heading = "The service's rankings")]
    database: super::database::Database,
}

const EXAMPLES: &str = "Examples:
  llmlab simulate                               a table
  llmlab simulate --order best --dist lognormal
  llmlab simulate --json | jq '.data[0].ttft[0].llm_name'
  llmlab simulate --dump > simulated.json       12,000 values
";

/// Draws and shows.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_process();
    let seed = args.seed.clone().unwrap_or_else(|| Simulation::seed_of(&environment));
    let simulation = Simulation::new(&seed, args.points, args.dist)
        .map_err(|error| anyhow::anyhow!("--points: {error}"))?;
    #[cfg(feature = "service")]
    if args.once {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(crate::service::simulate_once(&args.database.url(&environment), &simulation))?;
        say(&format!("[llmlab] simulated: the service's rankings are those of seed {seed}"));
        return Ok(ExitCode::SUCCESS);
    }
    let boards = RankedMetric::ALL.map(|metric| Board::of(metric, &simulation.values(metric), args.order));
    let text = if args.dump {
        serde_json::to_string(&Dump::of(&simulation))?
    } else if args.json {
        serde_json::to_string(&Rankings::of(&boards, args.full.then_some(SIMULATED)))?
    } else {
        table(&boards)
    };
    say(&format!("[llmlab] simulated: nobody measured these values · seed {seed}"));
    output::print(&text).context("could not write to standard output")?;
    Ok(ExitCode::SUCCESS)
}
