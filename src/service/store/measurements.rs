//! What was measured of models, for rankings.

use sqlx::{Any, Row, Transaction};

use super::{Store, StoreError};
use crate::ranking::RankedMetric;

/// What was measured of a model in one workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What was asked, so that only models that were asked the same are ranked together.
    pub workload: String,
    /// `simulated`, `replayed` or `live`.
    pub mode: String,
    /// The model.
    pub llm_name: String,
    /// The metric.
    pub metric: RankedMetric,
    /// The values, in the metric's unit.
    pub values: Vec<f64>,
}

/// Puts samples in the place of those that the file gave before.
pub(super) async fn replace(
    transaction: &mut Transaction<'_, Any>,
    filename: &str,
    measured_at: i64,
    samples: &[Sample],
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM measurements WHERE filename = $1")
        .bind(filename)
        .execute(&mut **transaction)
        .await?;
    for sample in samples {
        let llm_id = llm(transaction, &sample.llm_name, None, measured_at).await?;
        let metric_id = metric(transaction, sample.metric).await?;
        let values =
            serde_json::to_string(&sample.values).map_err(|error| StoreError::unreadable("sample", error))?;
        sqlx::query(
            "INSERT INTO measurements (filename, workload, mode, llm_id, metric_id, measured_at, sample) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(filename)
        .bind(&sample.workload)
        .bind(&sample.mode)
        .bind(llm_id)
        .bind(metric_id)
        .bind(measured_at)
        .bind(values)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

/// The row of a model, made where it is missing.
pub(super) async fn llm(
    transaction: &mut Transaction<'_, Any>,
    name: &str,
    company_name: Option<&str>,
    now: i64,
) -> Result<String, StoreError> {
    let id = id(&["llm", name]);
    sqlx::query(
        "INSERT INTO llms (id, name, company_name, created_at, updated_at) VALUES ($1, $2, $3, $4, $4) \
         ON CONFLICT (name) DO UPDATE SET updated_at = excluded.updated_at, \
         company_name = COALESCE(excluded.company_name, llms.company_name)",
    )
    .bind(&id)
    .bind(name)
    .bind(company_name)
    .bind(now)
    .execute(&mut **transaction)
    .await?;
    Ok(id)
}

/// The row of a metric, made where it is missing.
pub(super) async fn metric(
    transaction: &mut Transaction<'_, Any>,
    metric: RankedMetric,
) -> Result<String, StoreError> {
    let id = id(&["metric", metric.name()]);
    sqlx::query("INSERT INTO metrics (id, name) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
        .bind(&id)
        .bind(metric.name())
        .execute(&mut **transaction)
        .await?;
    Ok(id)
}

/// The same id for the same name, on every machine: in the form of a UUID.
fn id(parts: &[&str]) -> String {
    let hash = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(parts.join("/").as_bytes()));
    let (a, b, c, d, e) = (&hash[..8], &hash[8..12], &hash[12..16], &hash[16..20], &hash[20..]);
    format!("{a}-{b}-{c}-{d}-{e}")
}

impl Store {
    /// The newest samples that rankings are made of, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn samples(&self, most: i64) -> Result<Vec<Sample>, StoreError> {
        let rows = sqlx::query(
            "SELECT workload, mode, llms.name AS llm, metrics.name AS metric, sample FROM measurements \
             JOIN llms ON llms.id = llm_id JOIN metrics ON metrics.id = metric_id \
             ORDER BY measured_at DESC, filename DESC LIMIT $1",
        )
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        let sample = |row: &sqlx::any::AnyRow| {
            let name: String = row.try_get("metric")?;
            let metric = RankedMetric::ALL.into_iter().find(|metric| metric.name() == name);
            let text: String = row.try_get("sample")?;
            Ok(Sample {
                workload: row.try_get("workload")?,
                mode: row.try_get("mode")?,
                llm_name: row.try_get("llm")?,
                metric: metric.ok_or_else(|| StoreError::unreadable("metric", name))?,
                values: serde_json::from_str(&text)
                    .map_err(|error| StoreError::unreadable("sample", error))?,
            })
        };
        rows.iter().rev().map(sample).collect()
    }
}
