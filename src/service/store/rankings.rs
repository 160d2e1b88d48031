//! Rankings as they are served, each replaced in one step.

use std::collections::BTreeMap;

use sqlx::{Any, Transaction};

use super::measurements::{llm, metric};
use super::{Lease, Store, StoreError, leases};
use crate::ranking::{LLMS, RankedMetric, Simulation};

/// The rankings of one source as they are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// How often they were made anew.
    pub generation: i64,
    /// When they were made, in milliseconds since 1970.
    pub made_at: i64,
    /// The rankings, as JSON.
    pub body: String,
}

impl Store {
    /// Puts simulated values, and the rankings made of them, in the place of those before: readers see either the old
    /// ones or the new ones, whole. Only whoever holds `lease` may.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when the lease is lost; nothing is written then.
    pub async fn replace_simulated(
        &self,
        lease: &Lease,
        simulation: &Simulation,
        body: &str,
    ) -> Result<(), StoreError> {
        let now = self.now().await?;
        let mut transaction = self.begin().await?;
        leases::fence(&mut transaction, lease).await?;
        sqlx::query("DELETE FROM simulations").execute(&mut *transaction).await?;
        for metric_of in RankedMetric::ALL {
            let metric_id = metric(&mut transaction, metric_of).await?;
            for model in &LLMS {
                let llm_id = llm(&mut transaction, model.name, Some(model.company_name), now).await?;
                let values = serde_json::to_string(&simulation.of(model, metric_of))
                    .map_err(|error| StoreError::unreadable("simulation", error))?;
                sqlx::query(self.backend.insert_simulations())
                    .bind(values)
                    .bind(llm_id)
                    .bind(&metric_id)
                    .execute(&mut *transaction)
                    .await?;
            }
        }
        replace(&mut transaction, "simulated", body, now).await?;
        Ok(transaction.commit().await?)
    }

    /// Puts rankings of measured values in the place of those before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replace_measured(&self, body: &str) -> Result<(), StoreError> {
        let now = self.now().await?;
        let mut transaction = self.begin().await?;
        replace(&mut transaction, "measured", body, now).await?;
        Ok(transaction.commit().await?)
    }

    /// All rankings, by their source, as they stood at one moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rankings(&self) -> Result<BTreeMap<String, Snapshot>, StoreError> {
        let rows: Vec<(String, i64, i64, String)> =
            sqlx::query_as("SELECT source, generation, made_at, body FROM rankings")
                .fetch_all(&self.pool)
                .await?;
        let snapshot = |(source, generation, made_at, body)| (source, Snapshot { generation, made_at, body });
        Ok(rows.into_iter().map(snapshot).collect())
    }

    /// A number that grows with every change of any rankings.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn epoch(&self) -> Result<i64, StoreError> {
        let sum = "SELECT CAST(COALESCE(SUM(generation), 0) AS BIGINT) FROM rankings";
        Ok(sqlx::query_scalar(sum).fetch_one(&self.pool).await?)
    }

    /// How many simulated values there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn simulations(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar("SELECT COUNT(*) FROM simulations").fetch_one(&self.pool).await?)
    }
}

async fn replace(
    transaction: &mut Transaction<'_, Any>,
    source: &str,
    body: &str,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO rankings (source, generation, made_at, body) VALUES ($1, 1, $2, $3) \
         ON CONFLICT (source) DO UPDATE SET generation = rankings.generation + 1, made_at = excluded.made_at, \
         body = excluded.body",
    )
    .bind(source)
    .bind(now)
    .bind(body)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
