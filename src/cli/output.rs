//! The one place that writes to standard output.

use std::io::{self, ErrorKind, IsTerminal, Write};

use crate::settings::Environment;

/// Writes `text` and a line break to standard output. A closed pipe is a reader that has seen enough, and no
/// error.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Whether standard output takes colour: on a terminal, unless `--no-color` or a `NO_COLOR` that is not empty
/// forbids it.
pub(super) fn colour(no_color: bool) -> bool {
    let forbidden = no_color || Environment::of_process().get("NO_COLOR").is_some();
    !forbidden && io::stdout().is_terminal()
}
