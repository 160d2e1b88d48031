//! Running the tools that a model calls.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};

use crate::experiment::{Draw, RunError};
use crate::instrument::precisely;
use crate::mock::Defect;
use crate::scenario::{Call, Tool};
use crate::session::CallEnd;

/// In which order the calls of one turn are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// One after another.
    InTurn,
    /// At once, but no more than this many at a time.
    Together {
        /// The most calls in flight.
        at_most: usize,
    },
}

/// Calls in flight at most unless told otherwise, as in the systems that the lab grew from.
pub const AT_MOST: usize = 5;

impl Order {
    /// The most calls in flight.
    pub fn width(self) -> usize {
        match self {
            Self::InTurn => 1,
            Self::Together { at_most } => at_most.max(1),
        }
    }
}

/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The answer, or why there is none.
    pub text: String,
    /// Whether the tool failed.
    pub is_error: bool,
}

/// The tools of one run, and what was called.
#[derive(Debug)]
pub struct Toolbox<'a> {
    draw: &'a Draw<'a>,
    tools: &'a [Tool],
    /// When the one worker is free that all tools share, in a world where they do.
    worker: Option<Mutex<Instant>>,
    made: Mutex<Vec<Call>>,
}

impl<'a> Toolbox<'a> {
    /// The tools of one turn of an arm.
    pub fn new(draw: &'a Draw<'a>, tools: &'a [Tool]) -> Self {
        let is_serial = draw.session().defect() == Some(Defect::SerialTools);
        let worker = is_serial.then(|| Mutex::new(Instant::now()));
        Self { draw, tools, worker, made: Mutex::default() }
    }

    /// The tool of that name.
    pub fn tool(&self, name: &str) -> Option<&'a Tool> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    /// What the simulated world around the tools does that no prediction expects.
    pub fn defect(&self) -> Option<Defect> {
        self.draw.session().defect()
    }

    /// Every call that was begun, in order, those given up included.
    pub fn made(&self) -> Vec<Call> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes one call. How long it takes is a matter of the tool, its input and the round, the same in every arm.
    ///
    /// # Errors
    /// Never for what a tool or a model does wrong: that is an answer too. Only when the run itself cannot go on.
    pub async fn call(&self, call: &Call) -> Result<Output, RunError> {
        let mut calling = Calling::new(self.draw, &call.tool);
        let output = self.answer(call).await;
        calling.ended = if output.is_error { CallEnd::Failed } else { CallEnd::Answered };
        Ok(output)
    }

    async fn answer(&self, call: &Call) -> Output {
        let Some(tool) = self.tool(&call.tool) else {
            return Output { text: format!("there is no tool `{}`", call.tool), is_error: true };
        };
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(call.clone());
        let mut rng = self.draw.shared_rng(&format!("tool/{}/{}", call.tool, call.input));
        self.work(tool.draw(&mut rng)).await;
        Output { text: tool.output(), is_error: tool.fails }
    }

    /// Waits as long as a tool takes: on its own, or behind what the shared worker was given before, given up or not.
    async fn work(&self, time: Duration) {
        let Some(worker) = &self.worker else { return self.draw.pass(time).await };
        let done = {
            let mut free_at = worker.lock().unwrap_or_else(PoisonError::into_inner);
            *free_at = Instant::now().max(*free_at) + time.mul_f64(self.draw.session().scale());
            *free_at
        };
        precisely(done).await;
    }

    /// Makes the calls of a turn; the outputs stand in the calls' order. One that fails stops no other.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_all(&self, calls: &[Call], order: Order) -> Result<Vec<Output>, RunError> {
        let mut calling = Vec::with_capacity(calls.len());
        for call in calls {
            calling.push(self.call(call).boxed());
        }
        in_order(calling, order).await
    }
}

/// A call under way. Whoever watches hears of it when it is over, given up included.
struct Calling<'a> {
    draw: &'a Draw<'a>,
    tool: &'a str,
    began: Instant,
    ended: CallEnd,
}

impl<'a> Calling<'a> {
    fn new(draw: &'a Draw<'a>, tool: &'a str) -> Self {
        Self { draw, tool, began: Instant::now(), ended: CallEnd::GivenUp }
    }
}

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        self.draw.called(self.tool, self.began, self.ended);
    }
}

/// Runs futures in an order; the outputs stand in the futures' order.
pub(in crate::optimization) async fn in_order<'a, T: Send + 'a>(
    futures: Vec<BoxFuture<'a, Result<T, RunError>>>,
    order: Order,
) -> Result<Vec<T>, RunError> {
    let number = |(number, future): (usize, BoxFuture<'a, _>)| future.map(move |output| (number, output));
    let numbered: Vec<_> = futures.into_iter().enumerate().map(number).collect();
    let mut done: Vec<_> = stream::iter(numbered).buffer_unordered(order.width()).collect().await;
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, output)| output).collect()
}
