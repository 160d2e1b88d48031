//! Runs that Ctrl-C ends with what they have.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use futures::future::maybe_done;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use super::EXIT_INTERRUPTED;
use crate::experiment::Group;
use crate::report::say;
use crate::run::{self, Finished, Options};
use crate::settings::Settings;

/// A runtime on which groups are run until they end or somebody presses Ctrl-C.
pub(super) struct Interruptible {
    runtime: Runtime,
    interrupted: watch::Receiver<bool>,
}

impl Interruptible {
    /// Listens for Ctrl-C from now on.
    pub(super) fn new() -> io::Result<Self> {
        Self::on(Builder::new_multi_thread().enable_all().build()?)
    }

    /// The same on the calling thread alone: what waits for sockets costs more where it is handed from one thread to
    /// another.
    pub(super) fn on_one_thread() -> io::Result<Self> {
        Self::on(Builder::new_current_thread().enable_all().build()?)
    }

    fn on(runtime: Runtime) -> io::Result<Self> {
        let interrupted = runtime.block_on(interruption());
        Ok(Self { runtime, interrupted })
    }

    /// Runs `work` until it is done; absent once somebody pressed Ctrl-C, when it is dropped where it stands.
    pub(super) fn until_interrupted<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut interrupted = self.interrupted.clone();
        self.runtime.block_on(async {
            tokio::select! {
                done = Box::pin(work) => Some(done),
                // The sender lives as long as the runtime.
                _ = interrupted.wait_for(|&interrupted| interrupted) => None,
            }
        })
    }

    /// Runs groups under a name; the result goes to `directory`.
    pub(super) fn run(
        &self,
        name: &str,
        groups: Vec<Group>,
        settings: Settings,
        options: &Options,
        directory: &Path,
    ) -> anyhow::Result<Finished> {
        let run = run::run(name, groups, settings, options, directory, self.interrupted.clone());
        Ok(self.runtime.block_on(Box::pin(run))?)
    }
}

/// Holds true from the first Ctrl-C on.
async fn interruption() -> watch::Receiver<bool> {
    let (stop, interrupted) = watch::channel(false);
    let mut pressed = Box::pin(maybe_done(tokio::signal::ctrl_c()));
    // It listens once it was polled: a task may first be polled long after the work has begun.
    let _ = futures::poll!(pressed.as_mut());
    tokio::spawn(async move {
        pressed.as_mut().await;
        if pressed.as_mut().take_output().is_some_and(|listened| listened.is_ok()) {
            say("[llmlab] interrupted");
            stop.send_replace(true);
        }
        // Whoever waits goes on waiting.
        stop.closed().await;
    });
    interrupted
}

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
