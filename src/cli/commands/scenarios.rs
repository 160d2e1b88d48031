//! `llmlab scenarios`: the tasks that ship.

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::output;
use crate::report::scenarios;

/// The tasks that optimisations are tried on.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Lists every task with its size: tokens, model calls, tools, passages.
    #[command(after_long_help = EXAMPLES)]
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

const EXAMPLES: &str = "Examples:
  llmlab scenarios list
  llmlab scenarios list --json | jq '.[] | select(.tool_calls > 2) | .name'
";

/// Lists the tasks.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let What::List { json } = args.what;
    let rows = scenarios::rows();
    let text = if json { serde_json::to_string_pretty(&rows)? } else { scenarios::text(&rows) };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
