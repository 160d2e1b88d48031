//! No SQLite in this build.

use std::convert::Infallible;
use std::path::Path;

use futures::future::BoxFuture;

use super::super::{Kept, Store, StoreError};

/// Whether this build has it.
pub(in super::super) const BUILT: bool = false;

/// A store that there is not.
#[derive(Debug)]
pub(in super::super) struct Sqlite(Infallible);

impl Sqlite {
    pub(in super::super) fn open(_home: &Path) -> Result<Self, StoreError> {
        Err(StoreError::NotBuilt("sqlite"))
    }
}

impl Store for Sqlite {
    fn save(&self, _superstep: u32, _state: Vec<u8>) -> BoxFuture<'_, Result<(), StoreError>> {
        match self.0 {}
    }

    fn latest(&self) -> BoxFuture<'_, Result<Option<Kept>, StoreError>> {
        match self.0 {}
    }
}
