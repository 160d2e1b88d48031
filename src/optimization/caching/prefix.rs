//! Cached against uncached, over the length of the prefix.

use std::sync::Arc;

use super::prompt::Prompt;
use super::{CLAIM, LEAST_MINIMUM, saving};
use crate::catalog::Model;
use crate::experiment::{Arm, CacheState, Draw, Group, Predict, Remarks, asking};
use crate::metric::Metric;
use crate::wire::{CacheTtl, Dialect};

const UNCACHED: &str = "uncached";
const CACHED: &str = "cached";

/// Uncached (the control) against cached, over prefixes of these many tokens. On a target with breakpoints
/// the cached arm sets one; on any other it relies on automatic caching.
pub fn prefix(prefix_tokens: &[u64]) -> Group {
    Group {
        name: "caching".into(),
        question: "Does prompt caching pay, and from which prefix length on?".into(),
        metrics: vec![Metric::TTFT, Metric::TOTAL, Metric::TPOT],
        dialect: None,
        ..sweep(prefix_tokens)
    }
}

/// The same question for OpenAI's automatic prefix cache, where no request can ask for it.
pub fn automatic(prefix_tokens: &[u64]) -> Group {
    let mut group = Group {
        name: "caching/automatic".into(),
        question: "Does automatic prefix caching (OpenAI dialect) pay, and from which length on?".into(),
        metrics: vec![Metric::TTFT],
        dialect: Some(Dialect::OpenAi),
        ..sweep(prefix_tokens)
    };
    for arm in &mut group.arms {
        arm.needs.simulator =
            Some("on a live target, the group `caching` asks this in the target's own dialect");
    }
    group
}

fn sweep(prefix_tokens: &[u64]) -> Group {
    Group {
        x_label: Some("prefix tokens".into()),
        control: UNCACHED.into(),
        arms: prefix_tokens.iter().flat_map(|&tokens| [arm(tokens, false), arm(tokens, true)]).collect(),
        predict: Some(predict()),
        remarks: Some(remarks(prefix_tokens)),
        claimed: Some(CLAIM),
        ..Group::default()
    }
}

fn arm(prefix_tokens: u64, cached: bool) -> Arm {
    let prompt = Prompt::new(prefix_tokens);
    let needs = prompt.needs();
    if cached {
        let demanding = prompt.clone();
        let ask = move |draw: &Draw<'_>| {
            prompt.ask(&draw.stable("prefix"), Some(CacheTtl::FiveMinutes), draw.round())
        };
        let workload =
            asking(ask, move |round| if round == 0 { demanding.writes() } else { demanding.reads() });
        Arm { needs, cache: expected(prefix_tokens), ..Arm::new(CACHED, workload).at(prefix_tokens as f64) }
    } else {
        let cold = prompt.cold();
        let ask = move |draw: &Draw<'_>| prompt.ask(&draw.fresh("prefix"), None, draw.round());
        let workload = asking(ask, move |_| cold);
        Arm { needs, cache: CacheState::Cold, ..Arm::new(UNCACHED, workload).at(prefix_tokens as f64) }
    }
}

/// Prefixes shorter than the minimum of every provider are not cached, and no miss.
fn expected(prefix_tokens: u64) -> CacheState {
    if prefix_tokens < LEAST_MINIMUM { CacheState::Any } else { CacheState::Warm }
}

/// The cached arm saves its prefix's prefill in TTFT and in the total alike, and nothing per token. Whether a short
/// prefix is cached by a model whose rules are not known cannot be told.
fn predict() -> Predict {
    Arc::new(|known, arm, metric| {
        let prefix_tokens = arm.x? as u64;
        let rules = known.model.map(|model| model.cache);
        let step = rules.and_then(|rules| rules.step_tokens).unwrap_or(1);
        let cached = match rules.and_then(|rules| rules.min_tokens) {
            Some(minimum) if prefix_tokens < minimum => 0,
            None if prefix_tokens < LEAST_MINIMUM => return None,
            _ => prefix_tokens / step * step,
        };
        [Metric::TTFT, Metric::TOTAL].contains(metric).then(|| saving(known, cached))?
    })
}

/// Which lengths are too short for the model, and what the cache costs over a conversation.
fn remarks(prefix_tokens: &[u64]) -> Remarks {
    let lengths = prefix_tokens.to_vec();
    Arc::new(move |known| {
        let Some(model) = known.model else { return Vec::new() };
        too_short(model, &lengths).into_iter().chain(input_cost(model)).collect()
    })
}

fn too_short(model: &Model, lengths: &[u64]) -> Option<String> {
    let minimum = model.cache.min_tokens?;
    let short: Vec<_> = lengths.iter().filter(|&&tokens| tokens < minimum).map(u64::to_string).collect();
    let (lengths, model) = (short.join(", "), &model.id);
    (!short.is_empty()).then(|| {
        format!("{lengths} prefix tokens: below the minimum cacheable prefix of {model} ({minimum}), never cached.")
    })
}

/// Requests of the conversation that the remark about cost speaks of.
const CONVERSATION: u32 = 10;

/// `(write + (m - 1) * read) / m`, in prices of uncached input.
fn input_cost(model: &Model) -> Option<String> {
    let price = model.price?;
    let (write, read) =
        (price.cache_write_5m.unwrap_or(price.input) / price.input, price.cache_read? / price.input);
    let ratio = (write + f64::from(CONVERSATION - 1) * read) / f64::from(CONVERSATION);
    let pays =
        (1..=CONVERSATION).find(|&requests| write + f64::from(requests - 1) * read < f64::from(requests))?;
    Some(format!(
        "Input cost of {CONVERSATION} requests over one prefix: {ratio:.3} of uncached (write {write:.2}, read {read:.2}); \
         it pays from request {pays} on."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;

    #[test]
    fn ten_requests_over_a_cached_prefix_cost_a_fifth_of_their_uncached_input() {
        let text = input_cost(catalog::model("claude-sonnet-4-6").unwrap()).unwrap();
        assert!(text.contains("0.215") && text.contains("request 2"), "{text}");
    }
}
