//! Waiting, and how late one wakes up.

use std::time::{Duration, Instant};

use super::Spread;

/// How much later than asked a timer of the runtime may ring.
const TIMER: Duration = Duration::from_millis(1);

/// A wait whose lateness is looked at, and how much longer each is than the one before: their ends are to fall
/// anywhere between two ticks of the runtime.
const WAIT: Duration = Duration::from_micros(1_700);
const LONGER: Duration = Duration::from_micros(37);

/// Waits until `deadline`, the end of it with a busy task: a runtime's timer rings up to a millisecond late.
pub(crate) async fn precisely(deadline: Instant) {
    tokio::time::sleep_until((deadline.checked_sub(TIMER).unwrap_or(deadline)).into()).await;
    while Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
}

/// How late the timers ring by which requests are sent.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Timers {
    /// The runtime's own.
    pub runtime: Spread,
    /// The one that schedules go by: the runtime's, and a busy task for the end of a wait.
    pub schedule: Spread,
}

impl Timers {
    /// Measures both with `waits` waits of some two milliseconds. Absent without any.
    pub async fn measure(waits: u32) -> Option<Self> {
        let runtime = lateness(waits, |until| tokio::time::sleep_until(until.into())).await?;
        Some(Self { runtime, schedule: schedule(waits).await? })
    }
}

/// How late the timer rings that schedules go by, over `waits` waits of some two milliseconds.
pub(super) async fn schedule(waits: u32) -> Option<Spread> {
    lateness(waits, precisely).await
}

async fn lateness<Wait: Future<Output = ()>>(waits: u32, wait: impl Fn(Instant) -> Wait) -> Option<Spread> {
    let mut late = Vec::with_capacity(waits as usize);
    for number in 0..waits {
        let until = Instant::now() + WAIT + LONGER * (number % 32);
        wait(until).await;
        late.push(until.elapsed());
    }
    Spread::of(&late)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_timer_rings_before_its_time() {
        let timers = Timers::measure(5).await.unwrap();
        assert_eq!((timers.runtime.n, timers.schedule.n), (5, 5));
        assert!(timers.schedule.p50_ms >= 0.0 && timers.schedule.max_ms < 1_000.0);
        // `elapsed` saturates, so that what rings too early would show as nothing.
        let until = Instant::now() + WAIT;
        precisely(until).await;
        assert!(Instant::now() >= until);
        assert_eq!(Timers::measure(0).await, None);
    }
}
