//! `llmlab man`: the manual's pages.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::{help, output};

/// Prints the manual page, or writes one for each command into a folder.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The folder; it is made where it is missing.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  llmlab man | man -l -
  llmlab man ~/.local/share/man/man1          then: man llmlab-gate
";

/// Prints the page, or writes them all.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.folder {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(help::command()).render(&mut page)?;
            output::print(String::from_utf8_lossy(&page).trim_end())?;
        }
        Some(folder) => {
            let written = || format!("could not write to {}", folder.display());
            fs::create_dir_all(folder).with_context(written)?;
            clap_mangen::generate_to(help::command(), folder).with_context(written)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
