//! One percentile of each benchmark, judged by itself.

use std::collections::BTreeMap;

use crate::baseline::LIVE_RUNS;
use crate::stats::{Interval, median, sorted};
use crate::verdict::gate::{Case, Decision, Judged, Kind, Verdict};
use crate::verdict::{ExportVerdict, Level, Quantile, Samples, judge as judge_samples};

/// Judges `quantile` of every gated case. The values of live runs are taken relative to the control's median of
/// their run: what drifts between runs drifts for both.
pub(super) fn judge(cases: &[Case], kind: Kind, quantile: Quantile) -> Verdict {
    let by_id: BTreeMap<&str, &Case> = cases.iter().map(|case| (case.id.as_str(), case)).collect();
    let calibrated = kind == Kind::Paired || cases.iter().all(|case| case.baseline.len() >= LIVE_RUNS);
    let sides = |case: &Case| match kind {
        Kind::Paired => Some((case.baseline.clone(), case.new.clone())),
        Kind::Ratio => {
            let control = by_id.get(case.control.as_deref()?)?;
            Some((relative(&case.baseline, &control.baseline)?, relative(&case.new, &control.new)?))
        }
    };
    let judged = cases.iter().filter(|case| case.gated).map(|case| {
        let mut judged = match sides(case) {
            Some((before, after)) => of(case, &before, &after, quantile),
            None => doubtful(case, quantile, "its control was not measured, or is 0".into()),
        };
        if !calibrated && judged.decision != Decision::Pass {
            judged.decision = Decision::Uncalibrated;
        }
        judged
    });
    Verdict { kind, benchmarks: judged.collect(), shared: None, between_runs: None, calibrated }
}

/// Each run's values over the median of its control's.
fn relative(runs: &[Vec<f64>], control: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let over = |(run, control): (&Vec<f64>, &Vec<f64>)| {
        let middle = median(&sorted(control)).filter(|middle| *middle > 0.0)?;
        Some(run.iter().map(|value| value / middle).collect())
    };
    runs.iter().zip(control).map(over).collect()
}

/// A benchmark of which nothing can be said.
fn doubtful(case: &Case, quantile: Quantile, why: String) -> Judged {
    let shown = |runs: &[Vec<f64>]| Samples::of(runs.concat()).quantile(quantile).unwrap_or(0.0);
    let count = |runs: &[Vec<f64>]| runs.iter().map(Vec::len).sum();
    Judged {
        id: case.id.clone(),
        metric: case.metric.clone(),
        unit: case.unit,
        gated: true,
        decision: Decision::Inconclusive { more: None },
        n_baseline: count(&case.baseline),
        n_new: count(&case.new),
        before: shown(&case.baseline),
        after: shown(&case.new),
        change: None,
        p: None,
        detectable: None,
        limit: case.limit,
        suspect: false,
        note: Some(why),
    }
}

fn of(case: &Case, before: &[Vec<f64>], after: &[Vec<f64>], quantile: Quantile) -> Judged {
    let (before, after) = (Samples::of(before.concat()), Samples::of(after.concat()));
    let limit = case.limit * 100.0;
    match judge_samples(&before, &after, quantile, limit, limit) {
        Err(error) => doubtful(case, quantile, error.to_string()),
        Ok(verdict) => Judged {
            decision: decision(&verdict, limit),
            change: verdict.interval.map(|interval: Interval| interval.map(|percent| percent / 100.0)),
            ..doubtful(case, quantile, note(&verdict))
        },
    }
}

fn decision(verdict: &ExportVerdict, limit: f64) -> Decision {
    match (verdict.level, verdict.interval) {
        (Level::Fail, _) => Decision::Regression,
        (Level::Inconclusive { more }, _) => Decision::Inconclusive { more: Some(more) },
        (_, Some(interval)) if verdict.change <= -limit && interval.high < 0.0 => Decision::Improved,
        _ => Decision::Pass,
    }
}

fn note(verdict: &ExportVerdict) -> String {
    let name = verdict.quantile.name();
    match verdict.level {
        Level::Inconclusive { more } if verdict.interval.is_none() => {
            format!(
                "{name} means something from {} samples on each side; {more} more are missing",
                verdict.quantile.floor()
            )
        }
        Level::Inconclusive { more } => {
            format!("the interval includes no change; about {more} more samples would tell")
        }
        _ => format!("{name}, by itself"),
    }
}
