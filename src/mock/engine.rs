//! The engine model: when a simulated model says what.
//!
//! A pure function of request, cache outcome, profile and noise. The first token comes after
//! `overhead + prefill · uncached + cached · read`; each further one a `decode` later. Chunks hold from one to
//! `burst_tokens` tokens and leave when their last token is ready; the first holds one, so that the time to
//! the first token is exactly that of the formula.

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::catalog::Profile;
use crate::seed::Noise;
use crate::wire::{Ask, ContentKind, Event, Thinking, Usage};

use super::answer::{self, Answer};
use super::cache::CacheOutcome;

/// An engine of one speed.
#[derive(Debug, Clone, Copy)]
pub struct Engine<'a> {
    /// Its speed.
    pub profile: &'a Profile,
    /// Multiplies every time.
    pub slowdown: f64,
    /// What it takes to process a prompt token that is not cached, and one that is.
    pub prompt_token: [Duration; 2],
    /// The length in tokens of an answer whose request sets no limit.
    pub default_answer_tokens: u32,
}

/// The parts of a request that shape its answer, beside the request itself.
#[derive(Debug, Clone)]
pub struct Turn {
    /// The id of the answer.
    pub id: String,
    /// How the prompt's tokens split.
    pub tokens: CacheOutcome,
    /// Whether the usage counts cache writes, which not every provider does.
    pub counts_writes: bool,
    /// Where the noise comes from.
    pub noise: Noise,
}

/// A whole answer and the time of each of its events, from the moment when the request got its slot.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Time before the prefill.
    pub overhead: Duration,
    /// Time of the prefill.
    pub prefill: Duration,
    /// Time from the first token to the last.
    pub decode: Duration,
    /// Every event with its offset, in order.
    pub events: Vec<(Duration, Event)>,
    /// Tokens of the whole request.
    pub usage: Usage,
}

impl Schedule {
    /// When the first token is ready.
    pub fn first_token(&self) -> Duration {
        self.overhead + self.prefill
    }

    /// Keeps every event until the last token is ready.
    pub(super) fn hold_back(&mut self) {
        let end = self.end();
        self.events.iter_mut().for_each(|(at, _)| *at = (*at).max(end));
    }

    /// When the last token is ready.
    pub fn end(&self) -> Duration {
        self.first_token() + self.decode
    }
}

impl Engine<'_> {
    /// Decides the whole answer to `ask` and its times.
    pub fn schedule(&self, ask: &Ask, turn: &Turn) -> Schedule {
        let answer = answer::answer(ask, self.profile, self.default_answer_tokens, &turn.noise);
        let tokens = turn.tokens;
        let spread = |sigma, purpose| lognormal(sigma, &mut turn.noise.rng(purpose));
        let [prefill, cached] = self.prompt_token.map(|time| time.as_secs_f64());
        let work = prefill * (tokens.input - tokens.read) as f64 + cached * tokens.read as f64;
        let overhead =
            self.time(self.profile.overhead.as_secs_f64() * spread(self.profile.sigma_overhead, "overhead"));
        let prefill = self.time(work * spread(self.profile.sigma_prefill, "prefill"));
        let usage = usage(&answer, ask, turn);
        let start = Event::Start { id: turn.id.clone(), model: ask.model.clone() };
        let mut script = Script { clock: overhead + prefill, events: Vec::new() };
        script.say(start);
        script.say(Event::Usage(Box::new(Usage {
            output: usage.output.map(|output| output.min(1)),
            reasoning: None,
            ..usage
        })));
        self.speak(&answer, ask.thinking, turn, &mut script);
        let decode = script.clock - (overhead + prefill);
        script.say(Event::Usage(Box::new(usage)));
        script.say(Event::Finish(answer.stop));
        script.say(Event::Done);
        Schedule { overhead, prefill, decode, events: script.events, usage }
    }

    /// The time to read `tokens` tokens of input and say nothing, without noise.
    pub(super) fn reading(&self, tokens: u64) -> Duration {
        let [prefill, _] = self.prompt_token;
        self.time(self.profile.overhead.as_secs_f64() + prefill.as_secs_f64() * tokens as f64)
    }

    /// The blocks of the answer, in bursts of tokens. Hidden thinking takes its time and shows no text.
    fn speak(&self, answer: &Answer, thinking: Thinking, turn: &Turn, script: &mut Script) {
        let mut gaps = turn.noise.rng("decode");
        let mut bursts = turn.noise.rng("burst");
        let mut first = true;
        for (index, block) in answer.blocks.iter().enumerate() {
            let shown = thinking != Thinking::Hidden || block.content != ContentKind::Thinking;
            let tokens = block.tokens();
            let mut rest = tokens.as_slice();
            let mut opening = Some(Event::BlockStart { index, block: block.kind.clone() });
            while !rest.is_empty() {
                let size =
                    if first { 1 } else { bursts.random_range(1..=self.profile.burst_tokens) as usize };
                let (chunk, tail) = rest.split_at(size.min(rest.len()));
                script.clock += self.decode(chunk.len() - usize::from(first), &mut gaps);
                first = false;
                rest = tail;
                opening.take().into_iter().for_each(|event| script.say(event));
                if shown {
                    script.say(Event::Delta { index, kind: block.content, text: chunk.concat().into() });
                }
            }
            opening.take().into_iter().for_each(|event| script.say(event));
            if let Some(signature) = block.signature.clone() {
                script.say(Event::Signature { index, signature });
            }
            script.say(Event::BlockStop { index });
        }
    }

    fn decode(&self, tokens: usize, gaps: &mut ChaCha8Rng) -> Duration {
        let factor: f64 = (0..tokens).map(|_| lognormal(self.profile.sigma_decode, gaps)).sum();
        self.time(self.profile.decode.as_secs_f64() * factor)
    }

    fn time(&self, seconds: f64) -> Duration {
        Duration::from_nanos((seconds * self.slowdown * 1e9).round() as u64)
    }
}

/// Events as they are decided, and the time they are at.
struct Script {
    clock: Duration,
    events: Vec<(Duration, Event)>,
}

impl Script {
    fn say(&mut self, event: Event) {
        self.events.push((self.clock, event));
    }
}

fn usage(answer: &Answer, ask: &Ask, turn: &Turn) -> Usage {
    let count = |thinking: bool| -> u64 {
        let blocks = answer.blocks.iter().filter(|block| !thinking || block.signature.is_some());
        blocks.map(|block| block.tokens().len() as u64).sum()
    };
    let written = |tokens| turn.counts_writes.then_some(tokens);
    Usage {
        input: Some(turn.tokens.input),
        cache_read: Some(turn.tokens.read),
        cache_write: written(turn.tokens.write),
        cache_write_1h: written(turn.tokens.write_1h),
        output: Some(count(false)),
        reasoning: (ask.thinking != Thinking::Off).then(|| count(true)),
    }
}

/// A factor with mean 1; exactly 1 without spread.
fn lognormal(sigma: f64, rng: &mut ChaCha8Rng) -> f64 {
    let normal: f64 = StandardNormal.sample(rng);
    (sigma * normal - sigma * sigma / 2.0).exp()
}
