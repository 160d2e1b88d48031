//! Calls that are made before anybody asked for them.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use futures::future::{BoxFuture, FutureExt, MaybeDone, maybe_done};

use crate::experiment::RunError;
use crate::mock::Defect;
use crate::optimization::agent::{Output, Toolbox};
use crate::scenario::Call;

type Running<'a> = Pin<Box<MaybeDone<BoxFuture<'a, Result<Output, RunError>>>>>;

/// Guessed calls on their way, each to be taken at most once. Those that are not taken are given up when this is
/// dropped.
pub struct Ahead<'a> {
    guesses: Vec<(Call, Running<'a>)>,
    begun: u64,
    is_stale: bool,
}

impl std::fmt::Debug for Ahead<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ahead").field("begun", &self.begun).finish_non_exhaustive()
    }
}

impl<'a> Ahead<'a> {
    /// Prepares the calls that may be made on suspicion: those of tools that are known and change nothing. Equal
    /// guesses are one.
    pub fn new(toolbox: &'a Toolbox<'a>, guesses: Vec<Call>) -> Self {
        let mut allowed: Vec<Call> = Vec::new();
        for guess in guesses {
            let is_safe = toolbox.tool(&guess.tool).is_some_and(|tool| !tool.side_effects);
            if is_safe && !allowed.contains(&guess) {
                allowed.push(guess);
            }
        }
        let begun = allowed.len() as u64;
        let start = |call: Call| {
            let made = call.clone();
            let running = async move { toolbox.call(&made).await }.boxed();
            (call, Box::pin(maybe_done(running)))
        };
        let is_stale = toolbox.defect() == Some(Defect::StaleGuesses);
        Self { guesses: allowed.into_iter().map(start).collect(), begun, is_stale }
    }

    /// Calls that were begun on suspicion.
    pub fn begun(&self) -> u64 {
        self.begun
    }

    /// Waits for `model`, while the guessed calls go on.
    pub async fn beside<T>(&mut self, model: impl Future<Output = T>) -> T {
        let mut model = std::pin::pin!(model);
        poll_fn(|cx| {
            let answered = model.as_mut().poll(cx);
            if answered.is_pending() {
                for (_, running) in &mut self.guesses {
                    let _done_or_not = running.as_mut().poll(cx);
                }
            }
            answered
        })
        .await
    }

    /// Gives up what nobody has asked for.
    pub fn give_up(&mut self) {
        self.guesses.clear();
    }

    /// The output of a call if it was guessed and is of use, as soon as it is there.
    pub fn take(&mut self, call: &Call) -> Option<BoxFuture<'a, Result<Output, RunError>>> {
        let index = self.guesses.iter().position(|(guess, _)| guess == call)?;
        let (_, mut running) = self.guesses.swap_remove(index);
        if self.is_stale {
            return None;
        }
        let lost = || RunError::Workload("the output of a guessed call is gone".into());
        let output = poll_fn(move |cx| match running.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(running.as_mut().take_output().unwrap_or_else(|| Err(lost()))),
            Poll::Pending => Poll::Pending,
        });
        Some(output.boxed())
    }
}
