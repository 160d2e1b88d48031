//! Jobs: what was asked for, and what became of it.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};
use utoipa::ToSchema;

use super::results::{self, NewResult};
use super::{Store, StoreError};

/// What is said of a job whose process is gone.
const INTERRUPTED: &str = "interrupted: the process that ran it ended before it did; run it again";

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It waits for its turn.
    Pending,
    /// It is being run.
    Running,
    /// It came to its end, and its results are saved.
    Completed,
    /// It could not come to its end.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

impl JobState {
    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    /// The word in the database and in replies.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl FromStr for JobState {
    type Err = StoreError;

    fn from_str(word: &str) -> Result<Self, StoreError> {
        let all = [Self::Pending, Self::Running, Self::Completed, Self::Failed, Self::Cancelled];
        let known = all.into_iter().find(|state| state.word() == word);
        known.ok_or_else(|| StoreError::unreadable("job state", word))
    }
}

/// A job to be.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its id.
    pub job_id: String,
    /// What is run.
    pub benchmark_type: String,
    /// What was asked for, as JSON.
    pub request: String,
    /// Whose key asked for it.
    pub requested_by: String,
}

/// A job. Times are milliseconds since 1970.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id.
    pub job_id: String,
    /// What is run.
    pub benchmark_type: String,
    /// How far it is.
    pub state: JobState,
    /// What was asked for, as JSON.
    pub request: String,
    /// Whose key asked for it.
    pub requested_by: String,
    /// When it was asked for.
    pub created_at: i64,
    /// When its run began.
    pub started_at: Option<i64>,
    /// When it ended.
    pub completed_at: Option<i64>,
    /// Why it failed.
    pub error: Option<String>,
    /// Whether the process that ran it ended before it did.
    pub interrupted: bool,
}

/// The right to run a job. Another process may get it once this one is not heard of for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The job.
    pub job_id: String,
    /// Which of all claims on this job it is.
    pub token: i64,
}

/// What became of a job.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// A final state.
    pub state: JobState,
    /// Why it failed.
    pub error: Option<String>,
    /// What it measured.
    pub results: Vec<NewResult>,
    /// What is said of it, as JSON.
    pub update: String,
}

