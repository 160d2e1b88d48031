//! The cache of whole answers behind `/generate`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_128;

use crate::wire::{Ask, Content, Reply};

use super::config::GenerateConfig;

/// Answers by prompt, model and length. It is told the time and reads no clock.
#[derive(Debug, Default)]
pub struct ReplyCache {
    entries: HashMap<u128, (Arc<Reply>, Duration)>,
    order: VecDeque<u128>,
}

impl ReplyCache {
    /// The key of a request, or none if its answer must not be reused: above temperature 0 two answers to one
    /// question differ.
    pub fn key(ask: &Ask) -> Option<u128> {
        if ask.temperature.is_some_and(|temperature| temperature > 0.0) {
            return None;
        }
        let texts =
            ask.messages.iter().flat_map(|message| &message.content).filter_map(|block| {
                if let Content::Text(text) = &block.content { Some(&**text) } else { None }
            });
        let key = serde_json::json!({
            "prompt": texts.collect::<Vec<_>>(),
            "model": ask.model,
            "max_tokens": ask.max_tokens,
        });
        Some(xxh3_128(key.to_string().as_bytes()))
    }

    /// The answer kept for `key`, if it is not too old at time `now`.
    pub fn get(&self, key: u128, now: Duration) -> Option<Arc<Reply>> {
        self.entries.get(&key).filter(|(_, expires)| now < *expires).map(|(reply, _)| Arc::clone(reply))
    }

    /// Keeps an answer; the oldest goes if there are too many.
    pub fn put(&mut self, key: u128, reply: Arc<Reply>, now: Duration, config: &GenerateConfig) {
        if config.cache_max_entries == 0 {
            return;
        }
        if self.entries.insert(key, (reply, now + config.cache_ttl)).is_some() {
            self.order.retain(|&old| old != key);
        }
        self.order.push_back(key);
        while self.order.len() > config.cache_max_entries {
            if let Some(oldest) = self.order.pop_front() {
                self.entries.remove(&oldest);
            }
        }
    }

    /// Forgets every answer.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.order.clear();
    }

    /// The number of answers kept, expired ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no answer is kept.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
