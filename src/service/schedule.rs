//! What is done again and again: rankings made anew, by one process at a time.
//!
//! Time is cut into slots of the interval. Whoever sees first that the present slot is undone takes the lease, notes
//! that the run begins, does it, and notes what came of it; a slot is done once, whatever number of processes look.
//! Slots in which no process ran are noted as missed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::App;
use super::jobs::JobRequest;
use super::store::{JobState, Lease, ScheduleRun, ScheduleState, StoreError};
use crate::ranking::Simulation;
use crate::report::say;

/// What only one process does at a time.
pub(super) const LEASE: &str = "schedule";
/// How often a process looks whether something is due.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Missed slots that are noted each; what is older is said in one.
const MOST_MISSED: i64 = 20;

/// What is done in every slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Nothing.
    Off,
    /// Values are simulated, and models ranked by them.
    Simulate(Simulation),
    /// Targets are measured, and their models ranked.
    Measure {
        /// What is run.
        benchmark: String,
        /// The rounds of each.
        runs: u32,
        /// Whom to ask; empty for the service's usual target.
        targets: Vec<String>,
    },
}

/// What is done how often, and how often it is tried.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// What is done.
    pub task: Task,
    /// The length of a slot.
    pub every: Duration,
    /// How often what failed is tried again.
    pub max_retries: u32,
    /// The time between two tries.
    pub retry_delay: Duration,
}

impl Schedule {
    /// What it is called in the database.
    pub fn name(&self) -> Option<String> {
        match &self.task {
            Task::Off => None,
            Task::Simulate(simulation) => Some(format!("simulate, seed {}", simulation.seed())),
            Task::Measure { benchmark, targets, .. } if targets.is_empty() => {
                Some(format!("measure {benchmark}"))
            }
            Task::Measure { benchmark, targets, .. } => {
                Some(format!("measure {benchmark}: {}", targets.join(", ")))
            }
        }
    }

    /// The start of the slot that holds a time, in milliseconds since 1970.
    pub fn slot(&self, now: i64) -> i64 {
        let every = (self.every.as_millis() as i64).max(1);
        now - now.rem_euclid(every)
    }

    /// When the next run is due, in milliseconds since 1970.
    pub fn next(&self, now: i64) -> i64 {
        self.slot(now) + self.every.as_millis() as i64
    }
}

/// Does what is due at the start and takes no time: to simulate.
pub(super) async fn first(app: &App) -> Result<(), StoreError> {
    match (&app.schedule.task, app.schedule.name()) {
        (Task::Simulate(_), Some(name)) => look_after(app, &name).await,
        _ => Ok(()),
    }
}

/// Does what is due until `stop`.
pub(super) async fn run(app: Arc<App>, stop: CancellationToken) {
    let Some(name) = app.schedule.name() else { return };
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        let done = tokio::select! {
            done = look_after(&app, &name) => done,
            // The lease runs out by itself; a transaction is undone as a whole.
            () = stop.cancelled() => return,
        };
        if let Err(error) = done {
            say(&format!("[llmlab] schedule: {error}"));
        }
    }
}

/// Does the present slot's run unless it is done.
async fn look_after(app: &App, name: &str) -> Result<(), StoreError> {
    let now = app.store.now().await?;
    let slot = app.schedule.slot(now);
    let last = app.store.last_due(name).await?;
    if last.is_some_and(|last| last >= slot) {
        return Ok(());
    }
    let Some(lease) = app.store.lease(LEASE, &app.name, app.lease).await? else {
        return Ok(());
    };
    let done = held(app, &lease, once(app, &lease, name, slot)).await;
    app.store.release(&lease).await?;
    done
}

/// Does `work` and keeps the lease meanwhile; it is dropped where it stands once the lease is lost.
async fn held(
    app: &App,
    lease: &Lease,
    work: impl Future<Output = Result<(), StoreError>>,
) -> Result<(), StoreError> {
    let keep = async {
        let mut beat = interval(app.lease / 5);
        loop {
            beat.tick().await;
            if let Err(fenced @ StoreError::Fenced(_)) = app.store.renew(lease, app.lease).await {
                return fenced;
            }
        }
    };
    tokio::select! {
        done = work => done,
        lost = keep => Err(lost),
    }
}

async fn once(app: &App, lease: &Lease, name: &str, slot: i64) -> Result<(), StoreError> {
    app.store.mark_lost_runs(lease, name).await?;
    // Somebody may have done it between the look and the lease.
    let last = app.store.last_due(name).await?;
    if last.is_some_and(|last| last >= slot) {
        return Ok(());
    }
    if let Some(last) = last {
        note_missed(app, name, last, slot).await?;
    }
    if !app.store.begin_run(lease, name, slot).await? {
        return Ok(());
    }
    let (state, attempts, detail) = match &app.schedule.task {
        Task::Off => return Ok(()),
        Task::Simulate(simulation) => {
            let tried = retry(&app.schedule, name, || app.rankings.simulate(lease, simulation)).await;
            ended(tried, || "rankings updated".into())
        }
        Task::Measure { benchmark, runs, targets } => measure(app, benchmark, *runs, targets).await,
    };
    let next = crate::provenance::rfc3339(super::time::timestamp(app.schedule.next(app.store.now().await?)));
    say(&format!("[llmlab] schedule: {name}: {detail} ({}); next at {next}", state.word()));
    let run = ScheduleRun {
        task: name.into(),
        due_at: slot,
        state,
        attempts: attempts.into(),
        started_at: None,
        finished_at: None,
        runner: None,
        detail: Some(detail),
    };
    app.store.end_run(lease, &run).await
}

