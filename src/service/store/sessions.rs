//! Browsers that presented a key.

use std::time::Duration;

use super::{Store, StoreError};

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Look.
    Read,
    /// Look, and start and cancel jobs.
    Run,
}

impl Scope {
    /// The scope of a word in settings.
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "read" => Some(Self::Read),
            "run" => Some(Self::Run),
            _ => None,
        }
    }
}

/// Somebody who presented a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The key's name.
    pub key_name: String,
    /// What it allows.
    pub scope: Scope,
}

impl Store {
    /// Remembers a browser for `time` by the digest of what its cookie holds, with the name and the mark of the key that
    /// it showed, and forgets those whose time is over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_session(
        &self,
        digest: &str,
        key_name: &str,
        key_mark: &str,
        time: Duration,
    ) -> Result<(), StoreError> {
        let now = self.now().await?;
        sqlx::query("DELETE FROM sessions WHERE expires_at < $1").bind(now).execute(&self.pool).await?;
        sqlx::query("INSERT INTO sessions (digest, key_name, key_mark, expires_at) VALUES ($1, $2, $3, $4)")
            .bind(digest)
            .bind(key_name)
            .bind(key_mark)
            .bind(now + time.as_millis() as i64)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The name and the mark of the key that a browser showed, unless its time is over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(&self, digest: &str) -> Result<Option<(String, String)>, StoreError> {
        let now = self.now().await?;
        Ok(sqlx::query_as("SELECT key_name, key_mark FROM sessions WHERE digest = $1 AND expires_at >= $2")
            .bind(digest)
            .bind(now)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Forgets a browser.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close_session(&self, digest: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM sessions WHERE digest = $1").bind(digest).execute(&self.pool).await?;
        Ok(())
    }
}
