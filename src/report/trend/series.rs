//! From files to series.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Change, Point, Series, TrendError, Unreadable};
use crate::report::exported::{Configuration, Exported, ReadError};
use crate::report::figure::Figure;
use crate::stats;

/// The seed of the permutation test: the same files always show the same changes.
const SEED: u64 = 0x7472_656e;

/// A result with its time.
pub(super) type Dated = (jiff::Timestamp, Exported);

/// The results that say when they were measured, in the order of time, and the files that are none.
pub(super) fn read_all<P: AsRef<Path>>(
    read: impl Iterator<Item = (P, Result<Exported, ReadError>)>,
) -> (Vec<Dated>, Vec<Unreadable>) {
    let (mut results, mut unreadable) = (Vec::new(), Vec::new());
    for (path, result) in read {
        let path = path.as_ref();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match result.map(|result| (result.timestamp, result)) {
            Ok((Some(timestamp), result)) => results.push((timestamp, result)),
            Ok((None, _)) => {
                let reason = format!("{}: timestamp is missing, and the name holds no date", path.display());
                unreadable.push(Unreadable { file, reason });
            }
            Err(error) => unreadable.push(Unreadable { file, reason: error.to_string() }),
        }
    }
    // Those of the same time stay in the order of their names.
    results.sort_by_key(|(timestamp, _)| *timestamp);
    (results, unreadable)
}

pub(super) fn series(results: &[Dated], metric: Figure, only: Option<&str>) -> Vec<Series> {
    let mut series: BTreeMap<_, Vec<Point>> = BTreeMap::new();
    for (timestamp, result) in results {
        for configuration in result.configurations.iter().filter(|c| only.is_none_or(|name| c.name == name)) {
            let Some(value_ms) = configuration.figure(metric) else { continue };
            let (name, model) = (configuration.name.clone(), configuration.model.clone());
            let points = series.entry((result.name.clone(), name, model, result.source.clone())).or_default();
            let before = points.last().map(|point| point.value_ms);
            points.push(point(*timestamp, result, configuration, value_ms, before));
        }
    }
    let finish = |((name, configuration, model, source), points): (_, Vec<Point>)| {
        let changes = changes(&points);
        Series { name, configuration, model, source, points, changes }
    };
    series.into_iter().map(finish).collect()
}

fn point(
    timestamp: jiff::Timestamp,
    result: &Exported,
    configuration: &Configuration,
    value_ms: f64,
    before: Option<f64>,
) -> Point {
    Point {
        file: result.file_name(),
        timestamp,
        interrupted: result.interrupted,
        invalid: result.invalid.is_some(),
        n: configuration.n(),
        p50_ms: configuration.figure(Figure::P50),
        p95_ms: configuration.figure(Figure::P95),
        value_ms,
        change_percent: before.map(|before| percent(before, value_ms)),
    }
}

fn changes(points: &[Point]) -> Vec<Change> {
    let values: Vec<_> = points.iter().map(|point| point.value_ms).collect();
    let found = stats::change_points(&values, SEED).unwrap_or_default();
    let change = |change: stats::ChangePoint| Change {
        number: change.index + 1,
        timestamp: points[change.index].timestamp,
        file: points[change.index].file.clone(),
        before_ms: change.before,
        after_ms: change.after,
        change_percent: percent(change.before, change.after),
        p_value: change.p_value,
    };
    found.into_iter().map(change).collect()
}

fn percent(before: f64, after: f64) -> f64 {
    (after / before - 1.0) * 100.0
}

pub(super) fn nothing(results: &[Dated], metric: Figure, only: Option<&str>) -> TrendError {
    let all = results.iter().flat_map(|(_, result)| &result.configurations);
    let mut known: Vec<_> = all.map(|configuration| configuration.name.as_str()).collect();
    known.sort_unstable();
    known.dedup();
    match only {
        Some(name) if !known.contains(&name) => {
            TrendError::NoConfiguration { name: name.into(), known: known.join(", ") }
        }
        _ => TrendError::NoFigure { metric },
    }
}
