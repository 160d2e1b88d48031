//! What the levels of a load show together: a table, the fitted law, the knee.

use crate::experiment::{ArmSummary, GroupSummary, Loaded};
use crate::metric::Metric;
use crate::stats::{Scalability, knee};

/// Throughput that is as good as the highest.
const AS_GOOD: f64 = 0.95;

/// One level or rate, in numbers.
struct Level {
    n: f64,
    /// Answers a second.
    throughput: f64,
    /// Of those, within the bounds.
    goodput: f64,
    p50: f64,
    p95: f64,
    answered: f64,
    under_way: f64,
}

impl Level {
    fn of(arm: &ArmSummary) -> Option<Self> {
        let throughput = 1e9 / median(arm, &Metric::TIME_PER_REQUEST)?;
        let answered = 1.0 - share(arm, Loaded::FAILED)?;
        Some(Self {
            n: arm.x.unwrap_or(1.0),
            throughput,
            goodput: throughput / answered * share(arm, Loaded::GOOD)?,
            p50: median(arm, &Metric::TOTAL)?,
            p95: median(arm, &Metric::TOTAL_P95)?,
            answered,
            under_way: median(arm, &Loaded::under_way())?,
        })
    }
}

/// The levels of a closed loop.
pub(super) fn of_levels(summary: &GroupSummary) -> Vec<String> {
    let levels: Vec<Level> = summary.arms.iter().filter_map(Level::of).collect();
    let points: Vec<_> = levels.iter().map(|level| (level.n, level.throughput)).collect();
    let rows = levels.iter().map(|level| {
        format!(
            "{:>7} {:>9.1} {:>9.1} {:>9} {:>9} {:>8.1}% {:>10.1}",
            level.n,
            level.throughput,
            level.goodput,
            Metric::TOTAL.show(level.p50),
            Metric::TOTAL.show(level.p95),
            level.answered * 100.0,
            level.under_way
        )
    });
    let header = format!(
        "{:>7} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10}",
        "workers", "req/s", "goodput", "p50", "p95", "answered", "under way"
    );
    let sentences = [found_knee(&points), law(&points), little(&levels)];
    std::iter::once(header).chain(rows).chain(sentences.into_iter().flatten()).collect()
}

fn found_knee(points: &[(f64, f64)]) -> Option<String> {
    let [_, .., (last, _)] = *points else { return None };
    let (n, throughput) = knee(points, AS_GOOD)?;
    Some(if n < last {
        format!(
            "The knee is at {n} workers: {throughput:.1} req/s are {:.0}% or more of the highest throughput, and \
             more workers only wait longer.",
            AS_GOOD * 100.0
        )
    } else {
        format!("No knee up to {last} workers: throughput still grows.")
    })
}

fn law(points: &[(f64, f64)]) -> Option<String> {
    let law = Scalability::fit(points)?;
    let most = points.iter().map(|(n, _)| *n).fold(0.0, f64::max);
    let peak = match law.peak().filter(|peak| *peak <= most).zip(law.limit()) {
        Some((peak, limit)) => format!("it peaks at {peak:.0} workers with {limit:.1} req/s"),
        None => format!("it has no peak up to {most} workers"),
    };
    Some(format!(
        "Universal scalability law: X(N) = λN/(1 + σ(N − 1) + κN(N − 1)) with λ {:.2} req/s, σ {:.3}, κ {:.4}; {peak} \
         (it explains {:.1}% of the variance).",
        law.lambda,
        law.sigma,
        law.kappa,
        law.r_squared * 100.0
    ))
}

/// How far the requests under way fall short of the workers at most: at the end of a load some have nothing to do.
fn little(levels: &[Level]) -> Option<String> {
    let off = levels.iter().map(|level| (level.n, level.under_way / level.n - 1.0));
    let (n, off) = off.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))?;
    let off = format!("{:+.1}%", off * 100.0).replace('-', "−");
    Some(format!(
        "Little's law: throughput times mean latency (\"under way\") gives the workers, but for those with nothing \
         left to do at the end of a level: {off} at {n}, the farthest. Goodput: within 450 ms to the first token and \
         40 ms per token (MLPerf, interactive), in the time of the engine."
    ))
}

/// The rates of an open loop, each beside the closed one.
pub(super) fn of_rates(summary: &GroupSummary) -> Vec<String> {
    summary.arms.iter().filter(|arm| arm.name == "open").flat_map(of_rate).collect()
}

fn of_rate(arm: &ArmSummary) -> Vec<String> {
    let sentence = || {
        let (response, total) = (median(arm, &Metric::RESPONSE_P95)?, median(arm, &Metric::TOTAL_P95)?);
        Some(format!(
            "open at {} of capacity: p95 {} from the intended start, {} from the send; {:.0}% good.",
            arm.x?,
            Metric::TOTAL.show(response),
            Metric::TOTAL.show(total),
            share(arm, Loaded::GOOD)? * 100.0
        ))
    };
    let late = share(arm, Loaded::SENT_LATE).filter(|late| *late > 0.01).map(|late| {
        format!(
            "open at {} of capacity is INVALID: {:.1}% of its requests left too late.",
            arm.x.unwrap_or_default(),
            late * 100.0
        )
    });
    sentence().into_iter().chain(late).collect()
}

fn median(arm: &ArmSummary, metric: &Metric) -> Option<f64> {
    Some(arm.metrics.get(metric.name())?.summary.p50)
}

fn share(arm: &ArmSummary, tally: &str) -> Option<f64> {
    Some(arm.tallies.get(tally)?.share?.estimate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_knee_is_the_least_level_that_is_as_good_as_the_highest_and_never_the_last() {
        let flat = [(1.0, 64.0), (2.0, 121.0), (8.0, 478.0), (50.0, 496.0)];
        assert!(
            found_knee(&flat).unwrap().starts_with("The knee is at 8 workers: 478.0 req/s are 95% or more")
        );
        let growing = [(1.0, 64.0), (8.0, 450.0), (50.0, 496.0)];
        assert_eq!(found_knee(&growing).unwrap(), "No knee up to 50 workers: throughput still grows.");
        assert_eq!(found_knee(&[(1.0, 64.0)]), None);
    }
}
