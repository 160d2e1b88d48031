//! The loop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::FutureExt;

use super::toolbox::{Order, Output, Toolbox, in_order};
use crate::client::Road;
use crate::experiment::{Answer, Draw, RunError};
use crate::metric::Metric;
use crate::optimization::speculation::{Ahead, Predictor};
use crate::scenario::{Call, Task, Tool, Turn, tokens};
use crate::wire::{Ask, Block, CacheTtl, Content, Message, Role, Script, ScriptedCall};

/// Turns of a real model at most: one that goes on calling tools is stopped.
const MOST_TURNS: usize = 24;

/// What is asked, what may be called, and what a simulated model does.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The system prompt.
    pub system: String,
    /// What the user asks first.
    pub prompt: String,
    /// What the user asks after each answer.
    pub follow_ups: Vec<String>,
    /// The tools that are offered.
    pub tools: Vec<Tool>,
    /// What a simulated model calls, turn by turn.
    pub turns: Vec<Turn>,
    /// What it says in the end.
    pub answer: Script,
    /// The most tokens of one turn.
    pub max_tokens: u32,
}

/// How the loop is run.
#[derive(Debug, Clone, Copy)]
pub struct How<'a> {
    /// How the calls of a turn are made.
    pub order: Order,
    /// Whether answers are streamed.
    pub stream: bool,
    /// What the prompt cache may find.
    pub caching: Caching,
    /// The model; empty means the target's.
    pub model: &'a str,
    /// The way that requests take.
    pub road: Road,
    /// Who guesses calls before the model makes them.
    pub predictor: Option<&'a dyn Predictor>,
}

/// What the prompt cache may find of the conversation so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caching {
    /// Whatever it finds.
    AsItIs,
    /// Nothing: the system prompt of every request begins with text of its own.
    Off,
    /// All of it: breakpoints stand after the system prompt and after the last message.
    On,
}

/// What a loop did.
#[derive(Debug, Clone, PartialEq)]
pub struct Ran {
    /// The last answer's visible text.
    pub text: String,
    /// When the first of it could be read.
    pub visible: Instant,
    /// Requests to the model.
    pub model_calls: u64,
    /// Calls that the model made, in order.
    pub tool_calls: Vec<Call>,
    /// The most calls of a turn.
    pub width: u64,
    /// Time in which the model waited for its tools.
    pub tools: Duration,
    /// Calls begun on suspicion.
    pub guessed: u64,
    /// Of those, calls that the model then made.
    pub guessed_right: u64,
}

impl Plan {
    /// The plan of a task, its prompts at their lengths.
    pub fn of(task: &Task) -> Self {
        Self {
            system: task.full_system(),
            prompt: task.full_prompt(),
            follow_ups: task.follow_ups.clone(),
            tools: task.tools.clone(),
            turns: task.turns.clone(),
            answer: Script {
                thinking: task.thinking_tokens,
                ..Script::text(&task.answer, task.answer_tokens)
            },
            max_tokens: task.max_tokens + task.thinking_tokens,
        }
    }

    /// The tool of that name.
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    /// Requests that a simulated run sends.
    pub fn model_calls(&self) -> usize {
        self.turns.len() + 1 + self.follow_ups.len()
    }

    /// Runs the loop to its answer.
    ///
    /// # Errors
    /// When a request gets no answer, or the model calls tools without end.
    pub async fn run(&self, draw: &Draw<'_>, how: How<'_>) -> Result<Ran, RunError> {
        let toolbox = Toolbox::new(draw, &self.tools);
        let mut conversation = Conversation {
            plan: self,
            how,
            draw,
            toolbox: &toolbox,
            messages: vec![Message::user(self.prompt.as_str())],
            ran: Ran {
                text: String::new(),
                visible: Instant::now(),
                model_calls: 0,
                tool_calls: Vec::new(),
                width: 0,
                tools: Duration::ZERO,
                guessed: 0,
                guessed_right: 0,
            },
        };
        let mut follow_ups = self.follow_ups.iter();
        for _ in 0..MOST_TURNS.max(self.model_calls()) {
            if conversation.turn().await? {
                let Some(next) = follow_ups.next() else { return Ok(conversation.ran) };
                conversation.messages.push(Message::user(next.as_str()));
            }
        }
        Err(RunError::Workload(format!("the model still calls tools after {MOST_TURNS} turns")))
    }

    /// What a simulated model says in the turn of that number.
    fn script(&self, turn: usize) -> Script {
        if let Some(turn) = self.turns.get(turn) {
            let call = |call: &Call| ScriptedCall { name: call.tool.clone(), input: call.input.clone() };
            let calls: Vec<_> = turn.calls.iter().map(call).collect();
            let spent: u64 = calls.iter().map(|call| tokens(&call.input.to_string())).sum();
            let rest = u64::from(turn.output_tokens).saturating_sub(spent) as u32;
            return Script { tokens: Some(rest), calls, ..Script::default() };
        }
        if turn - self.turns.len() < self.follow_ups.len() {
            return Script { text: String::new(), ..self.answer.clone() };
        }
        self.answer.clone()
    }
}

