//! The gate on trial: suites of benchmarks whose truth is known, and what each rule says of them.
//!
//! A suite is drawn, not measured: [`Noise`] says how requests scatter, how whole runs drift, and how the
//! ratio of an arm to its control wanders from run to run. Beside the lab's gate stand the rules that people
//! use instead of it, on the same numbers.

use std::convert::Infallible;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::gate::{CONFIRMING_RUNS, Case, Decision, Kind, Outcome, judge_in_looks};
use crate::metric::Unit;
use crate::stats::{quantile, sorted};

/// Arms of a suite that are judged.
pub const BENCHMARKS: usize = 60;
/// Arms that share a control.
const ARMS_OF_A_CONTROL: usize = 10;
/// Rounds of a run.
pub const ROUNDS: usize = 50;
/// Runs of the baseline.
pub const BASELINE_RUNS: usize = 4;
/// The slowdown from which on the gate fails.
const LIMIT: f64 = 0.1;
/// What a benchmark must be able to show.
const DETECT: f64 = 0.2;
/// A typical value, in nanoseconds.
const TYPICAL: f64 = 5e8;

/// How a suite's numbers scatter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// The standard deviation of a request's logarithm.
    pub sigma: f64,
    /// That of a whole run's, shared by all its arms.
    pub drift: f64,
    /// That of an arm's ratio to its control, from run to run.
    pub wander: f64,
    /// The share of requests that take three times as long.
    pub tail: f64,
    /// The correlation of a request's logarithm with that of the round before.
    pub correlation: f64,
    /// Whether the runs that confirm wander as the run before them did, being measured minutes later.
    pub confirms_alike: bool,
}

impl Default for Noise {
    fn default() -> Self {
        Self { sigma: 0.2, drift: 0.1, wander: 0.0, tail: 0.0, correlation: 0.0, confirms_alike: false }
    }
}

/// What is true of the new run, as factors on the baseline's times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Of the first arm alone.
    pub one: f64,
    /// Of the first control alone.
    pub control: f64,
    /// Of everything.
    pub all: f64,
}

impl Default for Change {
    fn default() -> Self {
        Self { one: 1.0, control: 1.0, all: 1.0 }
    }
}

/// What a rule said of a suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Said {
    /// Whether it called the changed arm slower.
    pub caught: bool,
    /// How many other benchmarks it called slower.
    pub false_alarms: usize,
    /// Whether it could not tell.
    pub inconclusive: bool,
}

/// The rules on trial, in the order of [`try_suite`]'s answers.
pub const RULES: [&str; 4] = ["llmlab gate", "Criterion's verdict", "mean + 10%", "p95 + 15%"];

/// One suite, by the seed, under every rule.
pub fn try_suite(noise: &Noise, change: &Change, seed: u64) -> [Said; RULES.len()] {
    let mut draw = Draw { random: ChaCha8Rng::seed_from_u64(seed), noise: *noise };
    let suite = Suite::draw(&mut draw, change);
    let point =
        |alarm: fn(&[f64], &[f64]) -> bool| suite.said(|arm| alarm(&arm.last_baseline(), &arm.new[0]));
    [suite.gated(&mut draw, change), point(criterion), point(mean_over_10), point(p95_over_15)]
}

struct Draw {
    random: ChaCha8Rng,
    noise: Noise,
}

impl Draw {
    fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.random)
    }

    /// One run of one benchmark, at `level` of the logarithm.
    fn run(&mut self, level: f64) -> Vec<f64> {
        let Noise { sigma, tail, correlation, .. } = self.noise;
        let fresh = (1.0 - correlation.powi(2)).sqrt();
        let mut last = self.normal();
        let mut value = || {
            last = correlation * last + fresh * self.normal();
            let slow = tail > 0.0 && rand::RngExt::random_bool(&mut self.random, tail);
            TYPICAL * (level + sigma * last).exp() * if slow { 3.0 } else { 1.0 }
        };
        (0..ROUNDS).map(|_| value()).collect()
    }
}

/// One benchmark of a suite: its own wander in the new run, and its values.
struct Benchmark {
    control: Option<usize>,
    wander: f64,
    baseline: Vec<Vec<f64>>,
    new: Vec<Vec<f64>>,
}

impl Benchmark {
    fn confirming_wander(&self, draw: &mut Draw) -> f64 {
        if draw.noise.confirms_alike || self.control.is_none() {
            return self.wander;
        }
        draw.noise.wander * draw.normal()
    }

