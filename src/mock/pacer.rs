//! Waking at absolute deadlines, finer than the millisecond of the runtime's own timer.
//!
//! One thread sleeps until the next deadline and wakes whoever waits for it. Waits have no steps to add up:
//! a frame that is handed over late does not delay the next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::PacingReport;

/// The system wakes a sleeping thread about this much late, so the thread rises as much early and waits the
/// rest awake.
const EARLY: Duration = Duration::from_micros(50);

/// A clock with its own thread. Clones share it; it stops with [`stop`](Self::stop).
#[derive(Debug, Clone)]
pub(crate) struct Pacer {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    alarms: Mutex<Alarms>,
    changed: Condvar,
    lateness: Mutex<Histogram>,
}

#[derive(Debug, Default)]
struct Alarms {
    heap: BinaryHeap<Reverse<(Instant, u64)>>,
    wakers: std::collections::HashMap<u64, oneshot::Sender<()>>,
    next: u64,
    stopped: bool,
}

impl Pacer {
    /// Starts the clock's thread.
    pub(crate) fn start() -> io::Result<(Self, JoinHandle<()>)> {
        let shared = Arc::<Shared>::default();
        let clock = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("llmlab-pacer".to_owned()).spawn(move || clock.run())?;
        Ok((Self { shared }, thread))
    }

    /// Waits for `deadline`; returns at once if it has passed. When the clock is stopped it never returns: an
    /// answer is cut with its runtime, rather than sent early.
    pub(crate) async fn wait_until(&self, deadline: Instant) {
        if deadline <= Instant::now() {
            return;
        }
        if self.shared.set(deadline).await.is_err() {
            std::future::pending().await
        }
    }

    /// Notes that a frame due at `deadline` is handed over now.
    pub(crate) fn record(&self, deadline: Instant) {
        let late = Instant::now().saturating_duration_since(deadline);
        lock(&self.shared.lateness).add(late.as_nanos() as u64);
    }

    pub(crate) fn report(&self) -> PacingReport {
        lock(&self.shared.lateness).report()
    }

    pub(crate) fn reset(&self) {
        *lock(&self.shared.lateness) = Histogram::default();
    }

    pub(crate) fn stop(&self) {
        let mut alarms = lock(&self.shared.alarms);
        alarms.stopped = true;
        alarms.wakers.clear();
        alarms.heap.clear();
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn set(&self, deadline: Instant) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut alarms = lock(&self.alarms);
        if alarms.stopped {
            return receiver;
        }
        let id = alarms.next;
        alarms.next += 1;
        let is_first = alarms.heap.peek().is_none_or(|Reverse((first, _))| deadline < *first);
        alarms.heap.push(Reverse((deadline, id)));
        alarms.wakers.insert(id, sender);
        drop(alarms);
        if is_first {
            self.changed.notify_one();
        }
        receiver
    }

    fn run(&self) {
        let mut alarms = lock(&self.alarms);
        while !alarms.stopped {
            let Some(&Reverse((deadline, id))) = alarms.heap.peek() else {
                alarms = self.changed.wait(alarms).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left > EARLY {
                let slept = self.changed.wait_timeout(alarms, left - EARLY);
                alarms = slept.unwrap_or_else(PoisonError::into_inner).0;
            } else if left.is_zero() {
                alarms.heap.pop();
                // The other side may have gone: a client that hung up is not an error.
                let _gone = alarms.wakers.remove(&id).map(|waker| waker.send(()));
            } else {
                drop(alarms);
                std::thread::yield_now();
                alarms = lock(&self.alarms);
            }
        }
    }
}

/// Locks even if a panic elsewhere poisoned the lock: its data are counters and queues, always whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sixteen steps to the power of two: values are right to 6%.
const STEPS: u64 = 16;

/// A histogram of nanoseconds of bounded size.
#[derive(Debug)]
struct Histogram {
    counts: Vec<u64>,
    n: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; (64 * STEPS) as usize], n: 0, max: 0 }
    }
}

impl Histogram {
    fn add(&mut self, value: u64) {
        self.counts[Self::bucket(value)] += 1;
        self.n += 1;
        self.max = self.max.max(value);
    }

    fn bucket(value: u64) -> usize {
        let power = value.max(STEPS).ilog2() - STEPS.ilog2();
        (u64::from(power) * STEPS + (value >> power)) as usize
    }

    /// The largest value of a bucket.
    fn top(bucket: usize) -> u64 {
        let bucket = bucket as u64;
        let power = (bucket / STEPS).saturating_sub(1);
        ((bucket - power * STEPS + 1) << power).wrapping_sub(1)
    }

    fn quantile(&self, share: f64) -> u64 {
        let wanted = (share * self.n as f64).ceil() as u64;
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        bucket.map_or(0, Self::top).min(self.max)
    }

    fn report(&self) -> PacingReport {
        PacingReport { n: self.n, p50_ns: self.quantile(0.5), p99_ns: self.quantile(0.99), max_ns: self.max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_the_histogram_are_right_to_six_percent() {
        let mut histogram = Histogram::default();
        (1..=100_000).for_each(|value| histogram.add(value * 1000));
        let report = histogram.report();
        assert_eq!((report.n, report.max_ns), (100_000, 100_000_000));
        assert!((report.p50_ns as f64 / 50e6 - 1.0).abs() < 0.07, "{report:?}");
        assert!((report.p99_ns as f64 / 99e6 - 1.0).abs() < 0.07, "{report:?}");
        [0, 1, 15, 16, 17, 1 << 40, u64::MAX].into_iter().for_each(|value| Histogram::default().add(value));
    }

    #[tokio::test]
    async fn a_stopped_clock_sends_nothing_early() {
        let (pacer, thread) = Pacer::start().unwrap();
        let soon = Instant::now() + Duration::from_hours(1);
        let mut waiting = std::pin::pin!(pacer.wait_until(soon));
        assert!(futures::poll!(&mut waiting).is_pending());
        pacer.stop();
        thread.join().unwrap();
        assert!(futures::poll!(&mut waiting).is_pending());
        assert!(futures::poll!(std::pin::pin!(pacer.wait_until(soon))).is_pending());
    }

    #[tokio::test]
    async fn nobody_is_woken_before_the_deadline() {
        let (pacer, thread) = Pacer::start().unwrap();
        for wait in [0, 30, 300, 2000] {
            let deadline = Instant::now() + Duration::from_micros(wait);
            pacer.wait_until(deadline).await;
            assert!(Instant::now() >= deadline);
            pacer.record(deadline);
        }
        assert_eq!(pacer.report().n, 4);
        pacer.stop();
        thread.join().unwrap();
    }
}
