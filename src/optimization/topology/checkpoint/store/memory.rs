//! States in the memory of the process.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures::future::BoxFuture;

use super::{Kept, Store, StoreError};

/// States by superstep.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<BTreeMap<u32, Vec<u8>>>);

impl Store for Memory {
    fn save(&self, superstep: u32, state: Vec<u8>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(superstep, state);
            Ok(())
        })
    }

    fn latest(&self) -> BoxFuture<'_, Result<Option<Kept>, StoreError>> {
        Box::pin(async {
            let states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(states.last_key_value().map(|(superstep, state)| (*superstep, state.clone())))
        })
    }
}
