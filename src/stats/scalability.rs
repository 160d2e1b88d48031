//! Laws of throughput and concurrency: how far a system scales, and how many requests are then under way.

use serde::{Deserialize, Serialize};

use super::least_squares;

/// The universal scalability law `X(N) = λN / (1 + σ(N − 1) + κN(N − 1))` (Gunther 1993).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scalability {
    /// Throughput at concurrency 1.
    pub lambda: f64,
    /// Contention: the share of the work that is done one after another.
    pub sigma: f64,
    /// Crosstalk: what every pair of concurrent requests costs. Above 0, throughput falls in the end.
    pub kappa: f64,
    /// The share of the throughput's variance that the law explains; 1 is all of it.
    pub r_squared: f64,
}

/// Which of σ and κ are fitted; the others are 0. Fewer parameters come later and must fit better to be chosen.
const FREE: [&[usize]; 4] = [&[0, 1, 2], &[0, 1], &[0, 2], &[0]];
/// Steps of the fit; it converges in about ten.
const STEPS: usize = 200;

impl Scalability {
    /// The law that fits pairs of concurrency and throughput best, in least squares of the throughput with no
    /// parameter below 0: Gauss and Newton's steps from Gunther's linearisation, in which
    /// `N / X = (1 + σ(N − 1) + κN(N − 1)) / λ`. Absent for fewer than three different levels, and for a level
    /// or a throughput that is no positive number.
    pub fn fit(levels: &[(f64, f64)]) -> Option<Self> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let mut different: Vec<f64> = levels.iter().map(|(n, _)| *n).collect();
        different.sort_by(f64::total_cmp);
        different.dedup();
        if different.len() < 3 || !levels.iter().all(|(n, x)| positive(*n) && positive(*x)) {
            return None;
        }
        let fits = FREE.iter().filter_map(|free| fit(levels, free));
        let feasible = fits.filter(|p| p[0] > 0.0 && p[1] >= 0.0 && p[2] >= 0.0);
        let best = feasible.min_by(|a, b| residual(levels, a).total_cmp(&residual(levels, b)))?;
        let mean = levels.iter().map(|(_, x)| x).sum::<f64>() / levels.len() as f64;
        let variance: f64 = levels.iter().map(|(_, x)| (x - mean).powi(2)).sum();
        let r_squared = if variance > 0.0 { 1.0 - residual(levels, &best) / variance } else { 1.0 };
        Some(Self { lambda: best[0], sigma: best[1], kappa: best[2], r_squared })
    }

    /// Throughput at concurrency `n`.
    pub fn throughput(&self, n: f64) -> f64 {
        throughput(&[self.lambda, self.sigma, self.kappa], n)
    }

    /// The concurrency of the highest throughput, `√((1 − σ) / κ)`; absent where more is always more.
    pub fn peak(&self) -> Option<f64> {
        (self.kappa > 0.0 && self.sigma < 1.0).then(|| ((1.0 - self.sigma) / self.kappa).sqrt())
    }

    /// The throughput that no concurrency exceeds: at the [peak](Self::peak), or `λ / σ` where it only nears it;
    /// absent where it grows for ever.
    pub fn limit(&self) -> Option<f64> {
        let nears = || (self.sigma > 0.0).then(|| self.lambda / self.sigma);
        self.peak().map(|peak| self.throughput(peak)).or_else(nears)
    }
}

/// The lowest level that reaches `share` of the highest throughput there is.
pub fn knee(levels: &[(f64, f64)], share: f64) -> Option<(f64, f64)> {
    let highest = levels.iter().map(|(_, x)| *x).reduce(f64::max)?;
    let reaching = levels.iter().filter(|(_, x)| *x >= share * highest);
    reaching.copied().min_by(|a, b| a.0.total_cmp(&b.0))
}

/// Requests under way on average, `N = X·R`, at a throughput and a mean time of each (Little 1961).
pub fn little(throughput: f64, time: f64) -> f64 {
    throughput * time
}

/// How much faster `p` workers are at work of which they can share `parallel`, `1 / ((1 − f) + f/p)` (Amdahl 1967).
pub fn amdahl(parallel: f64, p: f64) -> f64 {
    1.0 / ((1.0 - parallel) + parallel / p)
}

type Parameters = [f64; 3];

/// The terms that the law's parameters multiply in `N / X`, up to the factor `λ`.
fn terms(n: f64) -> Parameters {
    [1.0, n - 1.0, n * (n - 1.0)]
}

fn throughput([lambda, sigma, kappa]: &Parameters, n: f64) -> f64 {
    let [one, contention, crosstalk] = terms(n);
    lambda * n / (one + sigma * contention + kappa * crosstalk)
}

fn residual(levels: &[(f64, f64)], parameters: &Parameters) -> f64 {
    levels.iter().map(|(n, x)| (x - throughput(parameters, *n)).powi(2)).sum()
}

/// The best parameters of which only `free` differ from 0, feasible or not.
fn fit(levels: &[(f64, f64)], free: &[usize]) -> Option<Parameters> {
    let rows = |row: &dyn Fn(f64) -> Parameters| -> Vec<Vec<f64>> {
        levels.iter().map(|(n, _)| free.iter().map(|&index| row(*n)[index]).collect()).collect()
    };
    let inverse: Vec<f64> = levels.iter().map(|(n, x)| n / x).collect();
    let linear = least_squares(&rows(&terms), &inverse)?;
    let mut best = [0.0; 3];
    for (&index, value) in free.iter().zip(&linear) {
        best[index] = value / linear[0];
    }
    best[0] = 1.0 / linear[0];
    for _ in 0..STEPS {
        let missing: Vec<f64> = levels.iter().map(|(n, x)| x - throughput(&best, *n)).collect();
        let step = least_squares(&rows(&|n| gradient(&best, n)), &missing)?;
        let Some(next) = improved(levels, &best, free, &step) else { break };
        best = next;
    }
    Some(best)
}

/// How the throughput at `n` changes with each parameter.
fn gradient(parameters: &Parameters, n: f64) -> Parameters {
    let [one, contention, crosstalk] = terms(n);
    let x = throughput(parameters, n);
    let below = one + parameters[1] * contention + parameters[2] * crosstalk;
    [x / parameters[0], -x * contention / below, -x * crosstalk / below]
}

/// The parameters after the longest part of `step`, of halves of it, that brings them closer.
fn improved(levels: &[(f64, f64)], from: &Parameters, free: &[usize], step: &[f64]) -> Option<Parameters> {
    let now = residual(levels, from);
    (0..30).find_map(|halvings| {
        let mut next = *from;
        for (&index, part) in free.iter().zip(step) {
            next[index] += part * 0.5_f64.powi(halvings);
        }
        (residual(levels, &next) < now).then_some(next)
    })
}
