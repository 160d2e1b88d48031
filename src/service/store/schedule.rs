//! What the schedule did, and did not do.

use serde::Serialize;
use sqlx::Row;
use utoipa::ToSchema;

use super::{Lease, Store, StoreError};

/// What became of a run of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleState {
    /// It is under way, or its process ended half-way.
    Running,
    /// All of it was done.
    Done,
    /// Some of it was not done, however often it was tried.
    Failed,
    /// Nobody did it when it was due.
    Missed,
}

impl ScheduleState {
    const ALL: [Self; 4] = [Self::Running, Self::Done, Self::Failed, Self::Missed];

    /// The word in the database and in replies.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Missed => "missed",
        }
    }
}

/// One run of the schedule. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleRun {
    /// What was to be done.
    pub task: String,
    /// When it was due.
    pub due_at: i64,
    /// What became of it.
    pub state: ScheduleState,
    /// How often it was tried.
    pub attempts: i64,
    /// When it began.
    pub started_at: Option<i64>,
    /// When it ended.
    pub finished_at: Option<i64>,
    /// Who did it.
    pub runner: Option<String>,
    /// What came of it, in words.
    pub detail: Option<String>,
}

impl Store {
    /// Notes that a run begins; false where somebody did it already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_run(&self, lease: &Lease, task: &str, due_at: i64) -> Result<bool, StoreError> {
        let now = self.now().await?;
        let begun = sqlx::query(
            "INSERT INTO schedule_runs (task, due_at, state, attempts, started_at, runner, token) \
             VALUES ($1, $2, 'running', 1, $3, $4, $5) ON CONFLICT (task, due_at) DO NOTHING",
        )
        .bind(task)
        .bind(due_at)
        .bind(now)
        .bind(&lease.holder)
        .bind(lease.token)
        .execute(&self.pool)
        .await?;
        Ok(begun.rows_affected() == 1)
    }

    /// Notes what became of a run that this lease's holder began.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_run(&self, lease: &Lease, run: &ScheduleRun) -> Result<(), StoreError> {
        let now = self.now().await?;
        sqlx::query(
            "UPDATE schedule_runs SET state = $3, attempts = $4, finished_at = $5, detail = $6 \
             WHERE task = $1 AND due_at = $2 AND token = $7",
        )
        .bind(&run.task)
        .bind(run.due_at)
        .bind(run.state.word())
        .bind(run.attempts)
        .bind(now)
        .bind(&run.detail)
        .bind(lease.token)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes that nobody did what was due then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn missed_run(&self, task: &str, due_at: i64, detail: &str) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO schedule_runs (task, due_at, state, detail) VALUES ($1, $2, 'missed', $3) \
             ON CONFLICT (task, due_at) DO NOTHING",
        )
        .bind(task)
        .bind(due_at)
        .bind(detail)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Marks runs whose process ended half-way: whoever takes the lease knows that nobody is at it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark_lost_runs(&self, lease: &Lease, task: &str) -> Result<u64, StoreError> {
        let now = self.now().await?;
        let lost = sqlx::query(
            "UPDATE schedule_runs SET state = 'failed', finished_at = $3, \
             detail = 'interrupted: the process that did it ended before it did' \
             WHERE task = $1 AND state = 'running' AND token < $2",
        )
        .bind(task)
        .bind(lease.token)
        .bind(now)
        .execute(&self.pool)
        .await?;
        Ok(lost.rows_affected())
    }

    /// When a task was last due, whatever became of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_due(&self, task: &str) -> Result<Option<i64>, StoreError> {
        Ok(sqlx::query_scalar("SELECT MAX(due_at) FROM schedule_runs WHERE task = $1")
            .bind(task)
            .fetch_one(&self.pool)
            .await?)
    }

    /// The newest runs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn schedule_runs(&self, most: i64) -> Result<Vec<ScheduleRun>, StoreError> {
        let rows = sqlx::query("SELECT * FROM schedule_runs ORDER BY due_at DESC, task LIMIT $1")
            .bind(most)
            .fetch_all(&self.pool)
            .await?;
        let run = |row: &sqlx::any::AnyRow| {
            let word: String = row.try_get("state")?;
            let state = ScheduleState::ALL.into_iter().find(|state| state.word() == word);
            Ok(ScheduleRun {
                task: row.try_get("task")?,
                due_at: row.try_get("due_at")?,
                state: state.ok_or_else(|| StoreError::unreadable("schedule state", word))?,
                attempts: row.try_get("attempts")?,
                started_at: row.try_get("started_at")?,
                finished_at: row.try_get("finished_at")?,
                runner: row.try_get("runner")?,
                detail: row.try_get("detail")?,
            })
        };
        rows.iter().map(run).collect()
    }
}
