//! Timers for an application's own calls.

use std::future::Future;
use std::time::{Duration, Instant};

use super::TimingResult;
use super::timing::milliseconds;

/// A stopwatch with a name. It runs from [`start`](Self::start) on and can be read while it runs; timers nest
/// freely, since each holds its own stamps.
///
/// ```
/// use llmlab::timeline::Timer;
///
/// let mut timer = Timer::start("retrieval");
/// let so_far = timer.elapsed();
/// let took = timer.stop();
/// assert!(took >= so_far);
/// assert_eq!(timer.stop(), took); // the first stop counts
/// ```
#[derive(Debug, Clone)]
pub struct Timer {
    name: String,
    started: Instant,
    stopped: Option<Instant>,
}

impl Timer {
    /// A running timer.
    pub fn start(name: impl Into<String>) -> Self {
        Self::start_at(name, Instant::now())
    }

    /// Stops the timer and says how long it ran. Only the first stop counts.
    pub fn stop(&mut self) -> Duration {
        self.stop_at(Instant::now())
    }

    /// How long it ran, or has run so far.
    pub fn elapsed(&self) -> Duration {
        self.stopped.unwrap_or_else(Instant::now).saturating_duration_since(self.started)
    }

    /// [`elapsed`](Self::elapsed) in milliseconds.
    pub fn elapsed_ms(&self) -> f64 {
        milliseconds(self.elapsed())
    }

    /// What was timed.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether [`stop`](Self::stop) is still to come.
    pub fn is_running(&self) -> bool {
        self.stopped.is_none()
    }

    /// The latency as a result; of a running timer, the latency so far.
    pub fn result(&self) -> TimingResult {
        TimingResult::new(self.name.clone(), self.elapsed())
    }

    pub(super) fn start_at(name: impl Into<String>, at: Instant) -> Self {
        Self { name: name.into(), started: at, stopped: None }
    }

    pub(super) fn stop_at(&mut self, at: Instant) -> Duration {
        self.stopped.get_or_insert(at).saturating_duration_since(self.started)
    }

    /// The time from the start to `at`.
    pub(super) fn until(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.started)
    }
}

/// Calls `work` and says how long it took.
///
/// ```
/// let (sum, timing) = llmlab::timeline::timed("sum", || 1 + 1);
/// assert_eq!((sum, timing.name.as_str()), (2, "sum"));
/// ```
pub fn timed<T>(name: impl Into<String>, work: impl FnOnce() -> T) -> (T, TimingResult) {
    let mut timer = Timer::start(name);
    let value = work();
    timer.stop();
    (value, timer.result())
}

/// Awaits `work` and says how long it took, from the first poll to the last: what passes between making the
/// future and awaiting this one is not counted.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (answer, timing) = llmlab::timeline::async_timed("call", async { "Hello" }).await;
/// assert_eq!(answer, "Hello");
/// assert_eq!(timing.ttft_ms, None); // nothing was streamed
/// # }
/// ```
pub async fn async_timed<F: Future>(name: impl Into<String>, work: F) -> (F::Output, TimingResult) {
    let mut timer = Timer::start(name);
    let value = work.await;
    timer.stop();
    (value, timer.result())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn stopping_twice_keeps_the_first() {
        let start = Instant::now();
        let mut timer = Timer::start_at("call", start);
        assert_eq!(timer.stop_at(start + ms(50)), ms(50));
        assert_eq!(timer.stop_at(start + ms(90)), ms(50));
        assert_eq!(timer.elapsed_ms(), 50.0);
        assert_eq!(timer.result().total_latency_ms, 50.0);
    }

    #[test]
    fn a_running_timer_can_be_read_and_goes_on() {
        let Some(start) = Instant::now().checked_sub(ms(40)) else { return };
        let mut timer = Timer::start_at("call", start);
        let first = timer.elapsed();
        assert!(timer.is_running() && first >= ms(40));
        assert!(timer.stop() >= first);
        assert!(!timer.is_running());
    }

    #[test]
    fn timers_nest() {
        let start = Instant::now();
        let mut outer = Timer::start_at("outer", start);
        let mut inner = Timer::start_at("inner", start + ms(10));
        assert_eq!(inner.stop_at(start + ms(30)), ms(20));
        assert_eq!(outer.stop_at(start + ms(60)), ms(60));
    }

    #[tokio::test]
    async fn a_future_is_timed_from_its_first_poll() {
        let (inner, outer) = async_timed("outer", async_timed("inner", async { 7 })).await;
        assert_eq!(inner.0, 7);
        assert!(outer.total_latency_ms >= inner.1.total_latency_ms);
    }
}
