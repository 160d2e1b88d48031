//! Replies that are ready: in this process's memory, or in Redis for several processes.
//!
//! An entry knows the epoch of what it was made from. Whoever changes the rankings raises the epoch, and no entry of an
//! earlier one is served from then on, not even one that a slow reader puts there later. An entry lives for a short
//! time: a process that shares a database with others, and no Redis, learns of their changes that way.

mod memory;
mod redis;

use memory::Memory;
use redis::Redis;

/// A reply that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which state of the rankings it shows; a later one has a higher number.
    pub epoch: i64,
    /// Where its values come from.
    pub source: String,
    /// The reply.
    pub body: String,
}

/// Why there is no cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Redis is not there.
    #[error("could not open Redis at {url}: {reason}")]
    Open {
        /// The address, without password.
        url: String,
        /// What happened.
        reason: String,
    },
    /// This build has no Redis in it.
    #[error("this build cannot use Redis: build it with --features redis")]
    Unsupported,
}

/// A cache.
#[derive(Debug)]
pub enum Cache {
    /// This process's own.
    Memory(Memory),
    /// One for several processes.
    Redis(Redis),
}

impl Cache {
    /// A cache in this process's memory.
    pub fn in_memory() -> Self {
        Self::Memory(Memory::new())
    }

    /// A cache in Redis, for those who keep the same `database`.
    ///
    /// # Errors
    /// When Redis is not there, or not in this build.
    pub async fn in_redis(url: &str, database: &str) -> Result<Self, CacheError> {
        Ok(Self::Redis(Redis::open(url, database).await?))
    }

    /// The reply under a key, unless the rankings have changed since.
    pub async fn get(&self, key: &str) -> Option<Entry> {
        match self {
            Self::Memory(memory) => memory.get(key),
            Self::Redis(redis) => redis.get(key).await,
        }
    }

    /// Keeps a reply.
    pub async fn put(&self, key: &str, entry: &Entry) {
        match self {
            Self::Memory(memory) => memory.put(key, entry),
            Self::Redis(redis) => redis.put(key, entry).await,
        }
    }

    /// Serves nothing of an earlier epoch any more.
    pub async fn raise(&self, epoch: i64) {
        match self {
            Self::Memory(memory) => memory.raise(epoch),
            Self::Redis(redis) => redis.raise(epoch).await,
        }
    }

    /// Where it is, for people.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Memory(_) => "memory",
            Self::Redis(_) => "Redis",
        }
    }
}
