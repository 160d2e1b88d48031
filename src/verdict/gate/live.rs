//! Live runs: each arm by its ratio to its control, run by run.

use std::collections::BTreeMap;
use std::f64::consts::FRAC_PI_2;

use super::estimate::over_runs;
use super::judge::Found;
use super::{Case, Shared, shift};
use crate::stats::{Trimmed, autocorrelation, between_runs, median, sorted};

/// The cases with their estimates, the shift that all share, and the variance between runs.
pub(super) fn find(cases: &[Case]) -> (Vec<Found<'_>>, Option<Shared>, Option<f64>) {
    let by_id: BTreeMap<&str, &Case> = cases.iter().map(|case| (case.id.as_str(), case)).collect();
    let control = |case: &Case| case.control.as_deref().and_then(|id| by_id.get(id).copied());
    let logs = |case: &Case| {
        let control = control(case)?;
        Some((ratios(&case.baseline, &control.baseline), ratios(&case.new, &control.new)))
    };
    let logs: Vec<_> = cases.iter().map(logs).collect();
    let series = || logs.iter().flatten().flat_map(|(baseline, new)| baseline.iter().chain(new));
    let inflation = inflation(series());
    let trim = |runs: &[Vec<f64>]| -> Option<Vec<Trimmed>> {
        runs.iter().map(|run| Some(inflated(Trimmed::of(run)?, inflation))).collect()
    };
    let runs: Vec<Option<Runs>> = logs
        .iter()
        .map(|logs| logs.as_ref().and_then(|(baseline, new)| Some((trim(baseline)?, trim(new)?))))
        .collect();
    let between = between_by_metric(cases, &runs);
    let moved = Moved::of(cases);
    let found = cases.iter().zip(&runs).map(|(case, runs)| {
        let wander = between.get(case.metric.as_str()).copied().unwrap_or((0.0, 1.0));
        let estimate = runs.as_ref().and_then(|(baseline, new)| over_runs(baseline, new, wander));
        Found { case, estimate, uncorrected: None, margin: 0.0, note: None }
    });
    let found: Vec<_> = found.collect();
    let corrected = found.iter().map(|one| {
        let control = control(one.case)
            .and_then(|control| moved.of_control(control, one, &found).map(|by| (control, by)));
        control.map_or_else(|| one.clone(), |(control, by)| correct(one, control, by))
    });
    let most = between.values().map(|(variance, _)| *variance).reduce(f64::max);
    (corrected.collect(), moved.shared, most)
}

/// A benchmark's ratios to its control, by run, in the baseline and in the new run.
type Runs = (Vec<Trimmed>, Vec<Trimmed>);

/// The variance between runs for each metric: one may wander more than another.
fn between_by_metric<'a>(cases: &'a [Case], runs: &[Option<Runs>]) -> BTreeMap<&'a str, (f64, f64)> {
    let mut baselines: BTreeMap<&str, Vec<Vec<Trimmed>>> = BTreeMap::new();
    for (case, runs) in cases.iter().zip(runs) {
        if let Some((baseline, _)) = runs {
            baselines.entry(&case.metric).or_default().push(baseline.clone());
        }
    }
    baselines.into_iter().filter_map(|(metric, runs)| Some((metric, between_runs(&runs)?))).collect()
}

/// How many of its standard errors a control must have moved by.
const CLEARLY: f64 = 3.0;

/// So many arms say how far their control moved.
const SIBLINGS: usize = 3;

/// Which benchmarks of a live run moved by themselves.
struct Moved<'a> {
    /// The change beyond the shift, with its variance.
    own: BTreeMap<&'a str, (f64, f64)>,
    shared: Option<Shared>,
}

