//! `llmlab completions`: what a shell needs to complete the command's words.

use std::process::ExitCode;

use clap_complete::Shell;

use crate::cli::{help, output};

/// Prints a script with which a shell completes commands and flags.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

const EXAMPLES: &str = "Examples:
  llmlab completions bash > ~/.local/share/bash-completion/completions/llmlab
  llmlab completions zsh > ~/.zfunc/_llmlab                 with fpath+=~/.zfunc before compinit
  llmlab completions fish > ~/.config/fish/completions/llmlab.fish
";

/// Prints the script.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut help::command(), "llmlab", &mut script);
    output::print(String::from_utf8_lossy(&script).trim_end())?;
    Ok(ExitCode::SUCCESS)
}
