//! `llmlab matrix`: tasks with every combination of optimisations.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::cli::interrupt::Interruptible;
use crate::cli::{EXIT_ERROR, EXIT_INTERRUPTED, flags, output};
use crate::client::{Road, TlsVersion};
use crate::optimization::agent::{self, Toggle, Toggles};
use crate::report::results::Ending;
use crate::report::{matrix, say};
use crate::run::{Options, Stop};
use crate::scenario::{self, Task};
use crate::settings::Settings;

/// Does tasks unoptimised and with optimisations switched on, and shows what each combination changes.
///
/// Every round does each task once under every combination, in random order. With --toggles, every legal
/// combination of those named is a column; without, each toggle alone, so that the optimisations can be ranked
/// for each task. Answers are checked: a combination that makes them wrong is marked. Without a target the mock
/// does the tasks: its answers are scripted, its times simulated. What was measured is kept, however it ends.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The tasks, commas between them (see llmlab scenarios), or `all`.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_values_t = agent::REPRESENTATIVE.map(String::from))]
    scenarios: Vec<String>,
    /// The toggles to combine, commas between them; every legal combination of them is run.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help = toggles())]
    toggles: Vec<Toggle>,
    /// Rounds, and one to warm up.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Put the simulator this far away, with TLS 1.3: the round trip in milliseconds.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    rtt: Option<u64>,
    /// Where the result and the journal of requests go.
    #[arg(long, value_name = "DIRECTORY", default_value = "results")]
    output_dir: PathBuf,
    /// Print the result as JSON instead of the table.
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Target and budget")]
    target: flags::Target,
}

const EXAMPLES: &str = "Examples:
  llmlab matrix                                                    one task of each kind, each toggle alone
  llmlab matrix --scenarios tool_support,tool_coding --toggles cache_control,parallel_tools
  llmlab matrix --scenarios all --runs 5
  llmlab matrix --rtt 50                                           with the model 50 ms away
  llmlab claims                                                    ranks the optimisations by the last matrix
";

fn toggles() -> String {
    format!("The toggles to combine, commas between them: {}; without, each of them alone", Toggle::names())
}

/// Runs the matrix and shows it.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let settings = Settings::from_environment(&args.target.environment())?;
    let tasks = tasks("--scenarios", &args.scenarios)?;
    let combinations = combinations(&args.toggles)?;
    let options = Options { stop: Stop::After(args.runs), ..Options::default() };
    let far = |ms| Road::default().tls(TlsVersion::Tls13).rtt(Duration::from_millis(ms));
    let groups = agent::scenarios("matrix", &tasks, &combinations, args.rtt.map_or_else(Road::default, far));
    let finished = Interruptible::new()?.run("matrix", groups, settings, &options, &args.output_dir)?;
    let found = &finished.comparison;
    let text = if args.json { serde_json::to_string(found)? } else { matrix::text(found) };
    output::print(&text).context("could not write to standard output")?;
    say(&format!("[llmlab] the result is in {}", finished.path.display()));
    Ok(match found.ending {
        Ending::Interrupted => EXIT_INTERRUPTED.into(),
        Ending::Failed => {
            say(&format!("error: {}", found.error.as_deref().unwrap_or("an arm failed for good")));
            EXIT_ERROR.into()
        }
        _ => ExitCode::SUCCESS,
    })
}

/// The tasks that `flag` names, or `all`.
pub(super) fn tasks(flag: &str, names: &[String]) -> anyhow::Result<Vec<&'static Task>> {
    if names == ["all"] {
        return Ok(scenario::tasks().iter().flat_map(|file| &file.tasks).collect());
    }
    let find = |name: &String| match scenario::task(name) {
        Some(task) => Ok(task),
        None => bail!("{flag}: there is no task `{name}`: see llmlab scenarios list"),
    };
    names.iter().map(find).collect()
}

fn combinations(toggles: &[Toggle]) -> anyhow::Result<Vec<Toggles>> {
    if toggles.is_empty() {
        let alone = Toggle::ALL.into_iter().map(|toggle| Toggles::of([toggle]));
        let all = [Ok(Toggles::default())].into_iter().chain(alone);
        return Ok(all.collect::<Result<_, _>>()?);
    }
    Ok(Toggles::combinations(toggles))
}
