//! A prompt reduced to what the cache needs: hashes of its prefixes, where to look, what to write.

use std::time::Duration;

use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

use crate::catalog::CacheRules;
use crate::wire::{ApiError, Ask, CacheTtl};

use super::super::prompt::{self, PromptBlock, Section};

const MAX_BREAKPOINTS: usize = 4;
/// Blocks at which a prefix is looked for, counted back from a breakpoint and including its own.
const LOOK_BACK: usize = 20;
const DEFAULT_MIN_TOKENS: u64 = 1024;
const DEFAULT_STEP_TOKENS: u64 = 128;
const DEFAULT_IDLE: Duration = Duration::from_mins(10);

/// Why a request's breakpoints are refused, in the words of a 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CacheError {
    /// More breakpoints than the four there may be; the automatic one counts.
    #[error("a maximum of 4 blocks with cache_control may be provided: found {found}")]
    TooManyBreakpoints {
        /// How many there are.
        found: usize,
    },
    /// A breakpoint of an hour after one of five minutes.
    #[error(
        "a cache_control block with ttl \"1h\" must not come after one with ttl \"5m\" (order: tools, system, messages)"
    )]
    TtlOrder,
    /// The automatic breakpoint falls on a block with one of another lifetime.
    #[error("the top-level cache_control and that of the last block name different ttls")]
    TtlConflict,
}

impl From<CacheError> for ApiError {
    fn from(error: CacheError) -> Self {
        Self { kind: "invalid_request_error".to_owned(), message: error.to_string() }
    }
}

/// A prefix of the prompt: its hash, and its length in tokens.
#[derive(Debug, Clone, Copy)]
struct Link {
    hash: u128,
    tokens: u64,
}

/// A prefix that the request writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) index: usize,
    pub(super) ttl: Duration,
    pub(super) one_hour: bool,
}

/// What the cache needs to know of a prompt. Made once a request; making it takes about a millisecond for
/// half a megabyte, looking it up far less.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) input: u64,
    chain: Vec<Link>,
    /// Links at which a prefix is looked for, shortest first.
    pub(super) candidates: Vec<usize>,
    pub(super) writes: Vec<Mark>,
}

impl Plan {
    /// A prompt that no cache serves.
    pub fn none(ask: &Ask) -> Self {
        Self {
            input: prompt::prompt_tokens(ask),
            chain: Vec::new(),
            candidates: Vec::new(),
            writes: Vec::new(),
        }
    }

    /// Anthropic's rules: up to four breakpoints (`cache_control`), each looking back over 20 blocks for a
    /// prefix that was written before, and writing its own if it is long enough for `model`.
    ///
    /// Tools, system and messages are one chain in that order, so that a change invalidates what follows it.
    /// Changing `tool_choice` or thinking invalidates messages alone.
    ///
    /// # Errors
    /// [`CacheError`] if there are too many breakpoints or their lifetimes are out of order.
    pub fn explicit(ask: &Ask, model: &str, rules: CacheRules) -> Result<Self, CacheError> {
        let blocks = prompt::blocks(ask);
        let breakpoints = breakpoints(ask, &blocks)?;
        let chain = chain(ask, model, &blocks);
        let minimum = rules.min_tokens.unwrap_or(DEFAULT_MIN_TOKENS);
        let mut candidates: Vec<_> = breakpoints
            .iter()
            .flat_map(|&(index, _)| (index + 1).saturating_sub(LOOK_BACK)..=index)
            .collect();
        candidates.sort_unstable();
        candidates.dedup();
        let long_enough = breakpoints.into_iter().filter(|&(index, _)| chain[index].tokens >= minimum);
        let writes = long_enough.map(|(index, ttl)| mark(index, ttl)).collect();
        Ok(Self { input: total(&chain), chain, candidates, writes })
    }

