//! One percentile of each benchmark, judged by itself.

use std::collections::BTreeMap;

use crate::stats::{Interval, median, sorted};
use crate::verdict::gate::{Case, Decision, Judged, Kind, Verdict};
use crate::verdict::{ExportVerdict, Level, Quantile, Samples, judge as judge_samples};

/// Judges `quantile` of every gated case. The values of live runs are taken relative to the control's median of
/// their run: what drifts between runs drifts for both.
pub(super) fn judge(cases: &[Case], kind: Kind, quantile: Quantile) -> Verdict {
    let by_id: BTreeMap<&str, &Case> = cases.iter().map(|case| (case.id.as_str(), case)).collect();
    let judged = cases.iter().filter(|case| case.gated).filter_map(|case| match (kind, &case.control) {
        (Kind::Paired, _) => of(case, &case.baseline, &case.new, quantile),
        (Kind::Ratio, Some(control)) => {
            let control = by_id.get(control.as_str())?;
            of(
                case,
                &relative(&case.baseline, &control.baseline),
                &relative(&case.new, &control.new),
                quantile,
            )
        }
        (Kind::Ratio, None) => None,
    });
    Verdict { kind, benchmarks: judged.collect(), shared: None, between_runs: None, calibrated: true }
}

/// Each run's values over the median of its control's.
fn relative(runs: &[Vec<f64>], control: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let over = |(run, control): (&Vec<f64>, &Vec<f64>)| {
        let middle = median(&sorted(control)).unwrap_or(1.0);
        run.iter().map(|value| value / middle).collect()
    };
    runs.iter().zip(control).map(over).collect()
}

fn of(case: &Case, before: &[Vec<f64>], after: &[Vec<f64>], quantile: Quantile) -> Option<Judged> {
    let (before, after) = (Samples::of(before.concat()), Samples::of(after.concat()));
    let limit = case.limit * 100.0;
    let verdict = judge_samples(&before, &after, quantile, limit, limit).ok()?;
    let shown = |runs: &[Vec<f64>]| Samples::of(runs.concat()).quantile(quantile).unwrap_or(0.0);
    Some(Judged {
        id: case.id.clone(),
        metric: case.metric.clone(),
        unit: case.unit,
        gated: true,
        decision: decision(&verdict, limit),
        n_baseline: before.values.len(),
        n_new: after.values.len(),
        before: shown(&case.baseline),
        after: shown(&case.new),
        change: verdict.interval.map(|interval: Interval| interval.map(|percent| percent / 100.0)),
        p: None,
        detectable: None,
        limit: case.limit,
        suspect: false,
        note: Some(note(&verdict)),
    })
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
