//! How a figure moves over exported results: one series for each configuration, its changes of level marked.
//!
//! Results of another mode, engine, target or model never mix in one series.

mod plot;
mod table;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use thiserror::Error;

use super::exported::{Configuration, Exported, Source};
use super::figure::Figure;
use crate::stats;

/// The version of the JSON format.
const SCHEMA_VERSION: u32 = 1;
/// The seed of the permutation test: the same files always show the same changes.
const SEED: u64 = 0x7472_656e;

/// The series of a folder.
#[derive(Debug, Clone, Serialize)]
pub struct Trend {
    /// The version of this format.
    pub schema_version: u32,
    /// The figure that is followed, such as `p95`.
    #[serde(serialize_with = "as_text")]
    pub metric: Figure,
    /// The series, by name.
    pub series: Vec<Series>,
    /// The files that are holes in the series.
    pub unreadable: Vec<Unreadable>,
}

/// One configuration over time.
#[derive(Debug, Clone, Serialize)]
pub struct Series {
    /// What was run.
    pub name: String,
    /// The configuration.
    pub configuration: String,
    /// The model that was asked.
    pub model: Option<String>,
    /// Where the figures come from.
    #[serde(flatten)]
    pub source: Source,
    /// The results in the order of time.
    pub points: Vec<Point>,
    /// Where the level changed.
    pub changes: Vec<Change>,
}

/// One result in a series.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    /// The file's name.
    pub file: String,
    /// When it was measured.
    #[serde(serialize_with = "as_text")]
    pub timestamp: jiff::Timestamp,
    /// Whether the run was interrupted.
    pub interrupted: bool,
    /// How many requests it rests on, where that is known.
    pub n: Option<usize>,
    /// The median of the total latency in milliseconds.
    pub p50_ms: Option<f64>,
    /// The 95th percentile of the total latency in milliseconds.
    pub p95_ms: Option<f64>,
    /// The figure that is followed, in milliseconds.
    pub value_ms: f64,
    /// Its change from the result before, in percent: above 0 is slower.
    pub change_percent: Option<f64>,
}

/// A change of level.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// The number of the first result of the new level, from 1.
    pub number: usize,
    /// When that was measured.
    #[serde(serialize_with = "as_text")]
    pub timestamp: jiff::Timestamp,
    /// Its file's name.
    pub file: String,
    /// The median of the figure since the change before, in milliseconds.
    pub before_ms: f64,
    /// The median of the figure up to the next change, in milliseconds.
    pub after_ms: f64,
    /// The step in percent: above 0 is slower.
    pub change_percent: f64,
    /// The share of random orders that show as clear a step.
    pub p_value: f64,
}

/// A file that could not be used.
#[derive(Debug, Clone, Serialize)]
pub struct Unreadable {
    /// The file's name.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// Why a folder shows no trend.
#[derive(Debug, Error)]
pub enum TrendError {
    /// The folder cannot be read.
    #[error("{}: {reason}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// The folder has no results.
    #[error("{} holds no .json file", path.display())]
    NoFile {
        /// The folder.
        path: PathBuf,
    },
    /// No configuration has that name.
    #[error("--config {name:?}: no result holds it; there are {known}")]
    NoConfiguration {
        /// The name asked for.
        name: String,
        /// Those there are.
        known: String,
    },
    /// No configuration has that figure.
    #[error("--metric {metric}: no result holds it")]
    NoFigure {
        /// The figure asked for.
        metric: Figure,
    },
}

impl Trend {
    /// Reads the exported results in `folder` (every `.json` in it, not below it) and follows `metric`, in
    /// the configuration called `only` or in all.
    ///
    /// A file that cannot be read, or that does not say when it was measured, is listed in
    /// [`unreadable`](Self::unreadable).
    ///
    /// # Errors
    /// When the folder cannot be read or is empty, and when no result has the configuration or the figure.
    pub fn read(folder: &Path, metric: Figure, only: Option<&str>) -> Result<Self, TrendError> {
        let failed = |reason| TrendError::Folder { path: folder.into(), reason };
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            paths.push(entry.map_err(failed)?.path());
        }
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json") && path.is_file());
        paths.sort();
        if paths.is_empty() {
            return Err(TrendError::NoFile { path: folder.into() });
        }
        let (results, unreadable) = read_all(&paths);
        let series = series(&results, metric, only);
        if series.is_empty() && !results.is_empty() {
            return Err(nothing(&results, metric, only));
        }
        Ok(Self { schema_version: SCHEMA_VERSION, metric, series, unreadable })
    }

    /// The series as text for a terminal: a small curve, a table, and a sentence for each change. The files
    /// that could not be read are not in it.
    pub fn text(&self) -> String {
        table::text(self)
    }

    /// The series as an SVG, one panel each.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn svg(&self) -> Result<String, super::plot::DrawError> {
        plot::svg(self)
    }
}

type Dated = (jiff::Timestamp, Exported);

fn read_all(paths: &[PathBuf]) -> (Vec<Dated>, Vec<Unreadable>) {
    let (mut results, mut unreadable) = (Vec::new(), Vec::new());
    for path in paths {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match Exported::read(path).map(|result| (result.timestamp, result)) {
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

fn series(results: &[Dated], metric: Figure, only: Option<&str>) -> Vec<Series> {
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

fn nothing(results: &[Dated], metric: Figure, only: Option<&str>) -> TrendError {
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

fn as_text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
