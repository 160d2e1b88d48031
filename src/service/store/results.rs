//! Results: what `llmlab` wrote, whole, under the names of its files.

use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};

use super::measurements::{self, Sample};
use super::{Store, StoreError};

/// A result to be kept.
#[derive(Debug, Clone)]
pub struct NewResult {
    /// Its file's name.
    pub filename: String,
    /// The job that it is of.
    pub job_id: Option<String>,
    /// What was run; `unknown` where the file does not say.
    pub benchmark_type: String,
    /// The model that was asked.
    pub model: Option<String>,
    /// `simulated`, `replayed` or `live`.
    pub mode: Option<String>,
    /// When it was measured, in milliseconds since 1970; absent means now.
    pub created_at: Option<i64>,
    /// The arms in a few numbers, as JSON.
    pub stats: Option<String>,
    /// The file.
    pub body: String,
    /// What it says of models that rankings are made of.
    pub samples: Vec<Sample>,
}

/// A result without its body.
#[derive(Debug, Clone)]
pub struct ResultRow {
    /// Its file's name.
    pub filename: String,
    /// The job that it is of.
    pub job_id: Option<String>,
    /// What was run.
    pub benchmark_type: String,
    /// The model that was asked.
    pub model: Option<String>,
    /// `simulated`, `replayed` or `live`.
    pub mode: Option<String>,
    /// When it was measured, in milliseconds since 1970.
    pub created_at: i64,
    /// The arms in a few numbers, as JSON.
    pub stats: Option<String>,
}

impl Store {
    /// Keeps results, all or none. One of a name that is known takes the place of what was known.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep(&self, results: &[NewResult]) -> Result<(), StoreError> {
        let now = self.now().await?;
        let mut transaction = self.begin().await?;
        for result in results {
            insert(&mut transaction, result, now).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Keeps a result of a name that is not known yet; absent where it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add(&self, result: &NewResult) -> Result<Option<ResultRow>, StoreError> {
        let now = self.now().await?;
        let mut transaction = self.begin().await?;
        // Whoever comes second waits here for the first.
        let taken = sqlx::query(
            "INSERT INTO results (filename, benchmark_type, created_at, body) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (filename) DO NOTHING",
        )
        .bind(&result.filename)
        .bind(&result.benchmark_type)
        .bind(now)
        .bind("")
        .execute(&mut *transaction)
        .await?;
        if taken.rows_affected() == 0 {
            return Ok(None);
        }
        insert(&mut transaction, result, now).await?;
        let written = sqlx::query(
            "SELECT filename, job_id, benchmark_type, model, mode, created_at, stats FROM results WHERE filename = $1",
        )
        .bind(&result.filename)
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        row(&written).map(Some)
    }

    /// The newest results.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn results(&self, most: i64) -> Result<Vec<ResultRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT filename, job_id, benchmark_type, model, mode, created_at, stats FROM results \
             ORDER BY created_at DESC, filename DESC LIMIT $1",
        )
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(row).collect()
    }

    /// The results of a job, in the order in which they were measured.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn results_of(&self, job_id: &str) -> Result<Vec<ResultRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT filename, job_id, benchmark_type, model, mode, created_at, stats FROM results \
             WHERE job_id = $1 ORDER BY created_at, filename",
        )
        .bind(job_id)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(row).collect()
    }

    /// A result's file.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn result(&self, filename: &str) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar("SELECT body FROM results WHERE filename = $1")
            .bind(filename)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// The files of the newest results that are some, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bodies(&self, most: i64) -> Result<Vec<(String, String)>, StoreError> {
        let mut rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT filename, body FROM results WHERE stats IS NOT NULL ORDER BY created_at DESC, filename DESC LIMIT $1",
        )
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        rows.reverse();
        Ok(rows)
    }
}

pub(super) async fn insert(
    transaction: &mut Transaction<'_, Any>,
    result: &NewResult,
    now: i64,
) -> Result<(), StoreError> {
    let created_at = result.created_at.unwrap_or(now);
    sqlx::query(
        "INSERT INTO results (filename, job_id, benchmark_type, model, mode, created_at, stats, body) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (filename) DO UPDATE SET job_id = COALESCE(excluded.job_id, results.job_id), \
         benchmark_type = excluded.benchmark_type, model = excluded.model, mode = excluded.mode, \
         created_at = excluded.created_at, stats = excluded.stats, body = excluded.body",
    )
    .bind(&result.filename)
    .bind(&result.job_id)
    .bind(&result.benchmark_type)
    .bind(&result.model)
    .bind(&result.mode)
    .bind(created_at)
    .bind(&result.stats)
    .bind(&result.body)
    .execute(&mut **transaction)
    .await?;
    measurements::replace(transaction, &result.filename, created_at, &result.samples).await
}

fn row(row: &AnyRow) -> Result<ResultRow, StoreError> {
    Ok(ResultRow {
        filename: row.try_get("filename")?,
        job_id: row.try_get("job_id")?,
        benchmark_type: row.try_get("benchmark_type")?,
        model: row.try_get("model")?,
        mode: row.try_get("mode")?,
        created_at: row.try_get("created_at")?,
        stats: row.try_get("stats")?,
    })
}
