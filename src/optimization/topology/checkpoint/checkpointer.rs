//! When an agent keeps its state, and how long it waits for that.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{State, Store, StoreError};

/// When a state is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// After every superstep, before the next one begins.
    Sync,
    /// After every superstep, while the next one runs; one write at a time.
    Async,
    /// Once, at the end.
    Exit,
}

impl Policy {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Sync, Self::Async, Self::Exit];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
            Self::Exit => "exit",
        }
    }
}

/// Keeps the states of one run, and counts the time that the agent waits for it.
#[derive(Debug)]
pub struct Checkpointer {
    store: Arc<dyn Store>,
    policy: Policy,
    writing: Option<JoinHandle<Result<(), StoreError>>>,
    waited: Duration,
}

impl Checkpointer {
    /// A run that keeps its states in `store`.
    pub fn new(store: Arc<dyn Store>, policy: Policy) -> Self {
        Self { store, policy, writing: None, waited: Duration::ZERO }
    }

    /// Does what the policy asks for after a superstep.
    ///
    /// # Errors
    /// When this state, or the one before it, could not be kept.
    pub async fn superstep(&mut self, state: &State) -> Result<(), StoreError> {
        let begin = Instant::now();
        match self.policy {
            Policy::Sync => keep(&self.store, state).await?,
            Policy::Async => {
                self.settle().await?;
                let (store, state) = (Arc::clone(&self.store), state.clone());
                self.writing = Some(tokio::spawn(async move { keep(&store, &state).await }));
            }
            Policy::Exit => {}
        }
        self.waited += begin.elapsed();
        Ok(())
    }

    /// Waits until the last state of the run is kept, and says how long the agent waited in all.
    ///
    /// # Errors
    /// When it could not be kept.
    pub async fn finish(mut self, state: &State) -> Result<Duration, StoreError> {
        let begin = Instant::now();
        self.settle().await?;
        if self.policy == Policy::Exit {
            keep(&self.store, state).await?;
        }
        Ok(self.waited + begin.elapsed())
    }

    /// Waits for the write that is under way.
    async fn settle(&mut self) -> Result<(), StoreError> {
        match self.writing.take() {
            Some(writing) => writing.await?,
            None => Ok(()),
        }
    }
}

/// Serialises a state and saves it.
pub(super) async fn keep(store: &Arc<dyn Store>, state: &State) -> Result<(), StoreError> {
    store.save(state.superstep, state.to_bytes()?).await
}
