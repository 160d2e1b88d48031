//! How a cache gets warm, and how it gets cold again.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, try_join_all};

use super::prompt::Prompt;
use super::saving;
use crate::experiment::{Arm, CacheState, Draw, Group, Needs, Observation, Predict, RunError, Workload};
use crate::metric::Metric;
use crate::session::Demand;
use crate::wire::{Ask, Block, CacheTtl, Usage};

/// Tokens of the prefix: above every known minimum but the largest, and quick enough to be asked often.
const PREFIX_TOKENS: u64 = 6_000;
/// Blocks that the prefix is cut into where breakpoints are placed within it.
const BLOCKS: usize = 4;
/// The block that is changed, counted from 0: two stay in front of it.
const CHANGED: usize = 2;
/// Requests of a cold burst.
const BURST: u32 = 4;

const FIRST: &str = "request_1";

/// What happens before the request that is observed.
#[derive(Debug, Clone, Copy)]
enum Pattern {
    /// This many requests of the same prefix, the observed one the last.
    Natural(u32),
    /// A request for one token, made while the user still types.
    PreWarmed,
    /// All at once: each finds the cache cold, because an entry is readable only when its first response
    /// has begun. The mean TTFT is observed.
    Burst,
    /// A write, then this many pauses of this length, each ended by a request.
    Idle { ttl: CacheTtl, pauses: u32, each: Duration },
    /// A write, then a request in which one block has changed; with a breakpoint after every block, or only
    /// after the last.
    Changed { every_block: bool },
}

const MINUTE: Duration = Duration::from_secs(60);

/// The patterns, and what of the prefix the observed request should read: all, none, or the blocks in front
/// of the changed one.
const PATTERNS: [(&str, Pattern, Reads); 12] = [
    (FIRST, Pattern::Natural(1), Reads::Nothing),
    ("request_2", Pattern::Natural(2), Reads::Prefix),
    ("request_3", Pattern::Natural(3), Reads::Prefix),
    ("request_4", Pattern::Natural(4), Reads::Prefix),
    ("request_5", Pattern::Natural(5), Reads::Prefix),
    ("prewarmed", Pattern::PreWarmed, Reads::Prefix),
    ("burst_4", Pattern::Burst, Reads::Nothing),
    (
        "idle_6m",
        Pattern::Idle { ttl: CacheTtl::FiveMinutes, pauses: 1, each: MINUTE.saturating_mul(6) },
        Reads::Nothing,
    ),
    (
        "idle_2x4m",
        Pattern::Idle { ttl: CacheTtl::FiveMinutes, pauses: 2, each: MINUTE.saturating_mul(4) },
        Reads::Prefix,
    ),
    (
        "idle_6m_ttl_1h",
        Pattern::Idle { ttl: CacheTtl::OneHour, pauses: 1, each: MINUTE.saturating_mul(6) },
        Reads::Prefix,
    ),
    ("changed_1_mark", Pattern::Changed { every_block: false }, Reads::Nothing),
    ("changed_4_marks", Pattern::Changed { every_block: true }, Reads::BeforeTheChange),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    Nothing,
    Prefix,
    BeforeTheChange,
}

impl Reads {
    fn tokens(self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Prefix => PREFIX_TOKENS,
            Self::BeforeTheChange => PREFIX_TOKENS * CHANGED as u64 / BLOCKS as u64,
        }
    }
}

/// TTFT of the request after each warm-up pattern, against that of the first request.
pub fn warm_up() -> Group {
    let prompt = Prompt::new(PREFIX_TOKENS);
    let arm = |(name, pattern, reads): (&str, Pattern, Reads)| Arm {
        needs: pattern.needs(&prompt),
        cache: match reads {
            Reads::Prefix => CacheState::Warm,
            Reads::Nothing if name == FIRST => CacheState::Cold,
            Reads::Nothing | Reads::BeforeTheChange => CacheState::Any,
        },
        // The mean over several answers says nothing of one answer's tokens, and a warm cache nothing new of
        // decoding with each request.
        without: if matches!(pattern, Pattern::Burst | Pattern::Natural(2..)) {
            vec![Metric::TPOT]
        } else {
            vec![]
        },
        ..Arm::new(name, WarmUp { prompt: prompt.clone(), pattern })
    };
    Group {
        name: "caching/warm_up".into(),
        question: format!("Which request finds a prefix of {PREFIX_TOKENS} tokens in the cache?"),
        control: FIRST.into(),
        arms: PATTERNS.into_iter().map(arm).collect(),
        metrics: vec![Metric::TTFT, Metric::TPOT],
        predict: Some(predict()),
        ..Group::default()
    }
}

fn predict() -> Predict {
    Arc::new(|known, arm, metric| {
        let (_, _, reads) = PATTERNS.into_iter().find(|(name, ..)| *name == arm.name)?;
        (*metric == Metric::TTFT).then(|| saving(known, reads.tokens()))?
    })
}

