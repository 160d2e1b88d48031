//! The server's side: requests that wait for each other, and are then served together.

use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures::future::BoxFuture;

use super::CLAIM;
use crate::experiment::{
    Arm, ArmSummary, Draw, Group, GroupSummary, Known, Loaded, Needs, Observation, Predict, Prediction,
    RunError, Workload, under_load,
};
use crate::load::{Schedule, Slo};
use crate::metric::{Metric, Unit};
use crate::mock::BATCH_SIZE;
use crate::optimization::formula::call_on;
use crate::scenario::{self, prose, tokens};
use crate::session::Demand;
use crate::wire::{Ask, Batching, Dialect, Message, Serving};

/// The largest batch.
const SIZE: u32 = 8;
/// How long its first request waits for others, in the real world.
const WINDOW: Duration = Duration::from_millis(50);
/// Tokens of text in each prompt: what a batch cannot share.
const TEXT_TOKENS: u64 = 400;
/// Requests at a concurrency, at least.
const REQUESTS: u32 = 6;

const CONTROL: &str = "batch_1";
const BATCHED: &str = "batch_8";

/// One request at a time (the control) against batches of up to eight, over the requests that are under way at once.
pub fn server(concurrency: &[u32]) -> Group {
    Group {
        name: "batching/server".into(),
        question:
            "What does a server gain that lets requests wait for each other, and what does the wait cost?"
                .into(),
        x_label: Some("at once".into()),
        control: CONTROL.into(),
        arms: concurrency.iter().flat_map(|&at_once| [arm(at_once, 1), arm(at_once, SIZE)]).collect(),
        metrics: vec![Metric::TIME_PER_REQUEST, Metric::TOTAL],
        dialect: Some(Dialect::Generate),
        predict: Some(predict()),
        remarks: Some(Arc::new(|known| Times::of(known).map(|times| times.told()).into_iter().collect())),
        conclude: Some(Arc::new(|_, summary| conclude(summary))),
        claimed: Some(CLAIM),
        ..Group::default()
    }
}

fn arm(at_once: u32, size: u32) -> Arm {
    let simulator = Some("no request can choose how a live server batches");
    Arm {
        needs: Needs { simulator, ..Needs::default() },
        ..Arm::new(if size == 1 { CONTROL } else { BATCHED }, Batched { at_once, size }).at(at_once.into())
    }
}

static PROMPT: LazyLock<Arc<str>> = LazyLock::new(|| {
    let question = scenario::batching().question(0);
    format!("{}\n\n{question}", prose(TEXT_TOKENS, TEXT_TOKENS)).into()
});

fn output_tokens() -> u64 {
    scenario::batching().max_tokens.into()
}

/// As many rounds of all that are under way as make enough requests.
fn requests(at_once: u32) -> u32 {
    at_once * REQUESTS.div_ceil(at_once)
}

struct Batched {
    at_once: u32,
    size: u32,
}

impl Batched {
    fn ask(&self, window: Duration) -> Ask {
        let size = NonZeroUsize::new(self.size as usize).unwrap_or(NonZeroUsize::MIN);
        let window_us = u64::try_from(window.as_micros()).unwrap_or(u64::MAX);
        Ask {
            messages: vec![Message::user(Arc::clone(&PROMPT))],
            max_tokens: Some(scenario::batching().max_tokens),
            // Or the server would answer from its cache.
            temperature: Some(1.0),
            serving: Serving { batching: Some(Batching { size, window_us }), ..Serving::default() },
            ..Ask::default()
        }
    }
}

impl Workload for Batched {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(async move {
            let scale = draw.session().scale();
            let ask = self.ask(WINDOW.mul_f64(scale));
            let schedule = Schedule::closed(self.at_once, requests(self.at_once));
            let loaded = under_load(draw, &schedule, &|_, _| ask.clone()).await?;
            let mut observation = loaded.observation(Slo::INTERACTIVE.scaled(scale));
            observation.values.extend(mean_batch(&loaded).map(|size| (batch_size(), size)));
            Ok(observation)
        })
    }

    fn demand(&self, _round: u32) -> Demand {
        let one = Demand::uncached(tokens(&PROMPT), output_tokens());
        (1..requests(self.at_once)).fold(one, |sum, _| sum.and(one))
    }
}

fn batch_size() -> Metric {
    Metric::new(BATCH_SIZE, Unit::Count)
}

/// The mean size of the batches: each answer says how many shared its own.
fn mean_batch(loaded: &Loaded) -> Option<f64> {
    let sizes = loaded.answers.iter().map(|answer| answer.reply.extra.get(BATCH_SIZE)?.as_f64());
    let shares = sizes.map(|size| size.filter(|size| *size > 0.0).map(f64::recip));
    let batches = shares.sum::<Option<f64>>().filter(|batches| *batches > 0.0)?;
    Some(loaded.answers.len() as f64 / batches)
}

