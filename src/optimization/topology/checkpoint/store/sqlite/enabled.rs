//! SQLite as one would set it up: a write-ahead log, and every transaction on the disk (`synchronous=FULL`).

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use rusqlite::{Connection, Error, OptionalExtension, params};

use super::super::{Kept, Store, StoreError, blocking};

/// Whether this build has it.
pub(in super::super) const BUILT: bool = true;

const SET_UP: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS checkpoints (superstep INTEGER PRIMARY KEY, state BLOB NOT NULL);";
const SAVE: &str = "INSERT OR REPLACE INTO checkpoints (superstep, state) VALUES (?1, ?2)";
const LATEST: &str = "SELECT superstep, state FROM checkpoints ORDER BY superstep DESC LIMIT 1";

/// One database.
#[derive(Debug)]
pub(in super::super) struct Sqlite(Arc<Mutex<Connection>>);

impl Sqlite {
    pub(in super::super) fn open(home: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(home.join("checkpoints.sqlite")).map_err(failed)?;
        connection.execute_batch(SET_UP).map_err(failed)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let connection = Arc::clone(&self.0);
        blocking(move || work(&connection.lock().unwrap_or_else(PoisonError::into_inner)).map_err(failed))
            .await
    }
}

impl Store for Sqlite {
    fn save(&self, superstep: u32, state: Vec<u8>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.run(move |connection| connection.execute(SAVE, params![superstep, state]).map(drop)))
    }

    fn latest(&self) -> BoxFuture<'_, Result<Option<Kept>, StoreError>> {
        Box::pin(self.run(|connection| {
            connection.query_row(LATEST, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        }))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it maps errors")]
fn failed(error: Error) -> StoreError {
    StoreError::Database(error.to_string())
}
