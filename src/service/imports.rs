//! Results that others put into the results directory: `llmlab run`, say.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::jobs::{from_directory, read_file};
use super::rankings::Rankings;
use super::store::{Store, StoreError};
use crate::report::say;

const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Takes results from a directory into the database.
#[derive(Debug)]
pub(super) struct Imports {
    store: Store,
    rankings: Arc<Rankings>,
    directory: PathBuf,
    seen: Mutex<HashMap<PathBuf, SystemTime>>,
}

impl Imports {
    pub(super) fn new(store: Store, rankings: Arc<Rankings>, directory: &Path) -> Self {
        Self { store, rankings, directory: directory.into(), seen: Mutex::default() }
    }

    /// Looks now and then, until `stop`.
    pub(super) async fn run(&self, stop: CancellationToken) {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = look.tick() => {}
            }
            if let Err(error) = self.look().await {
                say(&format!("[llmlab] could not take results from {}: {error}", self.directory.display()));
            }
        }
    }

    /// Takes what is new, or was written again.
    pub(super) async fn look(&self) -> Result<(), StoreError> {
        let mut seen = self.seen.lock().await;
        let mut new = from_directory(&self.directory);
        new.retain(|(path, modified)| seen.get(path) != Some(modified));
        // A process that ended between a result and its ranking left that to the next one.
        let mut measured = seen.is_empty();
        for (path, modified) in new {
            // One that is gone already, or cannot be read, is looked at again when it changes.
            // What a job has saved, and what was here before a restart, is known.
            let found = read_file(&path, None);
            let known = match &found {
                Some(result) => {
                    self.store.result(&result.filename).await?.is_some_and(|body| body == result.body)
                }
                None => true,
            };
            if let Some(result) = found.filter(|_| !known) {
                measured |= !result.samples.is_empty();
                if let Err(error) = self.store.keep(&[result]).await {
                    if !error.is_permanent() {
                        return Err(error);
                    }
                    // It keeps no other file from being taken.
                    say(&format!("[llmlab] {} cannot be taken: {error}", path.display()));
                }
            }
            seen.insert(path, modified);
        }
        if measured { self.rankings.measure().await } else { Ok(()) }
    }
}
