//! The prompt cache: what of a prompt need not be processed again.
//!
//! One store serves two sets of rules. [`Plan::explicit`] follows Anthropic's breakpoints, [`Plan::automatic`]
//! OpenAI's prefix steps; both reduce a prompt to a chain of prefix hashes. Nothing here reads a clock: every
//! call is told the time, as a duration since any fixed origin.

mod plan;

use std::collections::HashMap;
use std::time::Duration;

pub use plan::{CacheError, Plan};

/// Entries kept at most; beyond it those that would expire first go.
const MAX_ENTRIES: usize = 200_000;

/// How the tokens of one prompt split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheOutcome {
    /// All prompt tokens.
    pub input: u64,
    /// Of `input`, those read from the cache.
    pub read: u64,
    /// Of `input`, those written to the cache.
    pub write: u64,
    /// Of `write`, those with a lifetime of one hour.
    pub write_1h: u64,
}

impl CacheOutcome {
    /// A prompt of so many tokens without any cache.
    pub fn uncached(input: u64) -> Self {
        Self { input, ..Self::default() }
    }
}

/// What a cache holds and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct CacheCounts {
    /// Live and expired prefixes held.
    pub entries: u64,
    /// Requests that read something.
    pub reads: u64,
    /// Requests that wrote something.
    pub writes: u64,
    /// Tokens read.
    pub tokens_read: u64,
    /// Tokens written.
    pub tokens_written: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    ttl: Duration,
    expires: Duration,
}

/// The prefixes that are readable now.
#[derive(Debug, Default)]
pub struct PromptCache {
    entries: HashMap<u128, Entry>,
    counts: CacheCounts,
}

impl PromptCache {
    /// Looks for the longest readable prefix of a prompt at time `now`, and refreshes what it uses.
    ///
    /// What the request will write is counted but not yet readable: see [`mark_readable`](Self::mark_readable).
    pub fn lookup(&mut self, plan: &Plan, now: Duration) -> CacheOutcome {
        let hit = plan.candidates.iter().rev().copied().find(|&index| self.is_live(plan, index, now));
        let read = hit.map_or(0, |index| plan.tokens_at(index));
        if let Some(hit) = hit {
            self.refresh(plan, hit, now);
        }
        let written_to = |one_hour_only: bool| {
            let marks = plan.writes.iter().filter(|mark| mark.one_hour || !one_hour_only);
            marks.map(|mark| plan.tokens_at(mark.index).saturating_sub(read)).max().unwrap_or(0)
        };
        let outcome =
            CacheOutcome { input: plan.input, read, write: written_to(false), write_1h: written_to(true) };
        self.count(outcome);
        outcome
    }

    /// Makes readable what a request wrote. To be called when its response begins: until then, equal requests
    /// all miss.
    pub fn mark_readable(&mut self, plan: &Plan, outcome: CacheOutcome, now: Duration) {
        for mark in plan.writes.iter().filter(|mark| plan.tokens_at(mark.index) > outcome.read) {
            let fresh = Entry { ttl: mark.ttl, expires: now + mark.ttl };
            let entry = self.entries.entry(plan.hash_at(mark.index)).or_insert(fresh);
            if entry.expires < fresh.expires {
                *entry = fresh;
            }
        }
        if self.entries.len() > MAX_ENTRIES {
            self.evict(now);
        }
    }

    /// Forgets every prefix.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// What the cache holds and did so far.
    pub fn counts(&self) -> CacheCounts {
        CacheCounts { entries: self.entries.len() as u64, ..self.counts }
    }

    fn is_live(&self, plan: &Plan, index: usize, now: Duration) -> bool {
        self.entries.get(&plan.hash_at(index)).is_some_and(|entry| now < entry.expires)
    }

    /// Using a prefix keeps it, and those of the request's own breakpoints inside it, alive.
    fn refresh(&mut self, plan: &Plan, hit: usize, now: Duration) {
        let inside = plan.writes.iter().map(|mark| mark.index).filter(|&index| index < hit);
        for index in inside.chain([hit]) {
            if let Some(entry) =
                self.entries.get_mut(&plan.hash_at(index)).filter(|entry| now < entry.expires)
            {
                entry.expires = now + entry.ttl;
            }
        }
    }

    fn count(&mut self, outcome: CacheOutcome) {
        self.counts.reads += u64::from(outcome.read > 0);
        self.counts.writes += u64::from(outcome.write > 0);
        self.counts.tokens_read += outcome.read;
        self.counts.tokens_written += outcome.write;
    }

    fn evict(&mut self, now: Duration) {
        self.entries.retain(|_, entry| now < entry.expires);
        if self.entries.len() > MAX_ENTRIES {
            let mut ends: Vec<_> = self.entries.values().map(|entry| entry.expires).collect();
            let middle = ends.len() / 2;
            let (_, &mut median, _) = ends.select_nth_unstable(middle);
            self.entries.retain(|_, entry| entry.expires > median);
        }
    }
}
