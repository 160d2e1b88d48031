//! What several levels of load show together.

use serde::Serialize;

use super::Level;
use crate::stats::{Scalability, knee};

/// The success, in percent, below which a level is no choice.
const LEAST_SUCCESS: f64 = 99.0;
/// Goodput that is as good as the highest.
const AS_GOOD: f64 = 0.95;
/// A level is degraded whose 95th percentile is more than so many times that of the lowest one.
const DEGRADED: f64 = 2.0;

/// A level as far as the choice among levels looks at it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Requests under way at once.
    pub concurrency: u32,
    /// Answers a second.
    pub goodput_rps: f64,
    /// Percent that succeeded.
    pub success_rate: f64,
    /// The 95th percentile of the latency.
    pub p95_ms: Option<f64>,
}

impl From<&Level> for Point {
    fn from(level: &Level) -> Self {
        Self {
            concurrency: level.concurrency,
            goodput_rps: level.goodput_rps,
            success_rate: level.success_rate,
            p95_ms: level.p95_latency_ms,
        }
    }
}

/// The level with the highest goodput among those that fail rarely and keep the bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Optimum {
    /// Requests under way at once.
    pub concurrency: u32,
    /// Answers a second.
    pub goodput_rps: f64,
}

/// What the levels of a sweep show together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scaling {
    /// The success, in percent, that a choice must have.
    pub least_success_rate: f64,
    /// The 95th percentile that it may have at most.
    pub slo_p95_ms: Option<f64>,
    /// The choice; absent when no level qualifies.
    pub optimal: Option<Optimum>,
    /// The lowest level that reaches 95% of the highest goodput, where that is not the last.
    pub knee: Option<u32>,
    /// The first level whose 95th percentile is more than twice that of the lowest level.
    pub degraded_from: Option<u32>,
    /// The universal scalability law of the goodput.
    pub law: Option<Scalability>,
    /// The concurrency at which the law peaks, if within or near what was measured.
    pub law_peak: Option<f64>,
}

impl Scaling {
    /// What `points`, in ascending order of concurrency, show under a bound on the 95th percentile.
    pub fn of(points: &[Point], slo_p95_ms: Option<f64>) -> Self {
        let pairs: Vec<_> =
            points.iter().map(|point| (f64::from(point.concurrency), point.goodput_rps)).collect();
        let keeps = |point: &&Point| match slo_p95_ms {
            Some(bound) => point.p95_ms.is_some_and(|p95| p95 <= bound),
            None => true,
        };
        let chosen = points.iter().filter(|point| point.success_rate >= LEAST_SUCCESS).filter(keeps);
        // Of two that are equal the lower level is the better one.
        let best = chosen.reduce(|best, next| if next.goodput_rps > best.goodput_rps { next } else { best });
        let last = points.last().map(|point| point.concurrency);
        let law = Scalability::fit(&pairs);
        Self {
            least_success_rate: LEAST_SUCCESS,
            slo_p95_ms,
            optimal: best
                .map(|best| Optimum { concurrency: best.concurrency, goodput_rps: best.goodput_rps }),
            knee: knee(&pairs, AS_GOOD)
                .filter(|(_, goodput)| *goodput > 0.0)
                .map(|(n, _)| n as u32)
                .filter(|&n| Some(n) != last),
            degraded_from: degraded_from(points),
            law,
            law_peak: law
                .and_then(|law| law.peak())
                .filter(|peak| last.is_some_and(|last| *peak <= 2.0 * f64::from(last))),
        }
    }
}

fn degraded_from(points: &[Point]) -> Option<u32> {
    let (first, others) = points.split_first()?;
    let alone = first.p95_ms?;
    let degraded = |point: &&Point| point.p95_ms.is_some_and(|p95| p95 > DEGRADED * alone);
    others.iter().find(degraded).map(|point| point.concurrency)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Throughput of all requests, success and latency of a sweep over 1 to 50.
    fn sample() -> Vec<Point> {
        let levels = [
            (1, 5.23, 100.0, 190.0),
            (2, 10.15, 100.0, 195.0),
            (5, 22.45, 100.0, 220.0),
            (10, 38.20, 98.0, 260.0),
            (20, 45.30, 94.0, 440.0),
            (50, 42.10, 88.0, 980.0),
        ];
        let point = |(concurrency, rps, success_rate, p95_ms)| Point {
            concurrency,
            goodput_rps: rps * success_rate / 100.0,
            success_rate,
            p95_ms: Some(p95_ms),
        };
        levels.map(point).to_vec()
    }

    #[test]
    fn a_level_that_fails_is_no_optimum_however_many_requests_it_ends() {
        let scaling = Scaling::of(&sample(), None);
        assert_eq!(scaling.optimal, Some(Optimum { concurrency: 5, goodput_rps: 22.45 }));
        assert_eq!((scaling.knee, scaling.degraded_from), (Some(20), Some(20)));
        assert!(scaling.law.is_some() && scaling.law_peak.is_some_and(|peak| (15.0..35.0).contains(&peak)));
    }

    #[test]
    fn a_bound_on_the_latency_narrows_the_choice_and_may_leave_none() {
        let concurrency = |slo| Scaling::of(&sample(), Some(slo)).optimal.map(|optimum| optimum.concurrency);
        assert_eq!([concurrency(200.0), concurrency(100.0)], [Some(2), None]);
        assert_eq!(Scaling::of(&[], None).optimal, None);
    }

    #[test]
    fn where_nothing_was_answered_there_is_no_knee() {
        let failed = |point: Point| Point { goodput_rps: 0.0, success_rate: 0.0, p95_ms: None, ..point };
        let scaling = Scaling::of(&sample().into_iter().map(failed).collect::<Vec<_>>(), None);
        assert_eq!(
            (scaling.optimal, scaling.knee, scaling.degraded_from, scaling.law),
            (None, None, None, None)
        );
    }
}
