//! What was said of a job's progress.

use super::{Claim, Store, StoreError, jobs};

impl Store {
    /// Keeps what is said of a job's progress, as JSON, under the next number.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when the job is not the caller's any more.
    pub async fn update(&self, claim: &Claim, body: &str) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        jobs::fence(&mut transaction, claim).await?;
        jobs::say(&mut transaction, &claim.job_id, body).await?;
        Ok(transaction.commit().await?)
    }

    /// What was said of a job after the number `seq`, as JSON, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn updates(&self, job_id: &str, after: i64) -> Result<Vec<(i64, String)>, StoreError> {
        Ok(sqlx::query_as("SELECT seq, body FROM job_updates WHERE job_id = $1 AND seq > $2 ORDER BY seq")
            .bind(job_id)
            .bind(after)
            .fetch_all(&self.pool)
            .await?)
    }

    /// The last thing that was said of a job, with its number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_update(&self, job_id: &str) -> Result<Option<(i64, String)>, StoreError> {
        Ok(sqlx::query_as("SELECT seq, body FROM job_updates WHERE job_id = $1 ORDER BY seq DESC LIMIT 1")
            .bind(job_id)
            .fetch_optional(&self.pool)
            .await?)
    }
}