    /// What a rule that knows one baseline run compares with.
    fn last_baseline(&self) -> Vec<f64> {
        self.baseline.last().cloned().unwrap_or_default()
    }
}

/// Arms first, then their controls.
struct Suite {
    benchmarks: Vec<Benchmark>,
}

impl Suite {
    fn draw(draw: &mut Draw, change: &Change) -> Self {
        let drifts: Vec<f64> = (0..=BASELINE_RUNS).map(|_| draw.noise.drift * draw.normal()).collect();
        let (new_drift, old_drifts) = drifts.split_first().unwrap_or((&0.0, &[]));
        let controls = BENCHMARKS / ARMS_OF_A_CONTROL;
        let benchmark = |index: usize| {
            let control = (index < BENCHMARKS).then_some(BENCHMARKS + index / ARMS_OF_A_CONTROL);
            let scale = if control.is_some() { draw.noise.wander } else { 0.0 };
            let wander = scale * draw.normal();
            let level = new_drift + wander + factor(index, change).ln();
            Benchmark {
                control,
                wander,
                baseline: old_drifts
                    .iter()
                    .map(|drift| {
                        let level = drift + scale * draw.normal();
                        draw.run(level)
                    })
                    .collect(),
                new: vec![draw.run(level)],
            }
        };
        Self { benchmarks: (0..BENCHMARKS + controls).map(benchmark).collect() }
    }

    fn gated(&self, draw: &mut Draw, change: &Change) -> Said {
        let mut cases = self.cases();
        let verdict = judge_in_looks(&mut cases, Kind::Ratio, DETECT, CONFIRMING_RUNS, |_, cases, wanted| {
            let drift = draw.noise.drift * draw.normal();
            for &index in wanted {
                let own = self.benchmarks[index].confirming_wander(draw);
                cases[index].new.push(draw.run(drift + own + factor(index, change).ln()));
            }
            Ok::<_, Infallible>(())
        });
        let Ok(verdict) = verdict;
        let slower = |index: usize| verdict.benchmarks[index].decision == Decision::Regression;
        Said {
            caught: slower(0),
            false_alarms: (1..cases.len()).filter(|&index| slower(index)).count(),
            inconclusive: verdict.outcome() == Outcome::Inconclusive,
        }
    }

    fn cases(&self) -> Vec<Case> {
        let case = |(index, benchmark): (usize, &Benchmark)| Case {
            id: index.to_string(),
            metric: "ttft".into(),
            unit: Unit::Nanoseconds,
            gated: benchmark.control.is_some(),
            control: benchmark.control.map(|control| control.to_string()),
            limit: LIMIT,
            baseline: benchmark.baseline.clone(),
            new: benchmark.new.clone(),
            suspect: false,
        };
        self.benchmarks.iter().enumerate().map(case).collect()
    }

    /// What a rule that looks at one benchmark at a time says.
    fn said(&self, is_slower: impl Fn(&Benchmark) -> bool) -> Said {
        let slower: Vec<bool> = self.benchmarks[..BENCHMARKS].iter().map(is_slower).collect();
        Said {
            caught: slower[0],
            false_alarms: slower[1..].iter().filter(|&&slower| slower).count(),
            inconclusive: false,
        }
    }
}

fn factor(index: usize, change: &Change) -> f64 {
    let own = match index {
        0 => change.one,
        BENCHMARKS => change.control,
        _ => 1.0,
    };
    own * change.all
}

/// Criterion 0.8's rule: the difference of means significant at 5% by a two-sample t statistic, and the
/// interval of the relative change beyond 1%. Its bootstrap is replaced by the normal theory that it
/// approximates at 50 values.
fn criterion(before: &[f64], after: &[f64]) -> bool {
    let ((before, e0), (after, e1)) = (mean_and_error(before), mean_and_error(after));
    let t = (after - before) / e0.hypot(e1);
    let change = after / before - 1.0;
    let error = after / before * (e0 / before).hypot(e1 / after);
    t.abs() > 1.96 && change - 1.96 * error > 0.01
}

fn mean_over_10(before: &[f64], after: &[f64]) -> bool {
    mean_and_error(after).0 > 1.10 * mean_and_error(before).0
}

fn p95_over_15(before: &[f64], after: &[f64]) -> bool {
    let p95 = |values: &[f64]| quantile(&sorted(values), 0.95).unwrap_or(0.0);
    p95(after) > 1.15 * p95(before)
}

fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}
