//! The arrivals of an open loop, and what a queue makes of them.

use std::time::Duration;

use rand::Rng;
use rand_distr::{Distribution, Exp1};

use super::Extent;

/// How arrivals are spread around their rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// Evenly.
    Constant,
    /// As independent users come: the time to the next arrival is exponential.
    Poisson,
}

/// The times of arrivals at `rate` a second, from the start. The first one of a constant rate comes at once.
pub fn arrivals(kind: Arrivals, rate: f64, extent: Extent, rng: &mut impl Rng) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut seconds = 0.0;
    loop {
        if kind == Arrivals::Poisson {
            let gap: f64 = Exp1.sample(rng);
            seconds += gap / rate;
        }
        // A rate of nothing, or of no number, has no arrivals.
        let Ok(at) = Duration::try_from_secs_f64(seconds) else { return times };
        let index = times.len() as u32;
        if !(rate > 0.0 && extent.includes(index, at)) {
            return times;
        }
        times.push(at);
        seconds = if kind == Arrivals::Constant { f64::from(index + 1) / rate } else { seconds };
    }
}

/// How long each arrival waits and is served, where `servers` take `service` each, in the order of arrival: the
/// recursion of Kiefer and Wolfowitz (1955) with equal service times.
pub fn responses(arrivals: &[Duration], service: Duration, servers: usize) -> Vec<Duration> {
    let mut free_at = vec![Duration::ZERO; servers.max(1)];
    let respond = |(index, &at): (usize, &Duration)| {
        // With equal service times, they are free again in the order in which they began.
        let server = index % servers.max(1);
        free_at[server] = free_at[server].max(at) + service;
        free_at[server] - at
    };
    arrivals.iter().enumerate().map(respond).collect()
}
