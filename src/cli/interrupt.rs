//! Ctrl-C as something that can be waited for.

use tokio::sync::watch;

use crate::report::say;

/// Holds true from the first Ctrl-C on. To be called within a runtime.
pub(super) fn interruption() -> watch::Receiver<bool> {
    let (stop, interrupted) = watch::channel(false);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            say("[llmlab] interrupted");
            stop.send_replace(true);
        }
        // Whoever waits goes on waiting.
        stop.closed().await;
    });
    interrupted
}