impl Store {
    /// Puts a job in the queue, unless `most` are waiting: then it is refused, and the answer is false.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enqueue(&self, job: &NewJob, most: i64) -> Result<bool, StoreError> {
        let now = self.now().await?;
        let mut transaction = self.begin().await?;
        let waiting: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM jobs WHERE state = 'pending'")
            .fetch_one(&mut *transaction)
            .await?;
        if waiting >= most {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO jobs (job_id, benchmark_type, state, request, requested_by, created_at) \
             VALUES ($1, $2, 'pending', $3, $4, $5)",
        )
        .bind(&job.job_id)
        .bind(&job.benchmark_type)
        .bind(&job.request)
        .bind(&job.requested_by)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Takes the job that waits longest, for `time` unless the claim is renewed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(&self, runner: &str, time: Duration) -> Result<Option<(Claim, Job)>, StoreError> {
        let now = self.now().await?;
        let row = sqlx::query(
            "UPDATE jobs SET state = 'running', runner = $1, token = token + 1, started_at = $2, leased_until = $3 \
             WHERE job_id = (SELECT job_id FROM jobs WHERE state = 'pending' ORDER BY created_at, job_id LIMIT 1) \
             AND state = 'pending' RETURNING *",
        )
        .bind(runner)
        .bind(now)
        .bind(now + time.as_millis() as i64)
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            let job = job(&row)?;
            Ok((Claim { job_id: job.job_id.clone(), token: row.try_get("token")? }, job))
        })
        .transpose()
    }

    /// Holds a claim for `time` from now on.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when the job was cancelled, or is another process's by now.
    pub async fn hold(&self, claim: &Claim, time: Duration) -> Result<(), StoreError> {
        let until = self.now().await? + time.as_millis() as i64;
        let held = sqlx::query(
            "UPDATE jobs SET leased_until = $3 WHERE job_id = $1 AND token = $2 AND state = 'running'",
        )
        .bind(&claim.job_id)
        .bind(claim.token)
        .bind(until)
        .execute(&self.pool)
        .await?;
        if held.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Fenced(claim.job_id.clone())) }
    }

    /// Ends a job: its results, its state and what is said of it are written together or not at all.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when the job was cancelled, or is another process's by now; nothing is written then.
    pub async fn finish(&self, claim: &Claim, outcome: &Outcome) -> Result<(), StoreError> {
        let now = self.now().await?;
        let mut transaction = self.begin().await?;
        fence(&mut transaction, claim).await?;
        for result in &outcome.results {
            results::insert(&mut transaction, result, now).await?;
        }
        sqlx::query(
            "UPDATE jobs SET state = $2, error = $3, completed_at = $4, leased_until = NULL WHERE job_id = $1",
        )
        .bind(&claim.job_id)
        .bind(outcome.state.word())
        .bind(&outcome.error)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        say(&mut transaction, &claim.job_id, &outcome.update).await?;
        Ok(transaction.commit().await?)
    }

    /// Puts a job back into the queue, for this process stops; `update` is said of it.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when the job was cancelled, or is another process's by now.
    pub async fn put_back(&self, claim: &Claim, update: &str) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        fence(&mut transaction, claim).await?;
        sqlx::query(
            "UPDATE jobs SET state = 'pending', started_at = NULL, leased_until = NULL WHERE job_id = $1",
        )
        .bind(&claim.job_id)
        .execute(&mut *transaction)
        .await?;
        say(&mut transaction, &claim.job_id, update).await?;
        Ok(transaction.commit().await?)
    }

    /// Cancels a job, for good, and says `update` of it; absent where there is none, false where it had ended already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel(&self, job_id: &str, update: &str) -> Result<Option<bool>, StoreError> {
        let now = self.now().await?;
        let mut transaction = self.begin().await?;
        let cancelled = sqlx::query(
            "UPDATE jobs SET state = 'cancelled', completed_at = $2, leased_until = NULL \
             WHERE job_id = $1 AND state IN ('pending', 'running')",
        )
        .bind(job_id)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        if cancelled.rows_affected() == 0 {
            drop(transaction);
            return Ok(self.job(job_id).await?.map(|_| false));
        }
        say(&mut transaction, job_id, update).await?;
        transaction.commit().await?;
        Ok(Some(true))
    }

    /// Marks the jobs whose process was not heard of until its claim ran out; `update` makes what is said of each.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark_lost(&self, update: impl Fn(&str, &str) -> String) -> Result<Vec<String>, StoreError> {
        let now = self.now().await?;
        let mut transaction = self.begin().await?;
        let lost: Vec<String> = sqlx::query_scalar(
            "UPDATE jobs SET state = 'failed', interrupted = 1, error = $2, completed_at = $1, leased_until = NULL \
             WHERE state = 'running' AND leased_until < $1 RETURNING job_id",
        )
        .bind(now)
        .bind(INTERRUPTED)
        .fetch_all(&mut *transaction)
        .await?;
        for job_id in &lost {
            say(&mut transaction, job_id, &update(job_id, INTERRUPTED)).await?;
        }
        transaction.commit().await?;
        Ok(lost)
    }

    /// The job of that id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn job(&self, job_id: &str) -> Result<Option<Job>, StoreError> {
        let row = sqlx::query("SELECT * FROM jobs WHERE job_id = $1")
            .bind(job_id)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(job).transpose()
    }

    /// The newest jobs, and how many there are in all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn jobs(&self, most: i64) -> Result<(Vec<Job>, i64), StoreError> {
        let rows = sqlx::query("SELECT * FROM jobs ORDER BY created_at DESC, job_id LIMIT $1")
            .bind(most)
            .fetch_all(&self.pool)
            .await?;
        let total = sqlx::query_scalar("SELECT COUNT(*) FROM jobs").fetch_one(&self.pool).await?;
        Ok((rows.iter().map(job).collect::<Result<_, _>>()?, total))
    }

    /// How many jobs are in each state, those without any left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn job_counts(&self) -> Result<Vec<(String, i64)>, StoreError> {
        Ok(sqlx::query_as("SELECT state, COUNT(*) FROM jobs GROUP BY state").fetch_all(&self.pool).await?)
    }
}

/// Refuses a transaction whose author may not run the job any more, and keeps the job as it is until it ends.
pub(super) async fn fence(transaction: &mut Transaction<'_, Any>, claim: &Claim) -> Result<(), StoreError> {
    let held =
        sqlx::query("UPDATE jobs SET runner = runner WHERE job_id = $1 AND token = $2 AND state = 'running'")
            .bind(&claim.job_id)
            .bind(claim.token)
            .execute(&mut **transaction)
            .await?;
    if held.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Fenced(claim.job_id.clone())) }
}

/// Adds to what is said of a job, whose row the transaction holds.
pub(super) async fn say(
    transaction: &mut Transaction<'_, Any>,
    job_id: &str,
    body: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO job_updates (job_id, seq, body) \
         SELECT $1, COALESCE(MAX(seq), 0) + 1, $2 FROM job_updates WHERE job_id = $1",
    )
    .bind(job_id)
    .bind(body)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn job(row: &AnyRow) -> Result<Job, StoreError> {
    Ok(Job {
        job_id: row.try_get("job_id")?,
        benchmark_type: row.try_get("benchmark_type")?,
        state: row.try_get::<String, _>("state")?.parse()?,
        request: row.try_get("request")?,
        requested_by: row.try_get("requested_by")?,
        created_at: row.try_get("created_at")?,
        started_at: row.try_get("started_at")?,
        completed_at: row.try_get("completed_at")?,
        error: row.try_get("error")?,
        interrupted: row.try_get::<i64, _>("interrupted")? != 0,
    })
}
