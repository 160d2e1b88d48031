//! `llmlab rankings`: measured results into the service's rankings.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::database::Database;
use crate::cli::output;
use crate::report::ranking::table;
use crate::service::{Cache, jobs, rankings, store::Store};
use crate::settings::Environment;

/// Puts measured results into the service's rankings, and shows them.
///
/// A result counts by its models and by what they were asked: models are ranked together only where they were asked the
/// same, by the same kind of engine. The service takes results from its own directory by itself.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Take results into the database, and rank by them.
    Ingest {
        /// What llmlab run or llmlab profile wrote.
        #[arg(value_name = "RESULT", required = true)]
        results: Vec<PathBuf>,
        #[command(flatten)]
        database: Database,
    },
    /// Show what is ranked.
    Show {
        /// Only this workload.
        #[arg(long, value_name = "NAME")]
        workload: Option<String>,
        #[command(flatten)]
        database: Database,
    },
}

const EXAMPLES: &str = "Examples:
  llmlab rankings ingest results/*.json
  llmlab rankings ingest nightly/*.json --database-url postgres://lab@127.0.0.1/lab
  llmlab rankings show --workload 'streaming on/50'
";

/// Takes results in, or shows what is ranked.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(Box::pin(args.run()))?;
    Ok(ExitCode::SUCCESS)
}

impl Args {
    async fn run(&self) -> anyhow::Result<()> {
        let environment = Environment::of_process();
        let (Command::Ingest { database, .. } | Command::Show { database, .. }) = &self.command;
        let store = Store::open(&database.url(&environment)).await?;
        let ranked = rankings::Rankings::new(store.clone(), Cache::in_memory().into());
        let text = match &self.command {
            Command::Ingest { results, .. } => {
                let mut taken = Vec::with_capacity(results.len());
                for path in results {
                    let result = jobs::read_file(path, None);
                    let result = result.with_context(|| format!("{}: it cannot be read", path.display()))?;
                    let why = "it holds nothing that models can be ranked by: no result, a smoke run, or one past the \
                               instrument's bounds";
                    anyhow::ensure!(!result.samples.is_empty(), "{}: {why}", path.display());
                    taken.push(result);
                }
                store.keep(&taken).await?;
                ranked.measure().await?;
                format!("{} results taken in", taken.len())
            }
            Command::Show { workload, .. } => {
                let all = ranked.all().await?;
                let wanted = |ranking: &&rankings::Ranking| {
                    workload.as_ref().is_none_or(|name| *name == ranking.workload)
                };
                let shown = all.iter().flat_map(|made| {
                    made.rankings.iter().filter(wanted).map(|ranking| {
                        let boards: Vec<_> = ranking
                            .boards
                            .iter()
                            .filter(|board| !board.standings.is_empty())
                            .cloned()
                            .collect();
                        format!(
                            "{} ({}, {})\n{}",
                            ranking.workload,
                            made.source.word(),
                            ranking.mode,
                            table(&boards)
                        )
                    })
                });
                let shown: Vec<_> = shown.collect();
                anyhow::ensure!(
                    !shown.is_empty(),
                    "nothing is ranked that fits: llmlab rankings ingest takes results in"
                );
                shown.join("\n\n")
            }
        };
        store.close().await;
        Ok(output::print(&text)?)
    }
}
