//! What the service keeps: jobs, results, rankings, and who may do what only one may do at a time.
//!
//! One text of SQL serves SQLite and PostgreSQL; where they differ, [`Backend`] knows. Whatever belongs together is
//! written in one transaction. Times come from the database's own clock, so that processes on several machines agree
//! on when a lease has run out.

mod backend;
mod jobs;
mod leases;
mod measurements;
mod rankings;
mod results;
mod schedule;
mod sessions;
mod updates;

pub use backend::Backend;
#[cfg(feature = "redis")]
pub(super) use backend::without_password;
pub use jobs::{Claim, Job, JobState, NewJob, Outcome};
pub use leases::Lease;
pub use measurements::Sample;
pub use rankings::Snapshot;
pub use results::{NewResult, ResultRow};
pub use schedule::{ScheduleRun, ScheduleState};
pub use sessions::{Scope, Session};

use std::path::Path;
use std::time::Duration;

use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Any, AnyConnection, AnyPool, Connection, Transaction};

/// Every change of the tables, forward and back.
static MIGRATIONS: Migrator = sqlx::migrate!("src/service/store/migrations");

/// Connections of one process: readers of rankings are served from the cache.
const MOST_CONNECTIONS: u32 = 8;
/// How long a statement waits for a connection or a lock.
const PATIENCE: Duration = Duration::from_secs(10);
/// Two processes that start together may both see a table missing; who comes second looks again.
const MIGRATION_TRIES: u32 = 5;

/// Why the database did not do what it should. Its own words may name tables and values: they go to the log, never
/// into a reply.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address is none that this build can open.
    #[error("the database address {url}: {reason}")]
    Address {
        /// The address, without password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The database cannot be opened.
    #[error("could not open the database {url}: {source}")]
    Open {
        /// The address, without password.
        url: String,
        /// What happened.
        source: sqlx::Error,
    },
    /// Its tables cannot be brought to this build's form.
    #[error("could not migrate the database: {0}")]
    Migrate(#[from] MigrateError),
    /// A statement failed.
    #[error("the database failed: {0}")]
    Statement(#[from] sqlx::Error),
    /// A row holds what this build does not understand.
    #[error("the database holds a {what} that cannot be read: {reason}")]
    Unreadable {
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Somebody else does it by now.
    #[error("the lease on {0} is lost: another process has it")]
    Fenced(String),
}

impl StoreError {
    /// Whether the same would fail again, however often it is tried.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Statement(sqlx::Error::Database(error)) => {
                !matches!(error.kind(), sqlx::error::ErrorKind::Other)
            }
            Self::Statement(sqlx::Error::Encode(_)) | Self::Unreadable { .. } => true,
            _ => false,
        }
    }

    pub(super) fn unreadable(what: &'static str, reason: impl ToString) -> Self {
        Self::Unreadable { what, reason: reason.to_string() }
    }
}

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    pool: AnyPool,
    backend: Backend,
}

impl Store {
    /// Opens a database, `sqlite:FILE` or `postgres://…`, and brings its tables to this build's form. A SQLite file is
    /// made where it is missing.
    ///
    /// # Errors
    /// When the address is none, the database cannot be reached, or its tables are of a newer build.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let store = Self::connect(url).await?;
        let mut tries = 1;
        loop {
            match MIGRATIONS.run(&store.pool).await {
                Ok(()) => return Ok(store),
                Err(MigrateError::Execute(_) | MigrateError::ExecuteMigration(..))
                    if tries < MIGRATION_TRIES =>
                {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes back every change of the tables after `version`; 0 takes back all of them, and what they hold is gone.
    ///
    /// # Errors
    /// When the database cannot be reached or a change cannot be taken back.
    pub async fn revert(url: &str, version: i64) -> Result<(), StoreError> {
        Ok(MIGRATIONS.undo(&Self::connect(url).await?.pool, version).await?)
    }

    async fn connect(url: &str) -> Result<Self, StoreError> {
        install_default_drivers();
        let (backend, url) = backend::recognise(url)?;
        if let Some(directory) = backend.file(&url).as_deref().and_then(Path::parent) {
            let open = |source| StoreError::Open { url: url.clone(), source: sqlx::Error::Io(source) };
            std::fs::create_dir_all(directory).map_err(open)?;
        }
        // A pool says of a database that is not there no more than that it waited for it.
        let open = |source| StoreError::Open { url: backend::without_password(&url), source };
        AnyConnection::connect(&url).await.map_err(open)?.close().await.map_err(open)?;
        let options = AnyPoolOptions::new()
            .max_connections(MOST_CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    for statement in backend.greeting() {
                        sqlx::query(*statement).execute(&mut *connection).await?;
                    }
                    Ok(())
                })
            });
        Ok(Self { pool: options.connect(&url).await.map_err(open)?, backend })
    }

    /// Begins a transaction that will write: it waits for other writers now rather than failing half-way.
    async fn begin(&self) -> Result<Transaction<'static, Any>, StoreError> {
        Ok(match self.backend {
            Backend::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await?,
            Backend::Postgres => self.pool.begin().await?,
        })
    }

    /// What the database's clock says, in milliseconds since 1970.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn now(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar(self.backend.now()).fetch_one(&self.pool).await?)
    }

    /// The database's name, for people.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Lets all connections go.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
