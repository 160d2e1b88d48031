//! Rate limits, as providers keep them: buckets that hold a minute's worth and fill up all the time.
//!
//! A request takes one from the requests and its whole prompt from the input tokens before it is served; what the
//! prompt cache held is given back once that is known, since cached tokens do not count. Output tokens are taken
//! when the answer is decided, so that their bucket may owe some; until it owes none, requests are refused. (Older
//! descriptions of Anthropic's limits reserve `max_tokens` instead.) What is refused takes nothing.

mod headers;

use std::num::NonZeroU64;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::wire::{Dialect, Usage};

pub(crate) use headers::label;

const MINUTE: Duration = Duration::from_mins(1);

/// What may be asked in a minute; absent is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<NonZeroU64>,
    /// Prompt tokens, but for those that the prompt cache held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens_per_minute: Option<NonZeroU64>,
    /// Tokens of answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens_per_minute: Option<NonZeroU64>,
}

/// A request that comes too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this request would exceed the rate limit of {limit} {of} per minute")]
pub struct TooMany {
    /// What there is too much of.
    pub of: &'static str,
    /// How much there may be in a minute.
    pub limit: u64,
    /// When there will be room, in whole seconds; absent if one request alone is more than a minute may hold.
    pub retry_after_s: Option<u64>,
}

impl TooMany {
    /// Its type in a vendor's words.
    pub(crate) fn kind(&self, dialect: Dialect) -> &'static str {
        match (dialect, self.of) {
            (Dialect::OpenAi | Dialect::Completions, "requests") => "requests",
            (Dialect::OpenAi | Dialect::Completions, _) => "tokens",
            _ => "rate_limit_error",
        }
    }
}

/// What is left of the limits. It is told the time and reads no clock.
#[derive(Debug, Default)]
pub struct Limiter {
    requests: Option<Bucket>,
    input: Option<Bucket>,
    output: Option<Bucket>,
}

/// How a limit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What may be asked in a minute.
    pub limit: u64,
    /// What is left now.
    pub remaining: u64,
    /// How long until all of it is there again.
    pub full_in: Duration,
}

impl Limiter {
    /// Full buckets.
    pub fn new(limits: Limits) -> Self {
        let bucket = |limit: Option<NonZeroU64>| limit.map(Bucket::full);
        Self {
            requests: bucket(limits.requests_per_minute),
            input: bucket(limits.input_tokens_per_minute),
            output: bucket(limits.output_tokens_per_minute),
        }
    }

    /// Lets a request with a prompt of `input` tokens in, at time `now`, or says when to come again.
    ///
    /// # Errors
    /// [`TooMany`] names the limit that has to be waited for longest.
    pub fn admit(&mut self, input: u64, now: Duration) -> Result<(), TooMany> {
        let demands = [
            ("requests", &mut self.requests, 1.0),
            ("input tokens", &mut self.input, input as f64),
            ("output tokens", &mut self.output, 0.0),
        ];
        let mut demands: Vec<_> = demands
            .into_iter()
            .filter_map(|(of, bucket, amount)| Some((of, bucket.as_mut()?, amount)))
            .collect();
        let refusals = demands.iter_mut().filter_map(|(of, bucket, amount)| bucket.refusal(of, *amount, now));
        if let Some(refusal) = refusals.max_by_key(|refusal| refusal.retry_after_s.unwrap_or(u64::MAX)) {
            return Err(refusal);
        }
        demands.iter_mut().for_each(|(_, bucket, amount)| bucket.level -= *amount);
        Ok(())
    }

    /// Takes note of what a request used in the end.
    pub fn settle(&mut self, usage: &Usage, now: Duration) {
        if let Some(input) = &mut self.input {
            input.fill(now);
            input.level = (input.level + usage.cache_read.unwrap_or(0) as f64).min(input.size);
        }
        if let Some(output) = &mut self.output {
            output.fill(now);
            output.level -= usage.output.unwrap_or(0) as f64;
        }
    }

    /// How requests, input tokens and output tokens stand at time `now`; absent where unlimited.
    pub fn standings(&mut self, now: Duration) -> [Option<Standing>; 3] {
        [&mut self.requests, &mut self.input, &mut self.output]
            .map(|bucket| Some(bucket.as_mut()?.standing(now)))
    }
}

#[derive(Debug)]
struct Bucket {
    size: f64,
    /// What it holds; below 0 it owes.
    level: f64,
    /// When that was true.
    at: Duration,
}

impl Bucket {
    fn full(size: NonZeroU64) -> Self {
        let size = size.get() as f64;
        Self { size, level: size, at: Duration::ZERO }
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).div_duration_f64(MINUTE);
        self.level = (self.level + passed * self.size).min(self.size);
        self.at = self.at.max(now);
    }

    /// How long until it holds `amount`.
    fn wait(&self, amount: f64) -> Duration {
        MINUTE.mul_f64(((amount - self.level) / self.size).max(0.0))
    }

    /// Why `amount` cannot be taken, if it cannot; of nothing, only a debt is in the way.
    fn refusal(&mut self, of: &'static str, amount: f64, now: Duration) -> Option<TooMany> {
        self.fill(now);
        let wait = self.wait(amount);
        // A nanosecond is what adding up fractions may lose.
        (wait > Duration::from_nanos(1)).then(|| TooMany {
            of,
            limit: self.size as u64,
            retry_after_s: (amount <= self.size).then(|| wait.as_millis().div_ceil(1000).max(1) as u64),
        })
    }

    fn standing(&mut self, now: Duration) -> Standing {
        self.fill(now);
        let remaining = self.level.max(0.0) as u64;
        Standing { limit: self.size as u64, remaining, full_in: self.wait(self.size) }
    }
}
