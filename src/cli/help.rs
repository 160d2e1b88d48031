//! What every command's help ends with.

use clap::{Command, CommandFactory};

use super::Cli;

/// The exit codes, which are the same for all commands.
const EXIT_CODES: &str = "Exit codes:
  0    done, passed; also when the reader of a pipe has seen enough
  1    measured, and not good enough: slower than the baseline (gate), failures, a bound that was missed
  2    an error, which the message names
  3    could not tell (gate)
  130  interrupted with Ctrl-C";

/// The command with its subcommands, each of which says its exit codes.
pub(super) fn command() -> Command {
    with_exit_codes(Cli::command())
}

fn with_exit_codes(command: Command) -> Command {
    let names: Vec<_> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let command =
        names.into_iter().fold(command, |command, name| command.mut_subcommand(name, with_exit_codes));
    let own = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let text = [own.trim_end(), EXIT_CODES].into_iter().filter(|part| !part.is_empty());
    let text = text.collect::<Vec<_>>().join("\n\n");
    command.after_long_help(text)
}
