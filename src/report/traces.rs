//! What a person hears of a run's traces.

use super::say;
use crate::session::Session;
use crate::telemetry::{Tracing, TracingError};

/// Watches `session`, whose root span is called `name`, and says where its traces go, if anywhere.
///
/// # Errors
/// When the thread that hands them on cannot start.
pub fn begin(tracing: &Tracing, session: &mut Session, name: &str) -> Result<(), TracingError> {
    tracing.notices().iter().for_each(|notice| say(&format!("[llmlab] {notice}")));
    tracing.attach(session, name)
}

/// Waits a few seconds until all spans are handed on, and says what became of them.
pub fn end(tracing: &Tracing) {
    if let Some(summary) = tracing.finish() {
        say(&format!("[llmlab] {summary}"));
    }
}

/// The same, on a runtime that has other things to do meanwhile.
pub async fn ended(tracing: Tracing) {
    // Only a panic could be lost here, and there is none to say.
    let _ = tokio::task::spawn_blocking(move || end(&tracing)).await;
}
