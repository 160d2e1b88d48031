//! The arrivals of an open loop, and what a queue makes of them.

use std::str::FromStr;
use std::time::Duration;

use rand::Rng;
use rand_distr::{Distribution, Exp1};
use serde::Serialize;

use super::Extent;

/// How arrivals are spread around their rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Evenly.
    Constant,
    /// As independent users come: the time to the next arrival is exponential.
    Poisson,
}

impl FromStr for Arrivals {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "constant" => Ok(Self::Constant),
            "poisson" => Ok(Self::Poisson),
            _ => Err("expected poisson or constant".into()),
        }
    }
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

/// The same while the rate grows evenly, from nothing to `rate`, over the first `ramp` of the time.
pub fn ramped(
    kind: Arrivals,
    rate: f64,
    extent: Extent,
    ramp: Duration,
    rng: &mut impl Rng,
) -> Vec<Duration> {
    let (ramp, half) = (ramp.as_secs_f64(), ramp / 2);
    // As many come in the first `t` of a growing rate as in `t²/2·ramp` of the whole one, and then half a ramp later.
    let evenly = |at: Duration| {
        let t = at.as_secs_f64();
        if t < ramp { Duration::from_secs_f64(t * t / (2.0 * ramp)) } else { at - half }
    };
    let extent = match extent {
        Extent::Time(time) => Extent::Time(evenly(time)),
        requests @ Extent::Requests(_) => requests,
    };
    let grown = |at: Duration| {
        if at < half { Duration::from_secs_f64((2.0 * ramp * at.as_secs_f64()).sqrt()) } else { at + half }
    };
    arrivals(kind, rate, extent, rng).into_iter().map(grown).collect()
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
