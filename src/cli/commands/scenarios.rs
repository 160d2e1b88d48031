//! `llmlab scenarios`: the tasks that ship.

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::output;
use crate::report::scenarios;

/// The tasks that optimisations are tried on.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Lists every task with its size: tokens, model calls, tools, passages.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Lists the tasks.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let What::List { json } = args.what;
    let rows = scenarios::rows();
    let text = if json { serde_json::to_string_pretty(&rows)? } else { scenarios::text(&rows) };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
