//! How long is waited in an exchange, and for what.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
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

/// The bounds of one exchange, kept by one timer that is looked at only when it rings: a bound that every read puts off
/// would otherwise cost more than the read.
#[derive(Debug)]
pub(super) struct Bounds {
    timeouts: Timeouts,
    whole: Phase,
    phase: Phase,
    timer: Option<Timer>,
}

/// A timer, when it rings and whom it wakes.
#[derive(Debug)]
struct Timer {
    sleep: Pin<Box<Sleep>>,
    rings: Instant,
    wakes: Waker,
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
        // A timer that rings too early is set again; one that would ring too late is of no use.
        self.timer.take_if(|timer| timer.rings > self.phase.until);
    }

    /// The failure if the time is over at `at`. A server that floods a reader leaves it no turn in which a timer rings.
    pub(super) fn overrun(&self, at: Instant) -> Option<Failure> {
        (at >= self.phase.until).then(|| self.phase.overrun())
    }

    /// Ready with a failure when the time is over.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        let now = Instant::now();
        if now >= self.phase.until {
            return Poll::Ready(self.phase.overrun());
        }
        let will_ring =
            self.timer.as_ref().is_some_and(|timer| now < timer.rings && timer.wakes.will_wake(cx.waker()));
        if !will_ring {
            self.set(cx);
        }
        Poll::Pending
    }

    /// Has a timer ring at the end of the phase.
    fn set(&mut self, cx: &mut Context<'_>) {
        let rings = self.phase.until;
        let mut sleep = match self.timer.take() {
            Some(Timer { mut sleep, .. }) => {
                sleep.as_mut().reset(rings.into());
                sleep
            }
            None => Box::pin(sleep_until(rings.into())),
        };
        if sleep.as_mut().poll(cx).is_ready() {
            // It rang between two looks at the clock.
            cx.waker().wake_by_ref();
        }
        self.timer = Some(Timer { sleep, rings, wakes: cx.waker().clone() });
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