impl<'a> Moved<'a> {
    fn of(cases: &'a [Case]) -> Self {
        let changes: Vec<_> = cases.iter().filter_map(|case| Some((case, shift::absolute(case)?))).collect();
        let side = |is_control: bool| {
            let of = changes.iter().filter(|(case, _)| case.control.is_none() == is_control);
            of.map(|(_, (change, _))| *change).collect::<Vec<_>>()
        };
        let limit = cases.iter().map(|case| case.limit.ln_1p()).fold(f64::INFINITY, f64::min);
        // Who has too few to compare with cannot tell an arm that moved from a control that did.
        let Some((shift, shared)) = shift::of_live(&side(false), &side(true), limit) else {
            return Self { own: BTreeMap::new(), shared: None };
        };
        Self {
            own: changes
                .into_iter()
                .map(|(case, (change, variance))| (case.id.as_str(), (change - shift, variance)))
                .collect(),
            shared: Some(shared),
        }
    }

    /// How far the control of `one` moved by itself, with the variance of that: as far as the arms that share it
    /// moved away from it, where they agree with what it did; else as far as it clearly did.
    fn of_control(&self, control: &Case, one: &Found<'_>, found: &[Found<'_>]) -> Option<(f64, f64)> {
        let (moved, variance) = *self.own.get(control.id.as_str())?;
        let matters = |change: f64| change.abs() >= one.case.limit.ln_1p() / 2.0;
        let is_sibling = |other: &&Found<'_>| {
            other.case.control == one.case.control && other.case.new.len() == one.case.new.len()
        };
        let siblings: Vec<_> = found.iter().filter(is_sibling).filter_map(|other| other.estimate).collect();
        let means: Vec<f64> = siblings.iter().map(|estimate| estimate.mean).collect();
        let away = median(&sorted(&means)).filter(|away| siblings.len() >= SIBLINGS && matters(*away));
        match away {
            // The median of k normal values has a variance of π/2k of one of theirs.
            Some(away) if -moved * away.signum() >= away.abs() / 2.0 => {
                Some((-away, siblings[0].error().powi(2) * FRAC_PI_2 / siblings.len() as f64))
            }
            _ => (matters(moved) && moved.abs() >= CLEARLY * variance.sqrt()).then_some((moved, variance)),
        }
    }
}

/// A control that moved takes every ratio to it along. The arm's change must then also show without that.
fn correct<'a>(found: &Found<'a>, control: &Case, (moved, variance): (f64, f64)) -> Found<'a> {
    Found {
        estimate: found.estimate.map(|estimate| estimate.corrected(-moved, variance)),
        uncorrected: found.estimate,
        note: Some(format!(
            "its control {} moved by {:+.1}% itself, which is taken off",
            control.id,
            moved.exp_m1() * 100.0
        )),
        ..found.clone()
    }
}

/// The logarithm of each round's ratio to the control, by run.
fn ratios(arm: &[Vec<f64>], control: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let of = |(arm, control): (&Vec<f64>, &Vec<f64>)| {
        arm.iter().zip(control).map(|(arm, control)| arm.ln() - control.ln()).collect()
    };
    arm.iter().zip(control).map(of).collect()
}

/// How much wider the mean of a run scatters because neighbours resemble each other: `(1 + ρ)/(1 − ρ)` for
/// the lag-1 correlation ρ (Bartlett 1946), pooled over all runs and corrected for the bias of short ones
/// (Marriott & Pope 1954). At least 1.
fn inflation<'a>(runs: impl Iterator<Item = &'a Vec<f64>>) -> f64 {
    let unbiased = |run: &Vec<f64>| {
        let n = run.len() as f64;
        autocorrelation(run).filter(|_| n > 4.0).map(|lag1| (lag1 + 1.0 / n) / (1.0 - 3.0 / n))
    };
    let (sum, count) = runs
        .filter_map(unbiased)
        .fold((0.0, 0.0), |(sum, count): (f64, f64), lag1| (sum + lag1, count + 1.0));
    let lag1 = if count > 0.0 { (sum / count).clamp(0.0, 0.9) } else { 0.0 };
    (1.0 + lag1) / (1.0 - lag1)
}

fn inflated(run: Trimmed, inflation: f64) -> Trimmed {
    Trimmed { variance: run.variance * inflation, freedom: (run.freedom / inflation).max(1.0), ..run }
}
