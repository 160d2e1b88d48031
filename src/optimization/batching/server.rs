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
use crate::load::Schedule;
use crate::metric::{Metric, Unit};
use crate::mock::BATCH_SIZE;
use crate::optimization::formula::call_on;
use crate::scenario::{self, prose, tokens};
use crate::session::Demand;
use crate::wire::{Ask, Batching, Dialect, Message, Serving};

/// The largest batch, where it is not swept.
const SIZE: u32 = 8;
/// How long its first request waits for others, in the real world, where it is not swept.
const WINDOW: Duration = Duration::from_millis(50);
/// Requests at once for the sweep of the size: as many as the largest holds.
const AT_ONCE_FOR_SIZE: u32 = 16;
/// Requests at once for the sweep of the window: too few to fill a batch, so that the window is waited for.
const AT_ONCE_FOR_WINDOW: u32 = 5;
/// Tokens of text in each prompt: what a batch cannot share.
const TEXT_TOKENS: u64 = 400;
/// Requests at a concurrency, at least.
const REQUESTS: u32 = 2;

const CONTROL: &str = "batch_1";
const BATCHED: &str = "batch_8";
/// The arm whose size or window is swept.
const SWEPT: &str = "batched";

/// One request at a time (the control) against batches of up to eight, over the requests that are under way at once.
pub fn server(concurrency: &[u32]) -> Group {
    let arms = |&at_once: &u32| {
        let at = |name, case| arm(name, Case { at_once, ..case }).at(at_once.into());
        [at(CONTROL, Case::ONE_BY_ONE), at(BATCHED, Case::BATCHED)]
    };
    Group {
        name: "batching/server".into(),
        question:
            "What does a server gain that lets requests wait for each other, and what does the wait cost?"
                .into(),
        x_label: Some("at once".into()),
        arms: concurrency.iter().flat_map(arms).collect(),
        remarks: Some(Arc::new(|known| Times::of(known).map(|times| times.told()).into_iter().collect())),
        claimed: Some(CLAIM),
        ..group(|x| Case { at_once: x as u32, ..Case::BATCHED })
    }
}

/// One request at a time (the control) against batches of up to so many, sixteen at once.
pub fn size(sizes: &[u32]) -> Group {
    let case = |x: f64| Case { at_once: AT_ONCE_FOR_SIZE, size: x as u32, ..Case::BATCHED };
    Group {
        name: "batching/size".into(),
        question: format!("How large should a batch be with {AT_ONCE_FOR_SIZE} requests at once?"),
        x_label: Some("largest batch".into()),
        arms: swept(sizes.iter().map(|&size| f64::from(size)), case),
        ..group(case)
    }
}

/// One request at a time (the control) against batches that wait so many milliseconds for more, five at once.
pub fn window(milliseconds: &[u32]) -> Group {
    let case = |x: f64| Case {
        at_once: AT_ONCE_FOR_WINDOW,
        window: Duration::from_millis(x as u64),
        ..Case::BATCHED
    };
    Group {
        name: "batching/window".into(),
        question: format!("How long should a batch wait for more, {AT_ONCE_FOR_WINDOW} requests at once?"),
        x_label: Some("ms of window".into()),
        arms: swept(milliseconds.iter().map(|&ms| f64::from(ms)), case),
        ..group(case)
    }
}

/// What the groups have in common; `case` says what a position of the sweep stands for.
fn group(case: fn(f64) -> Case) -> Group {
    Group {
        control: CONTROL.into(),
        metrics: vec![Metric::TIME_PER_REQUEST, Metric::TOTAL],
        dialect: Some(Dialect::Generate),
        predict: Some(predict(case)),
        conclude: Some(Arc::new(|_, summary| conclude(summary))),
        ..Group::default()
    }
}

/// The control and an arm at each position.
fn swept(positions: impl Iterator<Item = f64>, case: fn(f64) -> Case) -> Vec<Arm> {
    let control = Case { at_once: case(1.0).at_once, ..Case::ONE_BY_ONE };
    std::iter::once(arm(CONTROL, control)).chain(positions.map(|x| arm(SWEPT, case(x)).at(x))).collect()
}

