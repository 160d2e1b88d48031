//! One job's run, on a thread of its own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use futures::FutureExt;
use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};

use super::watcher::Watcher;
use super::{Benchmark, JobRequest};
use crate::report::results::Ending;
use crate::run::{self, Attendance, Finished, StartError};
use crate::service::metrics::{Asking, Metrics};
use crate::settings::{Environment, Settings};

/// How a run ended.
#[derive(Debug, Default)]
pub(super) struct Ran {
    /// Why it failed.
    pub(super) error: Option<String>,
    /// Whether it was stopped before its end.
    pub(super) interrupted: bool,
}

/// What is run.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) benchmark: Benchmark,
    pub(super) request: JobRequest,
    pub(super) environment: Environment,
    pub(super) directory: PathBuf,
    pub(super) metrics: Arc<Metrics>,
}

/// Starts a run; how it ended is heard once it did, and nothing is heard of a thread that panicked.
pub(super) fn start(
    job_id: &str,
    work: Work,
    watcher: Watcher,
    interrupted: watch::Receiver<bool>,
) -> io::Result<oneshot::Receiver<Ran>> {
    let (done, ended) = oneshot::channel();
    thread::Builder::new().name(format!("job {job_id}")).spawn(move || {
        let runtime = Builder::new_multi_thread().enable_all().thread_name("llmlab-client").build();
        let ran = match runtime {
            Ok(runtime) => runtime.block_on(Box::pin(work.run(&watcher, &interrupted))),
            Err(error) => Ran { error: Some(error.to_string()), ..Ran::default() },
        };
        // Nobody waits any more once the service is gone.
        let _ = done.send(ran);
    })?;
    Ok(ended)
}

impl Work {
    async fn run(&self, watcher: &Watcher, interrupted: &watch::Receiver<bool>) -> Ran {
        let settings = match self.request.settings(&self.environment) {
            Ok(settings) => settings,
            Err(complaint) => return Ran { error: Some(complaint.to_string()), interrupted: false },
        };
        let runs = self.benchmark.runs(&self.request);
        let (several, mut skipped) = (runs.len(), 0);
        let mut failed = Vec::new();
        for (name, groups) in runs {
            match self.one(name, groups, &settings, watcher, interrupted).await {
                Ok(finished) => match finished.comparison.ending {
                    Ending::Interrupted => return Ran { interrupted: true, error: None },
                    Ending::Failed => {
                        let why = finished.comparison.error.unwrap_or_else(|| "an arm failed".into());
                        failed.push(format!("{name}: {why}"));
                    }
                    Ending::Budget | Ending::Decided | Ending::AllRounds | Ending::MaxRounds => {}
                },
                // What the target leaves nothing of is no failure among several.
                Err(StartError::Nothing { .. }) if several > 1 => skipped += 1,
                Err(error) => failed.push(format!("{name}: {error}")),
            }
        }
        if skipped == several {
            failed.push("nothing was run: the target can run none of it".into());
        }
        Ran { error: (!failed.is_empty()).then(|| failed.join("; ")), interrupted: false }
    }

    async fn one(
        &self,
        name: &str,
        groups: Vec<crate::experiment::Group>,
        settings: &Settings,
        watcher: &Watcher,
        interrupted: &watch::Receiver<bool>,
    ) -> Result<Finished, StartError> {
        let attendance = Attendance {
            interrupted: interrupted.clone(),
            observers: vec![Box::new(watcher.clone()), Box::new(Asking(Arc::clone(&self.metrics)))],
        };
        let directory: &Path = &self.directory;
        let options = self.request.options();
        run::run(name, groups, settings.clone(), &options, directory, attendance).boxed().await
    }
}