impl Pattern {
    fn needs(self, prompt: &Prompt) -> Needs {
        let needs = prompt.needs();
        match self {
            Self::Natural(_) | Self::PreWarmed => needs,
            Self::Burst | Self::Changed { .. } => Needs { cache_control: true, ..needs },
            Self::Idle { .. } => Needs {
                cache_control: true,
                simulator: Some("it lets the cache's clock run minutes ahead"),
                ..needs
            },
        }
    }
}

struct WarmUp {
    prompt: Prompt,
    pattern: Pattern,
}

impl Workload for WarmUp {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(async move {
            let mark = draw.fresh("warm_up");
            match self.pattern {
                Pattern::Natural(requests) => {
                    for _ in 1..requests {
                        draw.ask(&self.ask(draw, &mark)).await?;
                    }
                    self.observe(draw, &mark).await
                }
                Pattern::PreWarmed => {
                    draw.ask(&Ask { max_tokens: Some(1), stream: false, ..self.ask(draw, &mark) }).await?;
                    self.observe(draw, &mark).await
                }
                Pattern::Burst => self.burst(draw, &mark).await,
                Pattern::Idle { ttl, pauses, each } => {
                    let ask = self.prompt.ask(&mark, Some(ttl), draw.round());
                    for _ in 0..pauses {
                        draw.ask(&ask).await?;
                        draw.pass_time(each).await?;
                    }
                    Ok(Observation::of(&draw.ask(&ask).await?))
                }
                Pattern::Changed { every_block } => {
                    draw.ask(&self.in_blocks(draw, &mark, every_block, None)).await?;
                    let changed = self.in_blocks(draw, &mark, every_block, Some(&draw.fresh("change")));
                    Ok(Observation::of(&draw.ask(&changed).await?))
                }
            }
        })
    }

    fn demand(&self, _round: u32) -> Demand {
        let (writes, reads) = (self.prompt.writes(), self.prompt.reads());
        let then =
            |demand: Demand, other: Demand, times: u32| (0..times).fold(demand, |sum, _| sum.and(other));
        match self.pattern {
            Pattern::Natural(requests) => then(writes, reads, requests - 1),
            Pattern::PreWarmed => writes.and(reads),
            Pattern::Burst => then(writes, writes, BURST - 1),
            Pattern::Idle { ttl: CacheTtl::OneHour, pauses, .. } => {
                then(self.prompt.writes_for_an_hour(), reads, pauses)
            }
            Pattern::Idle { pauses, .. } => then(writes, writes, pauses),
            Pattern::Changed { .. } => writes.and(writes),
        }
    }
}

impl WarmUp {
    fn ask(&self, draw: &Draw<'_>, mark: &str) -> Ask {
        self.prompt.ask(mark, Some(CacheTtl::FiveMinutes), draw.round())
    }

    async fn observe(&self, draw: &Draw<'_>, mark: &str) -> Result<Observation, RunError> {
        Ok(Observation::of(&draw.ask(&self.ask(draw, mark)).await?))
    }

    async fn burst(&self, draw: &Draw<'_>, mark: &str) -> Result<Observation, RunError> {
        let ask = self.ask(draw, mark);
        let answers = try_join_all((0..BURST).map(|_| draw.ask(&ask))).await?;
        let ttft: Vec<f64> =
            answers.iter().filter_map(|answer| answer.values.get(&Metric::TTFT).copied()).collect();
        let mut observation = Observation { usage: Some(Usage::default()), ..Observation::default() };
        if ttft.len() == answers.len() {
            observation.values.insert(Metric::TTFT, ttft.iter().sum::<f64>() / ttft.len() as f64);
        }
        let usages: Option<Vec<Demand>> =
            answers.iter().map(|answer| Some(Demand { requests: 1, usage: answer.reply.usage })).collect();
        observation.usage = usages.and_then(|all| all.into_iter().reduce(Demand::and)).map(|sum| sum.usage);
        Ok(observation)
    }

    /// The prefix in blocks, one of them replaced by `change`.
    fn in_blocks(&self, draw: &Draw<'_>, mark: &str, every_block: bool, change: Option<&str>) -> Ask {
        let text = self.prompt.handbook();
        let size = text.len() / BLOCKS;
        let blocks = (0..BLOCKS).map(|index| {
            let part = &text[index * size..if index + 1 == BLOCKS { text.len() } else { (index + 1) * size }];
            let text = match change.filter(|_| index == CHANGED) {
                Some(change) => format!("{change}{}", &part[change.len()..]),
                None if index == 0 => format!("{mark}{part}"),
                None => part.to_owned(),
            };
            let cache = (every_block || index + 1 == BLOCKS).then_some(CacheTtl::FiveMinutes);
            Block { cache, ..Block::text(text) }
        });
        self.prompt.ask_blocks(blocks.collect(), draw.round())
    }
}