    /// OpenAI's rules: prefixes from 1,024 tokens on, in steps of 128 (512 bytes of the flattened prompt), are
    /// kept without being asked for, apart for each `prompt_cache_key`.
    pub fn automatic(ask: &Ask, model: &str, rules: CacheRules) -> Self {
        let step = rules.step_tokens.unwrap_or(DEFAULT_STEP_TOKENS).max(1);
        let minimum = rules.min_tokens.unwrap_or(DEFAULT_MIN_TOKENS);
        let ttl = rules.idle_s.map_or(DEFAULT_IDLE, Duration::from_secs);
        let blocks = prompt::blocks(ask);
        let input = blocks.iter().map(|block| prompt::tokens(block.bytes.len())).sum();
        let flat = flatten(&blocks);
        let key = format!("automatic {model} {:?}", ask.prompt_cache_key);
        let mut hash = xxh3_128(key.as_bytes());
        let mut chain = Vec::new();
        for (index, piece) in flat.chunks_exact(step as usize * prompt::TOKEN_BYTES).enumerate() {
            hash = extend(hash, 0, xxh3_128(piece));
            chain.push(Link { hash, tokens: (step * (index as u64 + 1)).min(input) });
        }
        let candidates: Vec<_> = (0..chain.len()).filter(|&index| chain[index].tokens >= minimum).collect();
        let writes = candidates.iter().map(|&index| Mark { index, ttl, one_hour: false }).collect();
        Self { input, chain, candidates, writes }
    }

    /// All prompt tokens.
    pub fn input(&self) -> u64 {
        self.input
    }

    pub(super) fn tokens_at(&self, index: usize) -> u64 {
        self.chain[index].tokens
    }

    pub(super) fn hash_at(&self, index: usize) -> u128 {
        self.chain[index].hash
    }
}

fn mark(index: usize, ttl: CacheTtl) -> Mark {
    let (ttl, one_hour) = match ttl {
        CacheTtl::FiveMinutes => (Duration::from_mins(5), false),
        CacheTtl::OneHour => (Duration::from_hours(1), true),
    };
    Mark { index, ttl, one_hour }
}

/// The blocks that end a cached prefix, in prompt order.
fn breakpoints(ask: &Ask, blocks: &[PromptBlock<'_>]) -> Result<Vec<(usize, CacheTtl)>, CacheError> {
    let mut found: Vec<_> =
        blocks.iter().enumerate().filter_map(|(index, block)| Some((index, block.cache?))).collect();
    if let (Some(ttl), Some(last)) = (ask.automatic_cache, blocks.len().checked_sub(1)) {
        match found.last() {
            Some(&(index, own)) if index == last && own != ttl => return Err(CacheError::TtlConflict),
            Some(&(index, _)) if index == last => {}
            _ => found.push((last, ttl)),
        }
    }
    if found.len() > MAX_BREAKPOINTS {
        return Err(CacheError::TooManyBreakpoints { found: found.len() });
    }
    if found.windows(2).any(|pair| pair[0].1 < pair[1].1) {
        return Err(CacheError::TtlOrder);
    }
    Ok(found)
}

/// A hash for every prefix that ends at a block.
fn chain(ask: &Ask, model: &str, blocks: &[PromptBlock<'_>]) -> Vec<Link> {
    let toggles = format!("{:?} {:?}", ask.tool_choice, ask.thinking);
    let mut hash = xxh3_128(format!("explicit {model}").as_bytes());
    let mut tokens = 0;
    let mut section = Section::Tools;
    blocks
        .iter()
        .map(|block| {
            if block.section == Section::Messages && section != Section::Messages {
                hash = extend(hash, b'#', xxh3_128(toggles.as_bytes()));
            }
            section = block.section;
            hash = extend(hash, block.tag, xxh3_128(&block.bytes));
            tokens += prompt::tokens(block.bytes.len());
            Link { hash, tokens }
        })
        .collect()
}

fn total(chain: &[Link]) -> u64 {
    chain.last().map_or(0, |link| link.tokens)
}

/// The prompt as one text, a byte before each block saying what it is.
fn flatten(blocks: &[PromptBlock<'_>]) -> Vec<u8> {
    let mut flat = Vec::with_capacity(blocks.iter().map(|block| block.bytes.len() + 1).sum());
    for block in blocks {
        flat.push(block.tag);
        flat.extend_from_slice(&block.bytes);
    }
    flat
}

fn extend(chain: u128, tag: u8, digest: u128) -> u128 {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&chain.to_le_bytes());
    bytes[16..].copy_from_slice(&digest.to_le_bytes());
    xxh3_128_with_seed(&bytes, u64::from(tag))
}
