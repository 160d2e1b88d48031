//! Jobs one after another, by as many processes as there are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::result::{own_directory, take};
use super::run::{self, Ran, Work};
use super::watcher::Watcher;
use super::{JobRequest, ProgressUpdate, find, is_job_id};
use crate::report::say;
use crate::service::metrics::Metrics;
use crate::service::rankings::Rankings;
use crate::service::store::{Claim, Job, JobState, NewJob, NewResult, Outcome, Store, StoreError};
use crate::settings::Environment;

/// How often a process looks for work that another one was asked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often what must not be lost is tried again, a while apart, while the database does not answer.
const SAVE_TRIES: u32 = 10;

/// How much a process takes on.
#[derive(Debug, Clone)]
pub struct Capacity {
    /// Jobs at once. Two that measure at the same time disturb each other.
    pub at_once: usize,
    /// Jobs that may wait for their turn.
    pub waiting: i64,
    /// How long a job is left alone of whose process nothing is heard.
    pub lease: Duration,
}

/// Takes jobs and runs them.
#[derive(Debug)]
pub struct Runner {
    store: Store,
    rankings: Arc<Rankings>,
    metrics: Arc<Metrics>,
    environment: Environment,
    directory: PathBuf,
    capacity: Capacity,
    /// Who this process is, in leases and claims.
    name: String,
    /// There is work.
    work: Notify,
    /// Something was said of a job.
    news: Notify,
    /// The jobs that run here, and how to stop them.
    running: Mutex<HashMap<String, watch::Sender<bool>>>,
}

impl Runner {
    /// A runner that writes results to `directory`.
    pub fn new(
        store: Store,
        rankings: Arc<Rankings>,
        metrics: Arc<Metrics>,
        environment: Environment,
        directory: &Path,
        capacity: Capacity,
        name: &str,
    ) -> Self {
        Self {
            store,
            rankings,
            metrics,
            environment,
            directory: directory.into(),
            capacity,
            name: name.into(),
            work: Notify::new(),
            news: Notify::new(),
            running: Mutex::default(),
        }
    }

