//! What ends the server.

use std::io;
use std::process::ExitCode;

use crate::cli::EXIT_INTERRUPTED;

/// The future of the signal that ends the server, with its exit code. The signals are caught from here on.
#[cfg(unix)]
pub(super) fn end() -> io::Result<impl Future<Output = ExitCode>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => ExitCode::from(EXIT_INTERRUPTED),
            _ = terminate.recv() => ExitCode::SUCCESS,
        }
    })
}

/// The future of the signal that ends the server, with its exit code. The signals are caught from here on.
#[cfg(windows)]
pub(super) fn end() -> io::Result<impl Future<Output = ExitCode>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
        ExitCode::from(EXIT_INTERRUPTED)
    })
}