fn arm(name: &str, case: Case) -> Arm {
    let simulator = Some("no request can choose how a live server batches");
    Arm { needs: Needs { simulator, ..Needs::default() }, ..Arm::new(name, case) }
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

/// How a server batches, and how many requests are under way.
#[derive(Debug, Clone, Copy)]
struct Case {
    at_once: u32,
    size: u32,
    /// In the real world.
    window: Duration,
}

impl Case {
    const ONE_BY_ONE: Self = Self { at_once: 1, size: 1, window: WINDOW };
    const BATCHED: Self = Self { size: SIZE, ..Self::ONE_BY_ONE };

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

impl Workload for Case {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(async move {
            let scale = draw.session().scale();
            let ask = self.ask(self.window.mul_f64(scale));
            let schedule = Schedule::closed(self.at_once, requests(self.at_once));
            let loaded = under_load(draw, &schedule, &|_, _| ask.clone()).await?;
            // Nobody reads along: an answer that is not streamed has no first token to be in time.
            let mut observation = loaded.observation(None);
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

/// What a batch takes: `B(b) = α + β·b`, in nanoseconds; and a second of the real world there.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Times {
    alpha: f64,
    beta: f64,
    scale: f64,
}

impl Times {
    fn of(known: &Known<'_>) -> Option<Self> {
        let (engine, slowdown) = known.engine?;
        let time = |input: u64| call_on(engine, slowdown, input as f64, output_tokens() as f64);
        let alpha = time(0);
        Some(Self { alpha, beta: time(tokens(&PROMPT)) - alpha, scale: known.scale })
    }

    fn batch(&self, size: u32) -> f64 {
        self.alpha + self.beta * f64::from(size)
    }

    fn window(&self, window: Duration) -> f64 {
        window.as_nanos() as f64 * self.scale
    }

    /// The time per request: full batches, and a last one of the rest, which waits for the window only while
    /// nothing else is served.
    fn per_request(&self, Case { at_once, size, window }: Case) -> f64 {
        let (full, rest) = (at_once / size, at_once % size);
        let wait = if full == 0 { self.window(window) } else { 0.0 };
        let last = if rest == 0 { 0.0 } else { self.batch(rest) + wait };
        (f64::from(full) * self.batch(size) + last) / f64::from(at_once)
    }

    fn told(&self) -> String {
        let (one, full, window) = (self.batch(1), self.batch(SIZE), self.window(WINDOW));
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
            window / 1e6,
            1.0 + window / self.alpha,
        )
    }
}

fn predict(case: fn(f64) -> Case) -> Predict {
    Arc::new(move |known, arm, metric| {
        let (times, case) = (Times::of(known)?, case(arm.x?));
        let window = times.window(case.window);
        let saving = match metric {
            metric if *metric == Metric::TIME_PER_REQUEST => {
                times.per_request(Case { size: 1, ..case }) - times.per_request(case)
            }
            metric if *metric == Metric::TOTAL && case.at_once == 1 => -window,
            _ => return None,
        };
        let (alpha, beta) = (times.alpha / 1e6, times.beta / 1e6);
        let source = format!("B(b) = {alpha:.1} + {beta:.2}·b ms, window {:.1} ms", window / 1e6);
        Some(Prediction { saving, source: source.into() })
    })
}

/// Throughput ratio, added wait and batch size at each position.
fn conclude(summary: &GroupSummary) -> Vec<String> {
    let median = |arm: &ArmSummary, metric: &Metric| Some(arm.metrics.get(metric.name())?.summary.p50);
    let label = summary.x_label.as_deref().unwrap_or_default();
    let sentence = |arm: &ArmSummary| {
        let controls = || summary.arms.iter().filter(|control| control.name == CONTROL);
        let control = controls().find(|control| control.x == arm.x).or_else(|| controls().next())?;
        let ratio = median(control, &Metric::TIME_PER_REQUEST)? / median(arm, &Metric::TIME_PER_REQUEST)?;
        let added = median(arm, &Metric::TOTAL)? - median(control, &Metric::TOTAL)?;
        let (word, added) = if added > 0.0 { ("more", added) } else { ("less", -added) };
        Some(format!(
            "{} {label}: {ratio:.2} times the throughput, a request takes {} {word}, {:.1} requests a batch.",
            arm.x?,
            Metric::TOTAL.show(added),
            median(arm, &batch_size())?
        ))
    };
    summary.arms.iter().filter(|arm| arm.name != CONTROL).filter_map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_pays_where_more_come_together_than_the_window_costs() {
        // Given a shared part of 20 ms, 2 ms of each request's own and a window of 30 ms
        let times = Times { alpha: 20e6, beta: 2e6, scale: 1.0 };
        let case = |at_once| Case { at_once, size: SIZE, window: Duration::from_millis(30) };
        // Then two together are slower in a batch, and three faster: 1 + 30/20 = 2.5
        let gain = |n| times.per_request(Case { size: 1, ..case(n) }) - times.per_request(case(n));
        assert!(gain(2) < 0.0 && gain(3) > 0.0, "{} {}", gain(2), gain(3));
        // And twenty are served in two full batches and one of four
        assert_eq!(times.per_request(case(20)), (2.0 * 36e6 + 28e6) / 20.0);
    }
}