/// Notes the slots between two in which nobody did what was due.
async fn note_missed(app: &App, name: &str, last: i64, slot: i64) -> Result<(), StoreError> {
    let every = app.schedule.every.as_millis() as i64;
    // The interval may have been another one then.
    let missed = (slot - last - 1) / every;
    let noted = missed.min(MOST_MISSED);
    for number in (1..=noted).rev() {
        let more = if number == noted && missed > noted {
            format!(", and {} before", missed - noted)
        } else {
            String::new()
        };
        app.store
            .missed_run(name, slot - number * every, &format!("no process was free to do it{more}"))
            .await?;
    }
    Ok(())
}

type Ended = (ScheduleState, u32, String);

fn ended(tried: (u32, Result<(), String>), done: impl FnOnce() -> String) -> Ended {
    match tried {
        (attempts, Ok(())) => (ScheduleState::Done, attempts, done()),
        (attempts, Err(error)) => (ScheduleState::Failed, attempts, error),
    }
}

/// Tries until it succeeds, or as often as the schedule allows: once, and once more for each retry.
async fn retry<E, F>(
    schedule: &Schedule,
    what: &str,
    mut work: impl FnMut() -> F,
) -> (u32, Result<(), String>)
where
    E: std::fmt::Display,
    F: Future<Output = Result<(), E>>,
{
    let mut attempts = 0;
    loop {
        attempts += 1;
        match work().await {
            Ok(()) => return (attempts, Ok(())),
            Err(error) if attempts > schedule.max_retries => return (attempts, Err(error.to_string())),
            Err(error) => {
                let delay = schedule.retry_delay;
                say(&format!(
                    "[llmlab] schedule: {what}: attempt {attempts} failed: {error}; again in {} s",
                    delay.as_secs()
                ));
                sleep(delay).await;
            }
        }
    }
}

/// Measures each target by a job; one that fails for good keeps no other from being measured.
async fn measure(app: &App, benchmark: &str, runs: u32, targets: &[String]) -> Ended {
    let named: Vec<Option<String>> =
        if targets.is_empty() { vec![None] } else { targets.iter().cloned().map(Some).collect() };
    let (mut most, mut failed) = (0, Vec::new());
    for target in &named {
        let shown = target.as_deref().unwrap_or("the usual target");
        let request = JobRequest { runs, target: target.clone(), ..JobRequest::default() };
        let (attempts, tried) = retry(&app.schedule, shown, || one(app, benchmark, &request)).await;
        most = most.max(attempts);
        failed.extend(tried.err().map(|error| format!("{shown}: {error}")));
    }
    if failed.is_empty() {
        return (ScheduleState::Done, most, format!("{} measured", named.len()));
    }
    (ScheduleState::Failed, most, failed.join("; "))
}

/// One job, from its request to its end.
async fn one(app: &App, benchmark: &str, request: &JobRequest) -> Result<(), String> {
    let failed = |error: StoreError| error.to_string();
    let job_id = app.runner.submit(benchmark, request, LEASE).await.map_err(failed)?;
    let job_id = job_id.ok_or("too many jobs wait already")?;
    loop {
        app.runner.news().await;
        let job = app.store.job(&job_id).await.map_err(failed)?.ok_or("the job is gone")?;
        match job.state {
            JobState::Completed => return Ok(()),
            // Somebody wanted it so.
            JobState::Cancelled => return Ok(()),
            JobState::Failed => return Err(job.error.unwrap_or_else(|| "it failed".into())),
            JobState::Pending | JobState::Running => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn schedule(max_retries: u32) -> Schedule {
        let (every, retry_delay) = (Duration::from_secs(180), Duration::from_secs(60));
        Schedule { task: Task::Simulate(Simulation::default()), every, max_retries, retry_delay }
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_twice_succeeds_at_the_third_of_three_tries() {
        for (failures, retries, expected) in
            [(2, 2, (3, true)), (3, 2, (3, false)), (1, 0, (1, false)), (0, 2, (1, true))]
        {
            let left = Cell::new(failures);
            let (attempts, tried) = retry(&schedule(retries), "test", || {
                let failures = left.get();
                left.set(failures.max(1) - 1);
                async move { if failures > 0 { Err("no") } else { Ok(()) } }
            })
            .await;
            assert_eq!((attempts, tried.is_ok()), expected, "{failures} failures, {retries} retries");
        }
    }

    #[test]
    fn a_slot_begins_at_a_multiple_of_the_interval() {
        let schedule = schedule(0);
        assert_eq!(
            (schedule.slot(180_000), schedule.slot(359_999), schedule.next(359_999)),
            (180_000, 180_000, 360_000)
        );
    }
}
