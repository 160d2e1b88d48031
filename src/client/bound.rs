//! How long is waited in an exchange, and for what.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep_until};

use super::failure::{ErrorClass, Failure};
use super::timeouts::Timeouts;

/// A phase that may take so long.
#[derive(Debug, Clone, Copy)]
struct Phase {
    what: &'static str,
    allowed: Duration,
    until: Instant,
}

impl Phase {
    fn new(what: &'static str, allowed: Duration, from: Instant) -> Self {
        // A bound beyond the clock's end is none that anybody lives to see.
        let until = from.checked_add(allowed).unwrap_or(from + Duration::from_secs(60 * 60 * 24 * 365));
        Self { what, allowed, until }
    }

    fn overrun(self) -> Failure {
        Failure::new(ErrorClass::Timeout, format!("{} took longer than {:?}", self.what, self.allowed))
    }
}

/// The bounds of one exchange, kept by one timer that is set anew only when it rings: a bound that every read puts off
/// would otherwise cost more than the read.
#[derive(Debug)]
pub(super) struct Bounds {
    timeouts: Timeouts,
    whole: Phase,
    phase: Phase,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Bounds {
    /// The bounds of an exchange that starts now.
    pub(super) fn new(timeouts: Timeouts) -> Self {
        let whole = Phase::new("the whole exchange", timeouts.total, Instant::now());
        Self { timeouts, whole, phase: whole, timer: None }
    }

    /// The request is about to be written.
    pub(super) fn asking(&mut self) {
        self.next(Phase::new("the first byte of the response", self.timeouts.first_byte, Instant::now()));
    }

    /// A piece of the body came.
    pub(super) fn heard(&mut self, at: Instant) {
        self.next(Phase::new("a silence in the response", self.timeouts.silence, at));
    }

    fn next(&mut self, phase: Phase) {
        self.phase = if phase.until < self.whole.until { phase } else { self.whole };
        // A timer that rings too early is set again; one that would ring too late must be set now.
        let timer = self.timer.as_mut().filter(|timer| timer.deadline() > self.phase.until.into());
        if let Some(timer) = timer {
            timer.as_mut().reset(self.phase.until.into());
        }
    }

    /// The failure if the time is over at `at`. A server that floods a reader leaves it no turn in which a timer rings.
    pub(super) fn overrun(&self, at: Instant) -> Option<Failure> {
        (at >= self.phase.until).then(|| self.phase.overrun())
    }

    /// Ready with a failure when the time is over.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        let Self { phase, timer, .. } = self;
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(phase.until.into())));
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= phase.until {
                return Poll::Ready(phase.overrun());
            }
            timer.as_mut().reset(phase.until.into());
        }
        Poll::Pending
    }

    /// Waits for `work` within the bounds.
    pub(super) async fn keep<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => self.poll(cx).map(Err),
        })
        .await
    }
}
