//! `llmlab baseline`: earlier runs, kept to compare later ones with.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use crate::baseline::{self, Baseline, BenchRuns, DIRECTORY, Mode, Save};
use crate::cli::{EXIT_ERROR, output};
use crate::report::baseline::{self as report, Listed};
use crate::report::say;
use crate::settings::{Environment, Settings};

/// Keeps runs of benches as baselines that can be committed, and compares later runs with them.
///
/// A baseline is a folder with Criterion's own files and a manifest that says what was measured: what
/// answered, which model, scenario and seed, on which kind of machine. Every file is held to its hash when it
/// is read.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    command: Command,
    /// The folder of baselines.
    #[arg(long, global = true, value_name = "DIR", default_value = DIRECTORY)]
    dir: PathBuf,
    /// Criterion's directory; found as Criterion finds it: $CRITERION_HOME, or target/criterion.
    #[arg(long, global = true, value_name = "DIR")]
    criterion_home: Option<PathBuf>,
    /// This bench alone.
    #[arg(long, global = true, value_name = "BENCH")]
    bench: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Keeps the latest run of each bench, in place of what the baseline has of it.
    Save {
        /// The baseline.
        name: String,
        /// Adds the run to those that the baseline has, which must be like it in everything.
        #[arg(long)]
        add: bool,
    },
    /// Puts a baseline where `cargo bench -- --baseline NAME` and critcmp find it.
    Install {
        /// The baseline.
        name: String,
    },
    /// Shows which baselines there are.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Shows how medians differ from the latest run, or from another baseline. It decides nothing.
    Diff {
        /// The baseline.
        name: String,
        /// Another baseline, in place of the latest run.
        other: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

const EXAMPLES: &str = "Examples:
  cargo bench --bench caching && llmlab baseline save main    keep what was just measured
  llmlab baseline save main --add                             one more run of it, made later
  llmlab baseline list
  llmlab baseline diff main --json | jq '.benches[].benchmarks[] | select(.change > 0.1) | .id'
  llmlab baseline install main                                then: cargo bench -- --baseline main
  llmlab baseline diff main                                   against the latest run
  llmlab baseline diff main candidate                         against another baseline

Live targets drift from run to run: keep at least four runs, made at different times, with save --add.
";

/// Does what the subcommand says.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let bench = args.bench.as_deref();
    match &args.command {
        Command::Save { name, add } => {
            let home = args.criterion_home();
            let what =
                Save { criterion_home: &home, directory: &args.dir, name: name.as_str(), bench, add: *add };
            output::print(&report::saved(name, &baseline::save(&what)?))?;
        }
        Command::Install { name } => {
            // Settings that do not fit are no matter here.
            let now = Settings::from_process().ok().map(|settings| Mode::of_target(&settings.target));
            let installed = baseline::install(&args.dir, name, bench, &args.criterion_home())?;
            output::print(&report::installed(name, &installed, now.as_ref()))?;
        }
        Command::List { json } => return list(args, *json),
        Command::Diff { name, other, json } => diff(args, name, other.as_deref(), *json)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn criterion_home(&self) -> PathBuf {
        let found = || baseline::criterion_home(&Environment::of_process());
        self.criterion_home.clone().unwrap_or_else(found)
    }

    fn wants(&self, bench: &BenchRuns) -> bool {
        self.bench.as_ref().is_none_or(|wanted| *wanted == bench.bench)
    }
}

fn list(args: &Args, json: bool) -> anyhow::Result<ExitCode> {
    let (read, broken) = baseline::all(&args.dir);
    let benches =
        read.iter().flat_map(|baseline| baseline.benches().iter().map(move |runs| (baseline, runs)));
    let listed: Vec<_> = benches
        .filter(|(_, runs)| args.wants(runs))
        .map(|(baseline, runs)| {
            let name = baseline.name();
            Listed { name, runs, bytes: baseline::bytes(&args.dir, name, &runs.bench) }
        })
        .collect();
    let text = if json {
        format!("{:#}", report::json::list(&listed, &broken))
    } else {
        report::list(&listed, &broken)
    };
    output::print(&text)?;
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_ERROR) })
}

fn diff(args: &Args, name: &str, other: Option<&str>, json: bool) -> anyhow::Result<()> {
    let before = Baseline::load(&args.dir, name)?;
    let other = other.map(|other| Baseline::load(&args.dir, other)).transpose()?;
    let home = args.criterion_home();
    let (pairs, lacking) = baseline::pairs(&before, other.as_ref(), &home, args.bench.as_deref())?;
    lacking.iter().for_each(|error| say(&format!("note: {error}")));
    output::print(&if json {
        format!("{:#}", report::json::differences(&pairs))
    } else {
        report::differences(&pairs)
    })?;
    Ok(())
}