    /// The plan that jobs start from.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Puts a job in the queue; absent where too many wait already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn submit(
        &self,
        kind: &str,
        request: &JobRequest,
        by: &str,
    ) -> Result<Option<String>, StoreError> {
        let job = NewJob {
            job_id: format!("{:08x}", rand::random::<u32>()),
            benchmark_type: kind.into(),
            request: serde_json::to_string(request).unwrap_or_default(),
            requested_by: by.into(),
        };
        let taken = self.store.enqueue(&job, self.capacity.waiting).await?;
        self.work.notify_one();
        Ok(taken.then_some(job.job_id))
    }

    /// Cancels a job: nothing more is asked for it from here on, and what it has measured is kept. Absent where there
    /// is none, false where it had ended already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel(&self, job_id: &str) -> Result<Option<bool>, StoreError> {
        if !is_job_id(job_id) {
            return Ok(None);
        }
        let last = match self.store.last_update(job_id).await? {
            Some((_, body)) => serde_json::from_str(&body).ok(),
            None => None,
        };
        let last = last.unwrap_or_else(|| ProgressUpdate::new(job_id, JobState::Pending, ""));
        let cancelled =
            self.store.cancel(job_id, &last.then(JobState::Cancelled, "cancelled").json()).await?;
        if let Some(stop) = self.running().get(job_id) {
            stop.send_replace(true);
        }
        self.news.notify_waiters();
        Ok(cancelled)
    }

    /// Waits until something may have been said of a job.
    pub async fn news(&self) {
        // Another process says nothing here.
        let _ = tokio::time::timeout(LOOK_EVERY, self.news.notified()).await;
    }

    /// Runs jobs until `stop`; then those under way are stopped and put back into the queue.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut jobs = JoinSet::new();
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = look.tick() => {}
                () = self.work.notified() => {}
                Some(_) = jobs.join_next() => {}
            }
            self.mark_lost().await;
            while jobs.len() < self.capacity.at_once {
                match self.store.claim(&self.name, self.capacity.lease).await {
                    Ok(None) => break,
                    Ok(Some((claim, job))) => {
                        let (runner, stop) = (Arc::clone(&self), stop.clone());
                        jobs.spawn(async move { runner.carry_out(claim, job, stop).await });
                    }
                    Err(error) => {
                        say(&format!("[llmlab] could not look for jobs: {error}"));
                        break;
                    }
                }
            }
        }
        while jobs.join_next().await.is_some() {}
    }

    async fn mark_lost(&self) {
        let update = |job_id: &str, why: &str| ProgressUpdate::new(job_id, JobState::Failed, why).json();
        match self.store.mark_lost(update).await {
            Ok(lost) if lost.is_empty() => {}
            Ok(lost) => {
                say(&format!("[llmlab] marked as interrupted: {}", lost.join(", ")));
                // What it had measured, if it was on this machine.
                let found: Vec<_> = lost.iter().flat_map(|job_id| take(&self.directory, job_id)).collect();
                if let Err(error) = self.keep(&found).await {
                    say(&format!("[llmlab] could not keep what they had measured: {error}"));
                }
                self.news.notify_waiters();
            }
            Err(error) => say(&format!("[llmlab] could not look for lost jobs: {error}")),
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<String, watch::Sender<bool>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a job to whatever end.
    async fn carry_out(&self, claim: Claim, job: Job, stop: CancellationToken) {
        say(&format!("[llmlab] job {}: {} begins", job.job_id, job.benchmark_type));
        let began = Instant::now();
        let (stopping, interrupted) = watch::channel(false);
        self.running().insert(job.job_id.clone(), stopping.clone());
        let (messages, updates) = mpsc::unbounded_channel();
        let watcher = Watcher::new(&job.job_id, messages);
        // What was said of an earlier run does not stand for this one; if it cannot be said, the first round will.
        let _ = self.store.update(&claim, &watcher.last().json()).await;
        let end = match self.begin(&job, watcher.clone(), interrupted) {
            Ok(ended) => self.attend(&claim, ended, updates, &stopping, &stop).await,
            Err(error) => End::Ran(Ran { error: Some(error), ..Ran::default() }),
        };
        self.running().remove(&job.job_id);
        let saved = self.save(&claim, &job, &watcher.last(), end, stop.is_cancelled()).await;
        let state = match self.store.job(&job.job_id).await {
            Ok(Some(job)) if saved == "lost" && job.state == JobState::Cancelled => job.state.word(),
            _ => saved,
        };
        self.news.notify_waiters();
        self.metrics.job_ended(&job.benchmark_type, state, began.elapsed());
        let why = if state == "lost" { ": it is not this process's any more" } else { "" };
        say(&format!("[llmlab] job {}: {state}{why}", job.job_id));
    }

    fn begin(
        &self,
        job: &Job,
        watcher: Watcher,
        interrupted: watch::Receiver<bool>,
    ) -> Result<oneshot::Receiver<Ran>, String> {
        let request = serde_json::from_str(&job.request).map_err(|error| error.to_string())?;
        let benchmark = find(&job.benchmark_type).ok_or("this build does not know the benchmark")?;
        let (environment, directory) =
            (self.environment.clone(), own_directory(&self.directory, &job.job_id));
        let work = Work { benchmark, request, environment, directory, metrics: Arc::clone(&self.metrics) };
        run::start(&job.job_id, work, watcher, interrupted).map_err(|error| error.to_string())
    }

    /// Keeps the claim and the messages while the job runs, and stops it where it is not wanted any more.
    async fn attend(
        &self,
        claim: &Claim,
        mut ended: oneshot::Receiver<Ran>,
        mut updates: mpsc::UnboundedReceiver<ProgressUpdate>,
        stopping: &watch::Sender<bool>,
        stop: &CancellationToken,
    ) -> End {
        let lease = self.capacity.lease;
        let mut beat = interval(lease / 5);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut held, mut lost, mut told) = (Instant::now(), false, false);
        let ran = loop {
            let done = tokio::select! {
                ran = &mut ended => break ran,
                Some(update) = updates.recv() => self.store.update(claim, &update.json()).await,
                _ = beat.tick() => self.store.hold(claim, lease).await,
                () = stop.cancelled(), if !told => {
                    told = true;
                    stopping.send_replace(true);
                    continue;
                }
            };
            match done {
                Ok(()) => held = Instant::now(),
                // Whoever lost the job may not go on, and neither may one of whom nobody hears.
                Err(StoreError::Fenced(_)) => lost = true,
                Err(error) => {
                    say(&format!("[llmlab] job {}: {error}", claim.job_id));
                    lost |= held.elapsed() > lease;
                }
            }
            if lost {
                stopping.send_replace(true);
            }
            self.news.notify_waiters();
        };
        // What was said before the end comes before the end.
        while let Ok(update) = updates.try_recv() {
            if let Err(StoreError::Fenced(_)) = self.store.update(claim, &update.json()).await {
                lost = true;
                break;
            }
        }
        match ran {
            Ok(_) if lost => End::Lost,
            Ok(ran) => End::Ran(ran),
            Err(_) => End::Ran(Ran { error: Some("the run ended in a panic".into()), ..Ran::default() }),
        }
    }

    /// Writes what became of a job, and says which state that is.
    async fn save(
        &self,
        claim: &Claim,
        job: &Job,
        last: &ProgressUpdate,
        end: End,
        stopped: bool,
    ) -> &'static str {
        let results = take(&self.directory, &job.job_id);
        let (saved, state) = match end {
            End::Lost => (self.keep(&results).await, "lost"),
            End::Ran(ran) if ran.interrupted && stopped => {
                let kept = self.keep(&results).await;
                let update = last.then(JobState::Pending, "put back: the service stops").json();
                (kept.and(self.store.put_back(claim, &update).await), "put_back")
            }
            End::Ran(ran) => {
                let (state, message) = match &ran.error {
                    None => (JobState::Completed, "completed".to_owned()),
                    Some(error) => (JobState::Failed, error.clone()),
                };
                let update = last.then(state, message).json();
                let outcome = Outcome { state, error: ran.error, results, update };
                match self.finish(claim, outcome).await {
                    Ok(true) => (Ok(()), state.word()),
                    Ok(false) => (Ok(()), "lost"),
                    Err(error) => (Err(error), "failed"),
                }
            }
        };
        if let Err(error) = saved {
            say(&format!(
                "[llmlab] job {}: {error}; its results are in {}",
                job.job_id,
                self.directory.display()
            ));
        } else if let Err(error) = self.rankings.measure().await {
            say(&format!("[llmlab] could not make the rankings anew: {error}"));
        }
        state
    }

    /// Ends a job, however often it takes: what was measured is paid for. False where it is not this process's any more.
    async fn finish(&self, claim: &Claim, mut outcome: Outcome) -> Result<bool, StoreError> {
        for tries in 1.. {
            match self.store.finish(claim, &outcome).await {
                Ok(()) => return Ok(true),
                // It was cancelled at the last moment, or nobody had heard of this process for long.
                Err(StoreError::Fenced(_)) => return self.keep(&outcome.results).await.map(|()| false),
                Err(error) if error.is_permanent() && !outcome.results.is_empty() => {
                    say(&format!("[llmlab] job {}: {error}", claim.job_id));
                    outcome.results.clear();
                    outcome.state = JobState::Failed;
                    outcome.error = Some("its results could not be saved; the service's log says why".into());
                }
                Err(error) if tries < SAVE_TRIES => {
                    say(&format!("[llmlab] job {}: {error}; trying again", claim.job_id));
                    tokio::time::sleep(self.capacity.lease / SAVE_TRIES).await;
                }
                Err(error) => return Err(error),
            }
        }
        unreachable!("the last try returns")
    }

    async fn keep(&self, results: &[NewResult]) -> Result<(), StoreError> {
        if results.is_empty() { Ok(()) } else { self.store.keep(results).await }
    }
}

/// How a job's run ended, as this process sees it.
enum End {
    /// It came to an end of its own, or was stopped.
    Ran(Ran),
    /// The job is not this process's any more.
    Lost,
}
