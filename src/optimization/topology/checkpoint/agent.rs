//! An agent that keeps its state.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;

use super::checkpointer::keep;
use super::{Case, Checkpointer, Policy, State, Store, StoreError, Writes};
use crate::experiment::{Draw, Observation, RunError, Tally, Workload};
use crate::metric::Metric;
use crate::mock::prompt;
use crate::optimization::topology::model;
use crate::scenario;
use crate::session::Demand;
use crate::wire::{Ask, Block, Message};

/// The most tokens of a superstep's answer: the calls only stand between the writes.
pub(super) const CALL_TOKENS: u32 = 2;
/// Writes a round that are timed apart from the agent.
const TIMED_WRITES: u32 = 3;

/// How an agent keeps its state, and what its writes take apart from it.
pub(super) struct Keeping {
    pub(super) case: Case,
    pub(super) writes: Writes,
}

/// Takes supersteps of one call each.
pub(super) struct Agent {
    supersteps: u32,
    state: State,
    keeping: Option<Keeping>,
}

impl Agent {
    pub(super) fn new(supersteps: u32, keeping: Option<Keeping>) -> Self {
        let kilobytes = keeping.as_ref().map_or(0, |keeping| keeping.case.kilobytes);
        Self { supersteps, state: State::of_kilobytes(kilobytes), keeping }
    }

    pub(super) fn context_tokens(&self) -> u64 {
        prompt_tokens() + u64::from(CALL_TOKENS)
    }

    /// All supersteps, each kept by `checkpointer`; the state after the last.
    async fn work(
        &self,
        draw: &Draw<'_>,
        mut checkpointer: Option<&mut Checkpointer>,
    ) -> Result<State, RunError> {
        let ask = Ask { model: model(draw, true), ..ask(&draw.fresh("task")) };
        let mut state = self.state.clone();
        for _ in 0..self.supersteps {
            state.answered(&draw.ask(&ask).await?.reply.text());
            if let Some(checkpointer) = checkpointer.as_mut() {
                checkpointer.superstep(&state).await.map_err(failed)?;
            }
        }
        Ok(state)
    }

    async fn keep(&self, draw: &Draw<'_>, keeping: &Keeping) -> Result<Observation, RunError> {
        let home = tempfile::tempdir().map_err(|error| failed(error.into()))?;
        let store = keeping.case.store.open(home.path()).map_err(failed)?;
        let mut checkpointer = Checkpointer::new(Arc::clone(&store), keeping.case.policy);
        let begin = Instant::now();
        let state = self.work(draw, Some(&mut checkpointer)).await?;
        let waited = checkpointer.finish(&state).await.map_err(failed)?;
        let makespan = begin.elapsed();
        let write = write_time(&store, state, makespan / self.supersteps).await.map_err(failed)?;
        keeping.writes.lock().unwrap_or_else(PoisonError::into_inner).push(write);
        let waited = waited.as_nanos() as f64 / f64::from(self.supersteps);
        let writes = if keeping.case.policy == Policy::Exit { 1 } else { self.supersteps };
        Ok(Observation {
            values: BTreeMap::from([
                (Metric::MAKESPAN, makespan.as_nanos() as f64),
                (Metric::CHECKPOINT, waited),
            ]),
            tallies: BTreeMap::from([("writes".into(), Tally::count(writes.into()))]),
            ..Observation::default()
        })
    }
}

impl Workload for Agent {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(async move {
            match &self.keeping {
                Some(keeping) => self.keep(draw, keeping).await,
                None => {
                    let begin = Instant::now();
                    self.work(draw, None).await?;
                    Ok(Observation::value(Metric::MAKESPAN, begin.elapsed().as_nanos() as f64))
                }
            }
        })
    }

    fn demand(&self, _round: u32) -> Demand {
        let call = Demand::uncached(prompt_tokens(), CALL_TOKENS.into());
        (1..self.supersteps).fold(call, |sum, _| sum.and(call))
    }
}

/// What the agent asks in every superstep: it does not send its state.
fn ask(mark: &str) -> Ask {
    let scenario = scenario::topology();
    Ask {
        system: vec![Block::text(scenario.system.as_str())],
        messages: vec![Message::user(format!("[{mark}] {}", scenario.question(0)))],
        max_tokens: Some(CALL_TOKENS),
        ..Ask::default()
    }
}

pub(super) fn prompt_tokens() -> u64 {
    prompt::prompt_tokens(&ask(&"0".repeat(32)))
}

/// What serialising and saving a state takes without an agent, on average, in nanoseconds. Each write comes after a
/// `pause` as long as a superstep: a store that rested is slower than one that is kept busy.
async fn write_time(store: &Arc<dyn Store>, mut state: State, pause: Duration) -> Result<f64, StoreError> {
    let mut writing = Duration::ZERO;
    for _ in 0..TIMED_WRITES {
        tokio::time::sleep(pause).await;
        state.superstep += 1;
        let begin = Instant::now();
        keep(store, &state).await?;
        writing += begin.elapsed();
    }
    Ok(writing.as_nanos() as f64 / f64::from(TIMED_WRITES))
}

fn failed(error: StoreError) -> RunError {
    RunError::Workload(error.to_string())
}
