//! Where an agent's state is kept.

mod file;
mod memory;
mod remote;
mod sqlite;

pub use remote::ROUND_TRIP;

use std::io;
use std::path::Path;
use std::sync::Arc;

use futures::future::BoxFuture;

/// Keeps the states of one run of an agent.
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Keeps the state after a superstep; it is kept when the future is done.
    fn save(&self, superstep: u32, state: Vec<u8>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The state after the latest superstep that is kept.
    fn latest(&self) -> BoxFuture<'_, Result<Option<Kept>, StoreError>>;
}

/// A superstep and the state after it, serialised.
pub type Kept = (u32, Vec<u8>);

/// Why a state could not be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The state cannot be serialised.
    #[error("could not serialise the state: {0}")]
    State(#[from] serde_json::Error),
    /// A file or directory.
    #[error("could not use a checkpoint's file: {0}")]
    File(#[from] io::Error),
    /// A database.
    #[error("could not use the checkpoints' database: {0}")]
    Database(String),
    /// The store is not part of this build.
    #[error("this build has no store `{0}`: build it with the feature of that name")]
    NotBuilt(&'static str),
    /// The task that wrote was stopped.
    #[error("the write of a checkpoint was stopped: {0}")]
    Stopped(#[from] tokio::task::JoinError),
}

/// A kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// The memory of the process.
    Memory,
    /// A file for each state, left to the operating system to write out.
    File,
    /// A file for each state, on the disk when it is saved (`fsync`).
    FileFsync,
    /// A table of SQLite, every transaction on the disk when it is saved.
    Sqlite,
    /// A store at the other end of a network, a stated round trip away, that keeps states in memory.
    Remote,
}

impl StoreKind {
    /// Every kind that this build has.
    pub fn all() -> impl Iterator<Item = Self> {
        let known = [Self::Memory, Self::File, Self::FileFsync, Self::Sqlite, Self::Remote];
        known.into_iter().filter(|kind| *kind != Self::Sqlite || sqlite::BUILT)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::File => "file",
            Self::FileFsync => "file_fsync",
            Self::Sqlite => "sqlite",
            Self::Remote => "remote",
        }
    }

    /// Opens a store of this kind, in the directory `home` if it needs one: a new store, or the one that was there.
    ///
    /// # Errors
    /// When the directory or the database cannot be used.
    pub fn open(self, home: &Path) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Self::Memory => Arc::new(memory::Memory::default()),
            Self::File => Arc::new(file::Files::new(home, false)),
            Self::FileFsync => Arc::new(file::Files::new(home, true)),
            Self::Sqlite => Arc::new(sqlite::Sqlite::open(home)?),
            Self::Remote => Arc::new(remote::Remote::default()),
        })
    }
}

/// Runs what blocks on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await?
}
