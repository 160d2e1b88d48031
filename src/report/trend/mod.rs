//! How a figure moves over exported results: one series for each configuration, its changes of level marked.
//!
//! Results of another mode, engine, target or model never mix in one series.

mod error;
mod plot;
mod series;
mod table;

use std::fmt::Display;
use std::fs;
use std::path::Path;

use serde::{Serialize, Serializer};

use super::exported::{Exported, Source};
use super::figure::Figure;
pub use error::TrendError;
use series::{nothing, read_all, series};

/// The version of the JSON format.
const SCHEMA_VERSION: u32 = 1;
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
    /// Whether the instrument that measured was past its bounds.
    pub invalid: bool,
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
        let (results, unreadable) = read_all(paths.iter().map(|path| (path.as_path(), Exported::read(path))));
        let series = series(&results, metric, only);
        if series.is_empty() && !results.is_empty() {
            return Err(nothing(&results, metric, only));
        }
        Ok(Self { schema_version: SCHEMA_VERSION, metric, series, unreadable })
    }

    /// Follows `metric` through results that were read, those without a time left out.
    pub fn of(results: impl IntoIterator<Item = Exported>, metric: Figure, only: Option<&str>) -> Self {
        let results: Vec<_> = results.into_iter().collect();
        let read = results.into_iter().map(|result| (result.path.clone(), Ok(result)));
        let (results, unreadable) = read_all(read);
        Self { schema_version: SCHEMA_VERSION, metric, series: series(&results, metric, only), unreadable }
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

fn as_text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
