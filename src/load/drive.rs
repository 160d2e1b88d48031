//! A schedule that is kept: each request starts when it says.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, try_join_all};

use super::{Extent, Schedule};
use crate::instrument::precisely;

/// Sends request number so-and-so, counted from 0 in the order of the starts, that was meant to start at a moment.
pub type Sending<'a, T, E> = dyn Fn(u32, Instant) -> BoxFuture<'a, Result<T, E>> + Sync + 'a;

/// Keeps `schedule`, and waits for all that was sent. What comes back is in the order of the starts for an open loop,
/// and worker by worker for a closed one. Whoever drops the future drops the requests that are under way.
///
/// # Errors
/// The first error of `send`, which ends the load.
pub async fn drive<'a, T, E>(schedule: &Schedule, send: &Sending<'a, T, E>) -> Result<Vec<T>, E> {
    let start = Instant::now();
    match schedule {
        Schedule::Open(times) => {
            let on_time = |(number, &at): (u32, &Duration)| async move {
                precisely(start + at).await;
                send(number, start + at).await
            };
            try_join_all((0..).zip(times).map(on_time)).await
        }
        Schedule::Closed { workers, extent } => closed(*workers, *extent, Duration::ZERO, send).await,
        Schedule::Joining { workers, extent, over } => closed(*workers, *extent, *over, send).await,
    }
}

/// Workers that join one after another, the last one just before `over` has passed, and then ask again whenever they
/// were answered.
async fn closed<'a, T, E>(
    workers: u32,
    extent: Extent,
    over: Duration,
    send: &Sending<'a, T, E>,
) -> Result<Vec<T>, E> {
    let start = Instant::now();
    let next = AtomicU32::new(0);
    let next = &next;
    let work = (0..workers).map(|worker| async move {
        if !over.is_zero() {
            precisely(start + over.mul_f64(f64::from(worker) / f64::from(workers))).await;
        }
        let mut outcomes = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if !extent.includes(number, start.elapsed()) {
                return Ok(outcomes);
            }
            outcomes.push(send(number, Instant::now()).await?);
        }
    });
    Ok(try_join_all(work).await?.into_iter().flatten().collect())
}
