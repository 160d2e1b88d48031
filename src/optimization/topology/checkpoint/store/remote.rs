//! States behind a network that is simulated: a wait, in real time, and then memory.

use std::thread;
use std::time::Duration;

use futures::future::BoxFuture;

use super::memory::Memory;
use super::{Kept, Store, StoreError, blocking};

/// The round trip to the remote store: that to another data centre of one region. It is waited for as it is,
/// however fast the simulated engine.
pub const ROUND_TRIP: Duration = Duration::from_millis(2);

/// States at the other end of a network.
#[derive(Debug, Default)]
pub(super) struct Remote(Memory);

impl Store for Remote {
    fn save(&self, superstep: u32, state: Vec<u8>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            there_and_back().await?;
            self.0.save(superstep, state).await
        })
    }

    fn latest(&self) -> BoxFuture<'_, Result<Option<Kept>, StoreError>> {
        Box::pin(async {
            there_and_back().await?;
            self.0.latest().await
        })
    }
}

/// A thread sleeps more precisely than the runtime's timer, which counts in milliseconds.
async fn there_and_back() -> Result<(), StoreError> {
    blocking(|| {
        thread::sleep(ROUND_TRIP);
        Ok(())
    })
    .await
}
