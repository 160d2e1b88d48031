//! Work on each chunk, while the next one is on its way or once all are there.

use std::borrow::Cow;
use std::hint;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;

use crate::experiment::{Arm, Draw, Group, Needs, Observation, Predict, Prediction, RunError, Workload};
use crate::metric::Metric;
use crate::scenario::{self, tokens};
use crate::session::Demand;
use crate::wire::{Ask, Block, Event, Message};

/// What a client does with each chunk, parsing and rendering say, over the sweep.
pub const WORK: [Duration; 2] = [Duration::from_micros(200), Duration::from_micros(500)];

/// The answer's length in tokens.
const TOKENS: u32 = 100;

/// Buffered (the control) against overlapped, for a client that works so long on each chunk. Both are streamed.
pub fn chunked(work: &[Duration]) -> Group {
    Group {
        name: "streaming/chunked".into(),
        question: "What does a client gain that works on each chunk while the next is on its way?".into(),
        x_label: Some("µs of work a chunk".into()),
        control: "buffered".into(),
        arms: work.iter().flat_map(|&work| [arm(work, false), arm(work, true)]).collect(),
        metrics: vec![Metric::PROCESSED],
        predict: Some(predict()),
        ..Group::default()
    }
}

fn arm(work: Duration, overlapped: bool) -> Arm {
    let scenario = scenario::streaming();
    let (system, prompt) = (&scenario.system, scenario.question(0));
    let input_tokens = tokens(system) + tokens(prompt);
    let ask = Ask {
        system: vec![Block::text(system.as_str())],
        messages: vec![Message::user(prompt)],
        max_tokens: Some(TOKENS),
        stream: true,
        include_usage: true,
        ..Ask::default()
    };
    let demand = Demand::uncached(input_tokens, TOKENS.into());
    let name = if overlapped { "overlapped" } else { "buffered" };
    Arm {
        needs: Needs {
            streaming: true,
            context_tokens: input_tokens + u64::from(TOKENS),
            ..Needs::default()
        },
        ..Arm::new(name, Processing { ask, work, overlapped, demand }).at(work.as_micros() as f64)
    }
}

/// Asks, works on every chunk, and says when that was done.
struct Processing {
    ask: Ask,
    work: Duration,
    overlapped: bool,
    demand: Demand,
}

impl Workload for Processing {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(async move {
            let answer = if self.overlapped {
                draw.ask_watching(&self.ask, &mut |event| work_on(event, self.work)).await?
            } else {
                let answer = draw.ask(&self.ask).await?;
                answer.timeline.events.iter().for_each(|stamped| work_on(&stamped.event, self.work));
                answer
            };
            let processed = answer.timeline.send.elapsed().as_nanos() as f64;
            let mut observation = Observation::of(&answer);
            observation.values.insert(Metric::PROCESSED, processed);
            Ok(observation)
        })
    }

    fn demand(&self, _round: u32) -> Demand {
        self.demand
    }
}

/// Keeps the processor busy for each event that carries content.
fn work_on(event: &Event, work: Duration) {
    let begin = Instant::now();
    while event.is_content() && begin.elapsed() < work {
        hint::spin_loop();
    }
}

/// All work but that on the last chunk is done while the stream goes on, as long as it keeps up.
fn predict() -> Predict {
    Arc::new(|known, arm, metric| {
        let (engine, slowdown) = known.engine?;
        let work = Duration::from_micros(arm.x? as u64);
        // A chunk holds from one token to a burst's.
        let tokens_of_a_chunk = f64::from(engine.burst_tokens + 1) / 2.0;
        let chunks = f64::from(TOKENS) / tokens_of_a_chunk;
        let gap = engine.decode.mul_f64(slowdown * tokens_of_a_chunk);
        let saved = work.min(gap).as_nanos() as f64 * (chunks - 1.0);
        (*metric == Metric::PROCESSED).then(|| Prediction {
            saving: saved,
            source: Cow::Owned(format!("about {chunks:.0} chunks, {:.1} ms apart", gap.as_secs_f64() * 1e3)),
        })
    })
}
