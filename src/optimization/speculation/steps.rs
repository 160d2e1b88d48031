//! Steps of one model call and one tool call each, with and without guessing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;

use super::{Ahead, Oracle, Predictor};
use crate::experiment::{
    Arm, Draw, Group, Needs, Observation, Predict, Prediction, RunError, Tally, Workload,
};
use crate::metric::Metric;
use crate::optimization::agent::Toolbox;
use crate::optimization::formula::{self, MS, world};
use crate::scenario::{self, Call, Tool, tokens};
use crate::session::Demand;
use crate::wire::{Ask, Block, Content, Message, Script, ScriptedCall};

const OFF: &str = "off";
const ON: &str = "on";
const SCRIPTED: &str = "which guess is right is known only where the model's calls are scripted";

/// Steps of a run: a fifth of them is the smallest share of right guesses.
const STEPS: usize = 5;
/// Tokens of a model's answer that is nothing but a tool call.
const OUTPUT: u32 = 8;
/// The tool's time in the real world: about as long as the model's call on the default engine.
const TOOL: Duration = Duration::from_millis(400);

/// Prompt tokens of a step, about: system prompt, tool, question and half of the steps before.
const PROMPT_TOKENS: f64 = 160.0;

/// How a run is made.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shape {
    steps: usize,
    /// Steps that are guessed right; absent where nothing is guessed.
    right: Option<usize>,
    guesses: usize,
    tool: Duration,
    output: u32,
}

const SHAPE: Shape = Shape { steps: STEPS, right: None, guesses: 1, tool: TOOL, output: OUTPUT };

/// Without guesses (the control) against one guess a step, by the share of guesses that are right.
pub fn accuracy() -> Group {
    let on = |right| (Some(right as f64 / STEPS as f64 * 100.0), Shape { right: Some(right), ..SHAPE });
    Group {
        name: "speculation".into(),
        question: "What do tool calls made on suspicion save, by how often the suspicion is right?".into(),
        x_label: Some("% right (assumed)".into()),
        ..group([(None, SHAPE)].into_iter().chain((0..=STEPS).map(on)).collect())
    }
}

/// The same by how long the tool takes against the model, two of five guesses right.
pub fn ratio() -> Group {
    let points = [0.25, 0.5, 2.0].into_iter().flat_map(|x| {
        let off = Shape { tool: TOOL.mul_f64(x), ..SHAPE };
        [(Some(x), off), (Some(x), Shape { right: Some(2), ..off })]
    });
    Group {
        name: "speculation/ratio".into(),
        question:
            "What do they save, by how long the tool takes? 40% of the guesses are right, as published."
                .into(),
        x_label: Some("times 400 ms of tool".into()),
        ..group(points.collect())
    }
}

/// The same by how many guesses are made for a step: more of them are right, and more are wasted.
pub fn guesses() -> Group {
    // Published shares of steps whose next tool is among the first guesses: 53% for one, 77% for three.
    let on = |(guesses, right)| (Some(guesses as f64), Shape { right: Some(right), guesses, ..SHAPE });
    Group {
        name: "speculation/guesses".into(),
        question: "What do further guesses for a step buy, and what do they waste?".into(),
        x_label: Some("guesses a step".into()),
        ..group([(None, SHAPE)].into_iter().chain([(1, 2), (2, 3), (3, 4)].map(on)).collect())
    }
}

/// What guessing costs where no guess is right: one step of more than 200 ms.
pub fn all_wrong() -> Group {
    let off = Shape { steps: 1, tool: Duration::from_secs(4), output: 100, ..SHAPE };
    Group {
        name: "speculation/wrong".into(),
        question: "What does guessing cost where every guess is wrong?".into(),
        ..group(vec![(None, off), (None, Shape { right: Some(0), ..off })])
    }
}

const ASSUMED: &str = "How often a guess is right is assumed, not measured: on traces of airline support counting which \
                       call follows which gives 40% (tau-bench, gpt-4o).";

fn group(points: Vec<(Option<f64>, Shape)>) -> Group {
    Group {
        control: OFF.into(),
        metrics: vec![Metric::MAKESPAN],
        arms: points.iter().map(|&(x, shape)| arm(x, shape)).collect(),
        predict: Some(predict(points)),
        remarks: Some(Arc::new(|_| vec![ASSUMED.into()])),
        ..Group::default()
    }
}

fn arm(x: Option<f64>, shape: Shape) -> Arm {
    Arm {
        x,
        needs: Needs { simulator: Some(SCRIPTED), ..Needs::default() },
        ..Arm::new(shape.name(), Steps::new(shape))
    }
}

