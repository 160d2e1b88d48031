//! Whole agents: a loop of model and tools, and several of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;

use crate::client::Road;
use crate::experiment::{
    Arm, Draw, Group, Known, Needs, Observation, Predict, Prediction, RunError, Tally, Workload,
};
use crate::metric::Metric;
use crate::optimization::agent::{AT_MOST, Caching, How, Order, Plan, Ran, in_order};
use crate::optimization::formula::{self, MS, world};
use crate::scenario::{self, Call, Tool, Turn};
use crate::session::Demand;
use crate::wire::Script;

const CONTROL: &str = "one_a_turn";
/// The time of each of the tools, in the real world.
const TOOLS: [(&str, u64); 4] = [("query_db", 500), ("call_api", 300), ("read_file", 100), ("compute", 400)];
/// Tokens of a turn that only calls tools, and of the answer.
const OUTPUT: u32 = 40;
/// The prompt's tokens, about: system prompt, tools, question and half of what is added.
const PROMPT_TOKENS: f64 = 400.0;

/// How the model and its application treat four tools that do not depend on each other.
pub fn looped() -> Group {
    let in_one = |order| Agent { plan: plan(true), order, copies: 1, at_once: 1 };
    let points = vec![
        (CONTROL, None, Agent { plan: plan(false), order: Order::InTurn, copies: 1, at_once: 1 }),
        ("one_turn", None, in_one(Order::InTurn)),
        ("together", None, in_one(Order::Together { at_most: AT_MOST })),
    ];
    Group {
        name: "parallelism/loop".into(),
        question:
            "What does a whole task gain if its model calls all tools in one turn, and they run together?"
                .into(),
        ..group(CONTROL, points)
    }
}

/// Agents with a loop each, one after another or all at once.
pub fn agents() -> Group {
    let agent = |copies, at_once| Agent {
        plan: plan(true),
        order: Order::Together { at_most: AT_MOST },
        copies,
        at_once,
    };
    let points = [2_usize, 4].into_iter().flat_map(|copies| {
        let x = Some(copies as f64);
        [("sequential", x, agent(copies, 1)), ("parallel", x, agent(copies, copies))]
    });
    Group {
        name: "parallelism/agents".into(),
        question: "What do agents save that work at once, each with model and tools?".into(),
        x_label: Some("agents".into()),
        ..group("sequential", points.collect())
    }
}

/// The conversation: one tool a turn, or all in the first.
fn plan(in_one_turn: bool) -> Plan {
    let call = |(name, _): (&str, u64)| Call { tool: name.into(), input: json!({ "query": "all" }) };
    let turn = |calls: Vec<Call>| Turn { calls, output_tokens: OUTPUT };
    let calls = TOOLS.map(call);
    let turns = if in_one_turn {
        vec![turn(calls.into())]
    } else {
        calls.into_iter().map(|call| turn(vec![call])).collect()
    };
    let scenario = scenario::parallelism();
    Plan {
        system: scenario.system.clone(),
        prompt: scenario.question(0).into(),
        follow_ups: Vec::new(),
        tools: TOOLS.map(|(name, ms)| Tool::taking(name, Duration::from_millis(ms))).into(),
        turns,
        answer: Script::text("Here is the report.", OUTPUT),
        max_tokens: scenario.max_tokens,
    }
}

fn group(control: &'static str, points: Vec<(&'static str, Option<f64>, Agent)>) -> Group {
    let arm = |(name, x, agent): &(&str, Option<f64>, Agent)| Arm {
        x: *x,
        needs: Needs {
            simulator: Some("it needs a model whose tool calls are scripted"),
            ..Needs::default()
        },
        ..Arm::new(*name, agent.clone())
    };
    Group {
        control: control.into(),
        metrics: vec![Metric::MAKESPAN],
        arms: points.iter().map(arm).collect(),
        predict: Some(predict(control, points)),
        ..Group::default()
    }
}

/// Some agents of one kind.
#[derive(Debug, Clone)]
struct Agent {
    plan: Plan,
    order: Order,
    copies: usize,
    at_once: usize,
}

impl Agent {
    /// `L` for each model call, and for each turn the time of its tools; times the waves of agents.
    fn makespan(&self, known: &Known<'_>) -> Option<f64> {
        let call = formula::call(known, PROMPT_TOKENS, OUTPUT.into())?;
        let tools = |turn: &Turn| {
            let times: Vec<_> =
                turn.calls.iter().filter_map(|call| self.plan.tool(&call.tool)).map(Tool::mean).collect();
            super::list_schedule(&times, self.order.width())
        };
        let tools: Duration = self.plan.turns.iter().map(tools).sum();
        let one = call * (self.plan.turns.len() + 1) as f64 + world(known, tools);
        Some(one * self.copies.div_ceil(self.at_once) as f64)
    }

    async fn go(&self, draw: &Draw<'_>) -> Result<Observation, RunError> {
        let start = Instant::now();
        let branches: Vec<_> = (0..self.copies).map(|copy| draw.branch(copy)).collect();
        let how = How {
            order: self.order,
            stream: true,
            caching: Caching::AsItIs,
            model: "",
            road: Road::default(),
            predictor: None,
        };
        let mut running = Vec::with_capacity(self.copies);
        for branch in &branches {
            running.push(self.plan.run(branch, how).boxed());
        }
        let runs = in_order(running, Order::Together { at_most: self.at_once }).await?;
        let mut observation = Observation::value(Metric::MAKESPAN, start.elapsed().as_nanos() as f64);
        let sum = |of: fn(&Ran) -> u64| Tally::count(runs.iter().map(of).sum());
        observation.tallies = BTreeMap::from([
            (Cow::from("model calls"), sum(|ran| ran.model_calls)),
            (Cow::from("tool calls"), sum(|ran| ran.tool_calls.len() as u64)),
        ]);
        Ok(observation)
    }
}

impl Workload for Agent {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(self.go(draw))
    }

    fn demand(&self, _round: u32) -> Demand {
        let call = Demand::uncached(PROMPT_TOKENS as u64, OUTPUT.into());
        let calls = (self.plan.turns.len() + 1) * self.copies;
        (1..calls).fold(call, |sum, _| sum.and(call))
    }
}

fn predict(control: &'static str, points: Vec<(&'static str, Option<f64>, Agent)>) -> Predict {
    Arc::new(move |known, arm, metric| {
        let agent = |name: &str| {
            points.iter().find(|(own, x, _)| *own == name && *x == arm.x).map(|(.., agent)| agent)
        };
        let before = agent(control)?.makespan(known)?;
        let after = agent(&arm.name).filter(|_| *metric == Metric::MAKESPAN)?.makespan(known)?;
        let source = format!(
            "{:.1} ms and {:.1} ms from the engine's call and the tools' average times",
            before / MS,
            after / MS
        );
        Some(Prediction { saving: before - after, source: Cow::Owned(source) })
    })
}
