//! What stands for the cache in Redis in builds without its client.

use crate::service::cache::{CacheError, Entry};

/// A cache that no build without the feature `redis` can have.
#[derive(Debug)]
pub enum Redis {}

impl Redis {
    #[expect(clippy::unused_async, reason = "the other build waits here")]
    pub(in crate::service::cache) async fn open(_url: &str, _database: &str) -> Result<Self, CacheError> {
        Err(CacheError::Unsupported)
    }

    #[expect(clippy::unused_async, reason = "the other build waits here")]
    pub(in crate::service::cache) async fn get(&self, _key: &str) -> Option<Entry> {
        match *self {}
    }

    #[expect(clippy::unused_async, reason = "the other build waits here")]
    pub(in crate::service::cache) async fn put(&self, _key: &str, _entry: &Entry) {
        match *self {}
    }

    #[expect(clippy::unused_async, reason = "the other build waits here")]
    pub(in crate::service::cache) async fn raise(&self, _epoch: i64) {
        match *self {}
    }
}
