//! The one place that writes to standard output.

use std::io::{self, ErrorKind, Write};

/// Writes `text` and a line break to standard output. A closed pipe is a reader that has seen enough, and no
/// error.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
