//! What differs between runs, beyond what differs within them.

use super::trimmed::Trimmed;

/// The variance between runs, τ², over benchmarks of which each was measured in several runs, with the degrees of
/// freedom that it is worth: the variance of the runs' means less what comes from within runs (the estimator of
/// Cochran 1954 and Hedges 1983), pooled by degrees of freedom. Every benchmark counts alike: weighting by
/// precision, as DerSimonian and Laird (1986) do, would let one with little noise speak for all. It is worth
/// `d·(τ²/(τ² + v))²` of the `d` degrees that the runs have, for the variance `v` of one run, since most of what
/// was squared came from within (Satterthwaite 1946).
///
/// What the variance within a run leaves out, such as correlation between neighbours, is found here. Absent if no
/// benchmark has two runs.
pub fn between_runs(benchmarks: &[Vec<Trimmed>]) -> Option<(f64, f64)> {
    let (mut squares, mut within, mut freedom) = (0.0, 0.0, 0.0);
    for runs in benchmarks.iter().filter(|runs| runs.len() >= 2) {
        let count = runs.len() as f64;
        let mean = runs.iter().map(|run| run.mean).sum::<f64>() / count;
        let own = count - 1.0;
        squares += runs.iter().map(|run| (run.mean - mean).powi(2)).sum::<f64>();
        within += own * runs.iter().map(|run| run.variance).sum::<f64>() / count;
        freedom += own;
    }
    (freedom > 0.0).then(|| {
        let within = within / freedom;
        let variance = (squares / freedom - within).max(0.0);
        let share = if variance > 0.0 { variance / (variance + within) } else { 0.0 };
        (variance, (freedom * share.powi(2)).max(1.0))
    })
}
