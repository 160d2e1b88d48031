//! The prompts of the caching arms: the same in every arm but for the toggle.

use std::sync::Arc;

use crate::experiment::Needs;
use crate::scenario::{self, prose, tokens};
use crate::session::Demand;
use crate::wire::{Ask, Block, CacheTtl, Message, Usage};

/// Tokens of the text that makes a prompt new, or keeps it the arm's own.
const MARK_TOKENS: u64 = 32 / scenario::TOKEN_BYTES as u64;

/// A question over a prefix of a given length.
#[derive(Debug, Clone)]
pub(super) struct Prompt {
    prefix_tokens: u64,
    handbook: Arc<str>,
}

impl Prompt {
    pub(super) fn new(prefix_tokens: u64) -> Self {
        let intro = tokens(&scenario::caching().system) + 1;
        let rest = prefix_tokens.saturating_sub(MARK_TOKENS + intro);
        Self { prefix_tokens, handbook: prose(rest, prefix_tokens) }
    }

    /// The text after the mark.
    pub(super) fn handbook(&self) -> &str {
        &self.handbook
    }

    /// The request of a round. `mark` comes first, before anything that could be shared.
    pub(super) fn ask(&self, mark: &str, cache: Option<CacheTtl>, round: u32) -> Ask {
        let text = format!("{mark}{}\n\n{}", scenario::caching().system, self.handbook);
        self.ask_blocks(vec![Block { cache, ..Block::text(text) }], round)
    }

    /// The same request with its system prompt in several blocks.
    pub(super) fn ask_blocks(&self, system: Vec<Block>, round: u32) -> Ask {
        let scenario = scenario::caching();
        Ask {
            system,
            messages: vec![Message::user(scenario.question(round))],
            max_tokens: Some(scenario.max_tokens),
            stream: true,
            include_usage: true,
            ..Ask::default()
        }
    }

    pub(super) fn needs(&self) -> Needs {
        let answer = u64::from(scenario::caching().max_tokens);
        Needs { context_tokens: self.input_tokens() + answer, streaming: true, ..Needs::default() }
    }

    /// A request that finds nothing in the cache and writes nothing to it.
    pub(super) fn cold(&self) -> Demand {
        Demand::uncached(self.input_tokens(), u64::from(scenario::caching().max_tokens))
    }

    /// A request that writes the prefix to the cache.
    pub(super) fn writes(&self) -> Demand {
        self.with(|usage| usage.cache_write = Some(self.prefix_tokens))
    }

    /// A request that writes the prefix to the cache for an hour.
    pub(super) fn writes_for_an_hour(&self) -> Demand {
        self.with(|usage| {
            usage.cache_write = Some(self.prefix_tokens);
            usage.cache_write_1h = Some(self.prefix_tokens);
        })
    }

    /// A request that reads the prefix from the cache.
    pub(super) fn reads(&self) -> Demand {
        self.with(|usage| usage.cache_read = Some(self.prefix_tokens))
    }

    fn with(&self, change: impl FnOnce(&mut Usage)) -> Demand {
        let mut demand = self.cold();
        change(&mut demand.usage);
        demand
    }

    fn input_tokens(&self) -> u64 {
        let question = scenario::caching().questions.iter().map(|question| tokens(question)).max();
        self.prefix_tokens + question.unwrap_or(0)
    }
}