struct Conversation<'a> {
    plan: &'a Plan,
    how: How<'a>,
    draw: &'a Draw<'a>,
    toolbox: &'a Toolbox<'a>,
    messages: Vec<Message>,
    ran: Ran,
}

impl Conversation<'_> {
    /// One turn of the model, and of the tools that it calls; whether it ended in an answer.
    async fn turn(&mut self) -> Result<bool, RunError> {
        let guesses = self.how.predictor.map(|predictor| predictor.guess(&self.ran.tool_calls));
        let mut ahead = Ahead::new(self.toolbox, guesses.unwrap_or_default());
        let ask = self.ask();
        let answer = ahead.beside(Box::pin(self.draw.ask_over(&self.how.road, &ask))).await?;
        self.ran.model_calls += 1;
        self.messages.push(said(&answer.reply.content));
        let (ids, calls) = called(&answer.reply.content);
        if calls.is_empty() {
            self.ran.text = answer.reply.text();
            self.ran.visible = visible(&answer);
            return Ok(true);
        }
        let outputs = self.call(&calls, &mut ahead).await?;
        self.messages.push(results(&ids, outputs));
        self.ran.width = self.ran.width.max(calls.len() as u64);
        if let Some(predictor) = self.how.predictor {
            predictor.learn(&self.ran.tool_calls, &calls);
        }
        self.ran.tool_calls.extend(calls);
        Ok(false)
    }

    /// Makes the calls of a turn, those aside that were guessed.
    async fn call(&mut self, calls: &[Call], ahead: &mut Ahead<'_>) -> Result<Vec<Output>, RunError> {
        let start = Instant::now();
        self.ran.guessed += ahead.begun();
        let mut running = Vec::with_capacity(calls.len());
        for call in calls {
            let guessed = ahead.take(call);
            self.ran.guessed_right += u64::from(guessed.is_some());
            running.push(guessed.unwrap_or_else(|| self.toolbox.call(call).boxed()));
        }
        ahead.give_up();
        let outputs = in_order(running, self.how.order).await?;
        self.ran.tools += start.elapsed();
        Ok(outputs)
    }

    fn ask(&self) -> Ask {
        let turn = self.ran.model_calls as usize;
        let mut ask = Ask {
            model: self.how.model.into(),
            tools: self.plan.tools.iter().map(Tool::offer).collect(),
            system: vec![Block::text(self.system(turn))],
            messages: self.messages.clone(),
            max_tokens: Some(self.plan.max_tokens),
            stream: self.how.stream,
            include_usage: true,
            script: Some(Arc::new(self.plan.script(turn))),
            ..Ask::default()
        };
        ask.system.retain(|block| block.content != Content::Text("".into()));
        if self.how.caching == Caching::On {
            let ends = [
                ask.system.last_mut(),
                ask.messages.last_mut().and_then(|message| message.content.last_mut()),
            ];
            ends.into_iter().flatten().for_each(|block| block.cache = Some(CacheTtl::default()));
        }
        ask
    }

    fn system(&self, turn: usize) -> String {
        let system = &self.plan.system;
        match self.how.caching {
            Caching::AsItIs => system.clone(),
            Caching::Off => format!("{}\n{system}", self.draw.fresh(&format!("turn {turn}"))),
            Caching::On => format!("{}\n{system}", self.draw.stable("conversation")),
        }
    }
}

fn said(content: &[Content]) -> Message {
    // What the model thought is no part of what it is told it said: a provider may refuse it unsigned.
    let kept = content.iter().filter(|content| !matches!(content, Content::Thinking { .. }));
    Message {
        role: Role::Assistant,
        content: kept.cloned().map(|content| Block { content, cache: None }).collect(),
    }
}

fn called(content: &[Content]) -> (Vec<String>, Vec<Call>) {
    let call = |content: &Content| match content {
        Content::ToolUse { id, name, input } => {
            Some((id.clone(), Call { tool: name.clone(), input: input.clone() }))
        }
        _ => None,
    };
    content.iter().filter_map(call).unzip()
}

fn results(ids: &[String], outputs: Vec<Output>) -> Message {
    let result = |(id, output): (&String, Output)| Block {
        content: Content::ToolResult { id: id.clone(), text: output.text.into(), is_error: output.is_error },
        cache: None,
    };
    Message { role: Role::User, content: ids.iter().zip(outputs).map(result).collect() }
}

/// When the first of an answer could be read: as it came, or when all of it was there.
fn visible(answer: &Answer) -> Instant {
    let first = answer.values.get(&Metric::PERCEIVED).or_else(|| answer.values.get(&Metric::TOTAL));
    answer.timeline.send + Duration::from_nanos(first.copied().unwrap_or(0.0) as u64)
}
