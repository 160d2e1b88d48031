//! Reads exported results back: what `llmlab run` and `llmlab profile` write, and what the Python profilers
//! wrote before them.
//!
//! The reader takes what it needs and passes over the rest, so that files of other versions and with extra
//! fields stay readable. What is missing is named with its place in the file.

mod error;
mod raw;

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::figure::{Cost, Figure};
use crate::verdict::Samples;
pub use error::ReadError;
use raw::Raw;

/// An exported result.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// The file.
    pub path: PathBuf,
    /// What was run, such as `streaming`.
    pub name: String,
    /// When, by the file's own field, else by the date in its name; a file's time stamp is lost in a copy.
    pub timestamp: Option<Timestamp>,
    /// Where the figures come from.
    pub source: Source,
    /// Whether the run was interrupted before its end.
    pub interrupted: bool,
    /// Whether it was a smoke run, whose figures decide nothing.
    pub smoke: bool,
    /// Why the instrument that measured was past its bounds; absent where it was not, or nothing is known of it.
    pub invalid: Option<String>,
    /// What was measured, in the file's order.
    pub configurations: Vec<Configuration>,
}

/// Where figures come from. Figures of two sources are no series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Source {
    /// `simulated`, `replayed`, `live`, or `unlabelled` where the file does not say.
    pub mode: String,
    /// The engine that was simulated.
    pub profile: Option<String>,
    /// The target's name.
    pub target: Option<String>,
}

/// One configuration's values.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// Its name, such as `on/50`.
    pub name: String,
    /// The group of arms, where it is one of a run.
    pub group: Option<String>,
    /// The model that was asked.
    pub model: Option<String>,
    /// The single requests that succeeded; empty when the file holds a summary alone.
    pub timings: Vec<Timing>,
    /// Answers a second, where several were asked for at once.
    pub requests_per_second: Option<f64>,
    /// What the file states of the latencies.
    stated: Vec<(Figure, f64)>,
    /// How many values the file says that this rests on.
    count: Option<usize>,
}

/// One request, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// From the request to the end of the answer.
    pub latency_ms: f64,
    /// To the first token; absent when the answer was not streamed.
    pub ttft_ms: Option<f64>,
    /// To the first byte, where the file says so.
    pub ttfb_ms: Option<f64>,
    /// Output tokens over the latency, where they were counted.
    pub tokens_per_second: Option<f64>,
}

impl Exported {
    /// Reads `path`.
    ///
    /// # Errors
    /// When the file cannot be read, is no exported result, or holds no latency; the text names the file and
    /// the field.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let text =
            fs::read_to_string(path).map_err(|reason| ReadError::File { path: path.into(), reason })?;
        Self::parse(path, &text)
    }

    /// Reads `text`, the content of `path`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(path: &Path, text: &str) -> Result<Self, ReadError> {
        let json = |reason| ReadError::Json { path: path.into(), reason };
        let raw: Raw = serde_json::from_str(text).map_err(json)?;
        if let Some(found) = raw.schema_version.filter(|&version| version > error::NEWEST) {
            return Err(ReadError::Version { path: path.into(), found });
        }
        let mut configurations = raw.configurations().map_err(|fault| fault.of(path))?;
        configurations.retain(|configuration| !configuration.is_empty());
        if configurations.is_empty() {
            return Err(ReadError::Empty { path: path.into() });
        }
        Ok(Self {
            path: path.into(),
            name: raw.name.clone().unwrap_or_else(|| raw.kind().into()),
            timestamp: raw.timestamp().or_else(|| raw::date_in_name(path)),
            source: raw.source(),
            interrupted: raw.interrupted,
            smoke: raw.smoke,
            invalid: raw.invalid(),
            configurations,
        })
    }

    /// Each configuration with that of the same name in `other`; of several, the one that asked the same
    /// model. `None` stands where `other` lacks it.
    pub fn beside<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = (&'a Configuration, Option<&'a Configuration>)> {
        self.configurations.iter().map(|ours| {
            let mut named = other.configurations.iter().filter(|theirs| theirs.name == ours.name);
            (ours, named.clone().find(|theirs| theirs.model == ours.model).or_else(|| named.next()))
        })
    }

    /// The file's name without its folder.
    pub fn file_name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }
}

impl Source {
    /// The source in words: `simulated (profile fast)`.
    pub fn label(&self) -> String {
        let profile = self.profile.as_ref().map(|profile| format!(" (profile {profile})"));
        format!("{}{}", self.mode, profile.unwrap_or_default())
    }
}

impl Configuration {
    /// The total latencies, in milliseconds.
    pub fn latency(&self) -> Samples {
        self.samples(Cost::Latency, self.timings.iter().map(|timing| timing.latency_ms).collect())
    }

    /// The times to the first token, in milliseconds; empty when nothing was streamed.
    pub fn ttft(&self) -> Samples {
        self.samples(Cost::Ttft, self.timings.iter().filter_map(|timing| timing.ttft_ms).collect())
    }

    /// The values that `cost` means.
    pub fn values(&self, cost: Cost) -> Samples {
        match cost {
            Cost::Latency => self.latency(),
            Cost::Ttft => self.ttft(),
        }
    }

    /// The figure in milliseconds, from the single values where there are any.
    pub fn figure(&self, figure: Figure) -> Option<f64> {
        self.values(figure.cost).quantile(figure.quantile)
    }

    /// How many requests it rests on, where that is known.
    pub fn n(&self) -> Option<usize> {
        if self.timings.is_empty() { self.count } else { Some(self.timings.len()) }
    }

    fn samples(&self, cost: Cost, values: Vec<f64>) -> Samples {
        let stated = self.stated.iter().filter(|(figure, _)| figure.cost == cost);
        Samples {
            values,
            stated: stated.map(|&(figure, value)| (figure.quantile, value)).collect(),
            count: self.count,
        }
    }

    fn is_empty(&self) -> bool {
        self.timings.is_empty() && self.stated.is_empty()
    }
}
