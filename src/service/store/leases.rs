//! Who may do what only one may do at a time.

use std::time::Duration;

use sqlx::{Any, Transaction};

use super::{Store, StoreError};

/// The right to do something that only one may do at a time. It runs out unless it is renewed, and whoever takes it
/// next gets a higher token, by which writes of those before are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What it is for.
    pub name: String,
    /// Who has it.
    pub holder: String,
    /// Which of all leases of this name it is.
    pub token: i64,
}

impl Store {
    /// Takes the lease `name` for `time`; absent while somebody else has it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease(&self, name: &str, holder: &str, time: Duration) -> Result<Option<Lease>, StoreError> {
        let now = self.now().await?;
        let until = now + time.as_millis() as i64;
        let token: Option<i64> = sqlx::query_scalar(
            "INSERT INTO leases (name, holder, token, leased_until) VALUES ($1, $2, 1, $3) \
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, token = leases.token + 1, \
             leased_until = excluded.leased_until WHERE leases.leased_until <= $4 RETURNING token",
        )
        .bind(name)
        .bind(holder)
        .bind(until)
        .bind(now)
        .fetch_optional(&self.pool)
        .await?;
        Ok(token.map(|token| Lease { name: name.into(), holder: holder.into(), token }))
    }

    /// Holds a lease for `time` from now on.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when somebody else has it by now.
    pub async fn renew(&self, lease: &Lease, time: Duration) -> Result<(), StoreError> {
        let until = self.now().await? + time.as_millis() as i64;
        let held = sqlx::query("UPDATE leases SET leased_until = $3 WHERE name = $1 AND token = $2")
            .bind(&lease.name)
            .bind(lease.token)
            .bind(until)
            .execute(&self.pool)
            .await?;
        if held.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Fenced(lease.name.clone())) }
    }

    /// Gives a lease back before it runs out. One that is lost already is somebody else's matter.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        sqlx::query("UPDATE leases SET leased_until = 0 WHERE name = $1 AND token = $2")
            .bind(&lease.name)
            .bind(lease.token)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

/// Refuses a transaction whose author has lost the lease, and keeps others from taking it until the transaction ends.
pub(super) async fn fence(transaction: &mut Transaction<'_, Any>, lease: &Lease) -> Result<(), StoreError> {
    let held = sqlx::query("UPDATE leases SET holder = holder WHERE name = $1 AND token = $2")
        .bind(&lease.name)
        .bind(lease.token)
        .execute(&mut **transaction)
        .await?;
    if held.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Fenced(lease.name.clone())) }
}