/// What a batch takes: `B(b) = α + β·b`, and the window before it, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Times {
    alpha: f64,
    beta: f64,
    window: f64,
}

impl Times {
    fn of(known: &Known<'_>) -> Option<Self> {
        let (engine, slowdown) = known.engine?;
        let time = |input: u64| call_on(engine, slowdown, input as f64, output_tokens() as f64);
        let alpha = time(0);
        let window = WINDOW.as_nanos() as f64 * known.scale;
        Some(Self { alpha, beta: time(tokens(&PROMPT)) - alpha, window })
    }

    fn batch(&self, size: u32) -> f64 {
        self.alpha + self.beta * f64::from(size)
    }

    /// The time per request with so many under way: full batches, and a last one of the rest, which waits for the
    /// window only while nothing else is served.
    fn per_request(&self, at_once: u32, size: u32) -> f64 {
        let (full, rest) = (at_once / size, at_once % size);
        let wait = if full == 0 { self.window } else { 0.0 };
        let last = if rest == 0 { 0.0 } else { self.batch(rest) + wait };
        (f64::from(full) * self.batch(size) + last) / f64::from(at_once)
    }

    fn told(&self) -> String {
        let (one, full) = (self.batch(1), self.batch(SIZE));
        format!(
            "A batch of b takes B(b) = {:.1} + {:.2}·b ms: one of {SIZE} {:.1} ms, {:.1} times the throughput of one at a \
             time ({SIZE} times only if nothing were a request's own). One at a time the engine is full at {:.0} req/s, \
             in batches at {:.0}. A window of {:.1} ms pays where more than 1 + window/α = {:.2} requests come together.",
            self.alpha / 1e6,
            self.beta / 1e6,
            full / 1e6,
            f64::from(SIZE) * one / full,
            1e9 / one,
            1e9 * f64::from(SIZE) / full,
            self.window / 1e6,
            1.0 + self.window / self.alpha,
        )
    }
}

fn predict() -> Predict {
    Arc::new(|known, arm, metric| {
        let (times, at_once) = (Times::of(known)?, arm.x? as u32);
        let saving = match metric {
            metric if *metric == Metric::TIME_PER_REQUEST => {
                times.per_request(at_once, 1) - times.per_request(at_once, SIZE)
            }
            metric if *metric == Metric::TOTAL && at_once == 1 => -times.window,
            _ => return None,
        };
        let (alpha, beta) = (times.alpha / 1e6, times.beta / 1e6);
        let source = format!("B(b) = {alpha:.1} + {beta:.2}·b ms, window {:.1} ms", times.window / 1e6);
        Some(Prediction { saving, source: source.into() })
    })
}

/// Throughput ratio, added wait and batch size at each concurrency.
fn conclude(summary: &GroupSummary) -> Vec<String> {
    let median = |arm: &ArmSummary, metric: &Metric| Some(arm.metrics.get(metric.name())?.summary.p50);
    let sentence = |arm: &ArmSummary| {
        let control = summary.arms.iter().find(|control| control.name == CONTROL && control.x == arm.x)?;
        let ratio = median(control, &Metric::TIME_PER_REQUEST)? / median(arm, &Metric::TIME_PER_REQUEST)?;
        let added = median(arm, &Metric::TOTAL)? - median(control, &Metric::TOTAL)?;
        let (word, added) = if added > 0.0 { ("more", added) } else { ("less", -added) };
        Some(format!(
            "{} at once: {ratio:.2} times the throughput, a request takes {} {word}, {:.1} requests a batch.",
            arm.x?,
            Metric::TOTAL.show(added),
            median(arm, &batch_size())?
        ))
    };
    summary.arms.iter().filter(|arm| arm.name == BATCHED).filter_map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_pays_where_more_come_together_than_the_window_costs() {
        // Given a shared part of 20 ms, 2 ms of each request's own and a window of 30 ms
        let times = Times { alpha: 20.0, beta: 2.0, window: 30.0 };
        // Then two together are slower in a batch, and three faster: 1 + 30/20 = 2.5
        let gain = |at_once| times.per_request(at_once, 1) - times.per_request(at_once, SIZE);
        assert!(gain(2) < 0.0 && gain(3) > 0.0, "{} {}", gain(2), gain(3));
        // And twenty are served in two full batches and one of four
        assert_eq!(times.per_request(20, 8), (2.0 * 36.0 + 28.0) / 20.0);
    }
}
