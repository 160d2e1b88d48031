//! One engine with its slots and its batches, of which a mock has one for each way of serving that it is asked for.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;

use crate::wire::Serving;

use super::batch::Batcher;
use super::config::MockConfig;
use super::generate::BatchMember;

#[derive(Debug)]
pub(crate) struct Deployment {
    /// Requests that are answered at once.
    pub(crate) slots: Arc<Semaphore>,
    /// Requests of `/generate` that wait for each other.
    pub(crate) batcher: Mutex<Batcher<BatchMember>>,
    /// Serves one batch at a time.
    pub(crate) batch_engine: Semaphore,
}

impl Deployment {
    pub(crate) fn new(serving: Serving, config: &MockConfig) -> Self {
        let by_itself = (config.generate.max_batch_size, config.generate.batch_timeout);
        let (size, window) =
            serving.batching.map_or(by_itself, |batching| (batching.size.get(), batching.window()));
        let slots = serving.slots.map_or(config.profile.slots, NonZeroUsize::get);
        Self {
            slots: Arc::new(Semaphore::new(slots.min(Semaphore::MAX_PERMITS))),
            batcher: Mutex::new(Batcher::new(size, window)),
            batch_engine: Semaphore::new(1),
        }
    }
}
