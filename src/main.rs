//! The `llmlab` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    llmlab::cli::main()
}
