//! The client's side: prompts one after another, or all at once.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::experiment::{
    Arm, Draw, Group, Needs, Observation, Predict, Prediction, RunError, Workload, under_load,
};
use crate::load::{Schedule, Slo};
use crate::metric::Metric;
use crate::optimization::formula::call_on;
use crate::scenario::{self, tokens};
use crate::session::Demand;
use crate::wire::{Ask, Block};

pub(super) const SEQUENTIAL: &str = "sequential";
pub(super) const PARALLEL: &str = "parallel";

/// One after another (the control) against all at once, over these numbers of prompts.
pub fn fan_out(prompts: &[u32]) -> Group {
    Group {
        name: "batching/fan_out".into(),
        question: "How much sooner are all prompts answered that are sent at once?".into(),
        x_label: Some("prompts".into()),
        control: SEQUENTIAL.into(),
        arms: prompts.iter().flat_map(|&prompts| [arm(prompts, false), arm(prompts, true)]).collect(),
        metrics: vec![Metric::MAKESPAN],
        predict: Some(predict()),
        ..Group::default()
    }
}

fn arm(prompts: u32, parallel: bool) -> Arm {
    let context_tokens = (0..prompts).map(input_tokens).max().unwrap_or(0) + output_tokens();
    let name = if parallel { PARALLEL } else { SEQUENTIAL };
    Arm {
        needs: Needs { streaming: true, context_tokens, ..Needs::default() },
        ..Arm::new(name, FanOut { prompts, parallel }).at(prompts.into())
    }
}

fn input_tokens(prompt: u32) -> u64 {
    let scenario = scenario::batching();
    tokens(&scenario.system) + tokens(scenario.question(prompt))
}

fn output_tokens() -> u64 {
    scenario::batching().max_tokens.into()
}

struct FanOut {
    prompts: u32,
    parallel: bool,
}

impl Workload for FanOut {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(async move {
            let workers = if self.parallel { self.prompts } else { 1 };
            let schedule = Schedule::closed(workers, self.prompts);
            let loaded = under_load(draw, &schedule, &|_, prompt| ask(prompt)).await?;
            let mut observation = loaded.observation(Some(Slo::INTERACTIVE.scaled(draw.session().scale())));
            if !loaded.failures.is_empty() {
                // The time for some of the prompts is not that for all.
                observation.values.remove(&Metric::MAKESPAN);
            }
            Ok(observation)
        })
    }

    fn demand(&self, _round: u32) -> Demand {
        let of = |prompt| Demand::uncached(input_tokens(prompt), output_tokens());
        (1..self.prompts).fold(of(0), |sum, prompt| sum.and(of(prompt)))
    }
}

fn ask(prompt: u32) -> Ask {
    let scenario = scenario::batching();
    Ask {
        system: vec![Block::text(scenario.system.as_str())],
        ..Ask::question(scenario.question(prompt), scenario.max_tokens)
    }
}

/// The sum of all answers' times less the longest one's, or less what a real engine needs for them at the pace that
/// it was seen to keep.
fn predict() -> Predict {
    Arc::new(|known, arm, metric| {
        let (engine, slowdown) = known.engine?;
        let prompts = arm.x? as u32;
        let time = |prompt| call_on(engine, slowdown, input_tokens(prompt) as f64, output_tokens() as f64);
        let longest = (0..prompts).map(time).fold(0.0, f64::max);
        let sum: f64 = (0..prompts).map(time).sum();
        let saving = sum - known.capacity.map_or(longest, |capacity| longest.max(sum / capacity));
        let source = format!("engine {}: {:.1} ms for an answer", engine.name, longest / 1e6);
        (*metric == Metric::MAKESPAN).then(|| Prediction { saving, source: source.into() })
    })
}
