//! What differs between runs, beyond what differs within them.

use super::trimmed::Trimmed;

/// The variance between runs, τ², pooled over benchmarks of which each was measured in several runs
/// (DerSimonian & Laird 1986: the excess of Cochran's Q over its degrees of freedom), with the degrees of
/// freedom that it is worth: `d·(τ²/(τ² + v))²` of the `d` that the runs have, for the variance `v` of one run,
/// since most of what was squared came from within (Satterthwaite 1946). What the variance within a run leaves out, such as correlation between neighbours, is found here.
///
/// Absent if no benchmark has two runs.
pub fn between_runs(benchmarks: &[Vec<Trimmed>]) -> Option<(f64, f64)> {
    let (mut excess, mut freedom, mut scale) = (0.0, 0.0, 0.0);
    for runs in benchmarks.iter().filter(|runs| runs.len() >= 2) {
        // Runs without spread would weigh infinitely much.
        let weights: Vec<f64> =
            runs.iter().map(|run| 1.0 / run.variance.max(f64::MIN_POSITIVE.sqrt())).collect();
        let total: f64 = weights.iter().sum();
        let mean = weights.iter().zip(runs).map(|(weight, run)| weight * run.mean).sum::<f64>() / total;
        let q: f64 = weights.iter().zip(runs).map(|(weight, run)| weight * (run.mean - mean).powi(2)).sum();
        let own = (runs.len() - 1) as f64;
        excess += q - own;
        freedom += own;
        scale += total - weights.iter().map(|weight| weight * weight).sum::<f64>() / total;
    }
    (freedom > 0.0).then(|| {
        let variance = (excess / scale).max(0.0);
        // The variance of one run is what Q expects for each of its degrees of freedom.
        let within = freedom / scale;
        (variance, (freedom * (variance / (variance + within)).powi(2)).max(1.0))
    })
}
