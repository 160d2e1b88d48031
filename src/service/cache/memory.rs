//! A cache in this process's memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use moka::sync::Cache;

use super::Entry;

/// Replies that are kept: every query of every usual form, and some of rare ones.
const MOST: u64 = 1_000;
/// How long a change by another process may stay unseen.
const LIFE: Duration = Duration::from_secs(1);

/// A cache in this process's memory.
#[derive(Debug)]
pub struct Memory {
    entries: Cache<String, Arc<Entry>>,
    epoch: AtomicI64,
}

impl Memory {
    pub(super) fn new() -> Self {
        let entries = Cache::builder().max_capacity(MOST).time_to_live(LIFE).build();
        Self { entries, epoch: AtomicI64::new(0) }
    }

    pub(super) fn get(&self, key: &str) -> Option<Entry> {
        let entry = self.entries.get(key)?;
        (entry.epoch >= self.epoch.load(Ordering::Acquire)).then(|| Entry::clone(&entry))
    }

    pub(super) fn put(&self, key: &str, entry: &Entry) {
        self.entries.insert(key.to_owned(), Arc::new(entry.clone()));
    }

    pub(super) fn raise(&self, epoch: i64) {
        self.epoch.fetch_max(epoch, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_an_earlier_epoch_is_served_even_if_it_is_put_there_later() {
        let cache = Memory::new();
        let entry = |epoch| Entry { epoch, source: String::new(), body: epoch.to_string() };
        cache.put("a", &entry(1));
        assert_eq!(cache.get("a"), Some(entry(1)));
        cache.raise(2);
        assert_eq!(cache.get("a"), None);
        // A reader that had read the database before the change comes late
        cache.put("a", &entry(1));
        assert_eq!(cache.get("a"), None);
        cache.put("a", &entry(2));
        cache.raise(1);
        assert_eq!(cache.get("a"), Some(entry(2)));
    }
}