impl Shape {
    fn name(&self) -> &'static str {
        if self.right.is_some() { ON } else { OFF }
    }
}

/// A run of steps.
struct Steps {
    shape: Shape,
    tools: Vec<Tool>,
    calls: Vec<Call>,
    predictor: Option<Oracle>,
}

impl Steps {
    fn new(shape: Shape) -> Self {
        let tools = vec![Tool::taking("look_up", shape.tool)];
        let call = |step| Call {
            tool: "look_up".into(),
            input: serde_json::json!({ "query": format!("step {step}") }),
        };
        let calls: Vec<_> = (1..=shape.steps).map(call).collect();
        let predictor = shape.right.map(|right| Oracle::new(calls.clone(), right, shape.guesses));
        Self { shape, tools, calls, predictor }
    }

    fn ask(&self, step: usize, messages: &[Message]) -> Ask {
        let call = &self.calls[step];
        let script = Script {
            calls: vec![ScriptedCall { name: call.tool.clone(), input: call.input.clone() }],
            tokens: Some(self.shape.output.saturating_sub(tokens(&call.input.to_string()) as u32)),
            ..Script::default()
        };
        let scenario = scenario::speculation();
        Ask {
            system: vec![Block::text(scenario.system.as_str())],
            tools: self.tools.iter().map(Tool::offer).collect(),
            messages: messages.to_vec(),
            max_tokens: Some(scenario.max_tokens),
            stream: true,
            include_usage: true,
            script: Some(Arc::new(script)),
            ..Ask::default()
        }
    }

    async fn go(&self, draw: &Draw<'_>) -> Result<Observation, RunError> {
        let start = Instant::now();
        let toolbox = Toolbox::new(draw, &self.tools);
        let mut messages = vec![Message::user(scenario::speculation().question(draw.round()))];
        let (mut begun, mut right) = (0, 0);
        for (step, call) in self.calls.iter().enumerate() {
            let guesses = self.predictor.as_ref().map(|predictor| predictor.guess(&self.calls[..step]));
            let mut ahead = Ahead::new(&toolbox, guesses.unwrap_or_default());
            let ask = self.ask(step, &messages);
            let answer = ahead.beside(Box::pin(draw.ask(&ask))).await?;
            let guessed = ahead.take(call);
            ahead.give_up();
            begun += ahead.begun();
            right += u64::from(guessed.is_some());
            let output = match guessed {
                Some(output) => output.await?,
                None => toolbox.call(call).await?,
            };
            messages.extend(turn(&answer.reply.content, &output.text));
        }
        let mut observation = Observation::value(Metric::MAKESPAN, start.elapsed().as_nanos() as f64);
        if self.predictor.is_some() {
            observation.tallies = BTreeMap::from([
                (Cow::from("steps guessed right"), Tally::share(right, self.calls.len() as u64)),
                (Cow::from("wasted calls"), Tally::share(begun - right, begun)),
            ]);
        }
        Ok(observation)
    }
}

/// What a step adds to the conversation.
fn turn(said: &[Content], output: &str) -> [Message; 2] {
    let id = said.iter().find_map(|content| match content {
        Content::ToolUse { id, .. } => Some(id.clone()),
        _ => None,
    });
    let result = Content::ToolResult { id: id.unwrap_or_default(), text: output.into(), is_error: false };
    let block = |content| Block { content, cache: None };
    [
        Message { role: crate::wire::Role::Assistant, content: said.iter().cloned().map(block).collect() },
        Message { role: crate::wire::Role::User, content: vec![block(result)] },
    ]
}

impl Workload for Steps {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(self.go(draw))
    }

    fn demand(&self, _round: u32) -> Demand {
        let step = Demand::uncached(PROMPT_TOKENS as u64, self.shape.output.into());
        (1..self.calls.len()).fold(step, |sum, _| sum.and(step))
    }
}

/// `p·min(L, d)` for each step.
fn predict(points: Vec<(Option<f64>, Shape)>) -> Predict {
    Arc::new(move |known, arm, metric| {
        let own = |(x, shape): &&(Option<f64>, Shape)| *x == arm.x && shape.name() == arm.name;
        let (_, shape) = points.iter().find(own).filter(|_| *metric == Metric::MAKESPAN)?;
        let model = formula::call(known, PROMPT_TOKENS, shape.output.into())?;
        let (tool, right) = (world(known, shape.tool), shape.right?);
        let source = format!(
            "each right guess, their number being assumed, saves the shorter of a model call of {:.1} ms and its tool",
            model / MS
        );
        Some(Prediction { saving: right as f64 * model.min(tool), source: Cow::Owned(source) })
    })
}
