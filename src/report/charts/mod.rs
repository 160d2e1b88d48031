//! Three charts of one exported result, as SVG: how latencies are distributed, how configurations compare, and
//! what of the latency is the wait for the first token.

mod bars;
mod histogram;
mod scatter;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

use super::exported::{Configuration, Exported};
use super::plot::DrawError;

/// Why charts could not be written.
#[derive(Debug, Error)]
pub enum ChartError {
    /// A chart could not be drawn.
    #[error("the {chart} chart could not be drawn: {reason}")]
    Draw {
        /// Which.
        chart: &'static str,
        /// Why.
        reason: DrawError,
    },
    /// A file could not be written.
    #[error("{}: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
}

/// A chart of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chart {
    /// How latencies are distributed.
    Histogram,
    /// How configurations compare.
    Percentiles,
    /// What of the latency is the wait for the first token.
    Ttft,
}

impl Chart {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Histogram, Self::Percentiles, Self::Ttft];

    /// Its name in files and addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Histogram => "histogram",
            Self::Percentiles => "percentiles",
            Self::Ttft => "ttft",
        }
    }
}

/// A text that names no [`Chart`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected histogram, percentiles or ttft")]
pub struct UnknownChart;

impl FromStr for Chart {
    type Err = UnknownChart;

    fn from_str(name: &str) -> Result<Self, UnknownChart> {
        Self::ALL.into_iter().find(|chart| chart.name() == name).ok_or(UnknownChart)
    }
}

/// Draws a chart as SVG.
///
/// # Errors
/// When it cannot be drawn.
pub fn svg(result: &Exported, chart: Chart) -> Result<String, DrawError> {
    match chart {
        Chart::Histogram => histogram::svg(result),
        Chart::Percentiles => bars::svg(result),
        Chart::Ttft => scatter::svg(result),
    }
}

/// Writes `<result>-histogram.svg`, `<result>-percentiles.svg` and `<result>-ttft.svg` into `folder`, which is
/// made where it is missing, and returns their paths.
///
/// # Errors
/// When a chart cannot be drawn or written.
pub fn write(result: &Exported, folder: &Path) -> Result<Vec<PathBuf>, ChartError> {
    let stem = result.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |reason| ChartError::Write { path, reason }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let write = |chart: Chart| {
        let path = folder.join(format!("{stem}-{}.svg", chart.name()));
        let text = svg(result, chart).map_err(|reason| ChartError::Draw { chart: chart.name(), reason })?;
        fs::write(&path, text).map_err(failed(&path))?;
        Ok(path)
    };
    Chart::ALL.into_iter().map(write).collect()
}

/// What the figures are: mode, model, time.
fn subtitle(result: &Exported) -> String {
    let mut parts = vec![result.source.label()];
    let mut models: Vec<_> = result.configurations.iter().filter_map(|c| c.model.as_deref()).collect();
    models.sort_unstable();
    models.dedup();
    match models[..] {
        [] => {}
        [model] => parts.push(model.into()),
        _ => parts.push(format!("{} models", models.len())),
    }
    parts.extend(result.timestamp.map(|timestamp| timestamp.strftime("%Y-%m-%d %H:%M UTC").to_string()));
    parts.extend(result.interrupted.then(|| "interrupted".to_owned()));
    parts.extend(result.invalid.is_some().then(|| "INVALID".to_owned()));
    parts.join(" · ")
}

/// `n = 20`, as far as it is known.
fn n(configuration: &Configuration) -> String {
    configuration.n().map_or_else(|| "n unknown".into(), |n| format!("n = {n}"))
}
