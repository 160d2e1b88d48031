//! Every record of a session, in memory: what was measured is there whatever becomes of the work that measured it.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Observer, RequestRecord, SessionEvent};

/// An observer that keeps every record, in the order in which the exchanges ended. Clones share what they keep.
#[derive(Debug, Clone, Default)]
pub struct Collected(Arc<Mutex<Vec<RequestRecord>>>);

impl Collected {
    /// Takes what was kept so far.
    pub fn take(&self) -> Vec<RequestRecord> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Collected {
    fn on(&self, event: &SessionEvent<'_>) {
        if let SessionEvent::Exchange(record) = event {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push((*record).clone());
        }
    }
}
