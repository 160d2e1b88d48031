//! Two exported results, judged by a percentile of each configuration.

use serde::Serialize;

use crate::report::exported::{Configuration, Exported, ReadError};
use crate::verdict::gate::Outcome;
use crate::verdict::{ExportError, ExportVerdict, Level, Quantile, judge as judge_samples};

/// The version of the JSON's form.
const SCHEMA_VERSION: u32 = 1;

/// What the comparison of two exported results came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// The version of this form.
    pub schema_version: u32,
    /// What answered.
    pub mode: String,
    /// What all configurations come to.
    pub outcome: Outcome,
    /// Each configuration by itself.
    pub configurations: Vec<JudgedConfiguration>,
    /// For a console.
    #[serde(skip)]
    pub text: String,
}

/// What the comparison of one configuration came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JudgedConfiguration {
    /// Its name.
    pub configuration: String,
    /// The change, and what it says.
    #[serde(flatten)]
    pub verdict: ExportVerdict,
}

/// Why two exported results cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// One cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// They come from different places.
    #[error("{before} is {before_source} and {after} is {after_source}: they are not comparable")]
    Source {
        /// The earlier file.
        before: String,
        /// What it is.
        before_source: String,
        /// The later file.
        after: String,
        /// What it is.
        after_source: String,
    },
    /// The instrument that measured one of them was past its bounds.
    #[error("{file} is INVALID: {reason}; measure it again")]
    Invalid {
        /// The file.
        file: String,
        /// What was past its bounds, in words.
        reason: String,
    },
    /// The later one lacks a configuration.
    #[error("{file} lacks the configuration `{name}`")]
    Missing {
        /// The later file.
        file: String,
        /// The configuration.
        name: String,
    },
    /// A side lacks the percentile.
    #[error("`{name}`: {source}")]
    Percentile {
        /// The configuration.
        name: String,
        /// Why.
        source: ExportError,
    },
}

/// Judges the latency of every configuration of `before`, each by itself; `warn` and `fail` are fractions.
///
/// # Errors
/// When the two are of different modes, engines, targets or models, one is invalid, or `after` lacks a configuration or the percentile.
pub fn judge(
    before: &Exported,
    after: &Exported,
    quantile: Quantile,
    warn: f64,
    fail: f64,
) -> Result<Judged, CompareError> {
    if before.source != after.source {
        return Err(incomparable(before, after, [before, after].map(source)));
    }
    if let Some((file, reason)) =
        [before, after].into_iter().find_map(|file| Some((file, file.invalid.clone()?)))
    {
        return Err(CompareError::Invalid { file: file.path.display().to_string(), reason });
    }
    let mut lines: Vec<String> = [before, after]
        .iter()
        .filter(|file| file.interrupted)
        .map(|file| format!("note: {} was interrupted", file.path.display()))
        .collect();
    let (mut outcome, mut configurations) = (Outcome::Pass, Vec::new());
    for (ours, theirs) in before.beside(after) {
        let name = || ours.name.clone();
        let theirs = theirs
            .ok_or_else(|| CompareError::Missing { file: after.path.display().to_string(), name: name() })?;
        if ours.model != theirs.model {
            let model = |of: &Configuration| of.model.clone().unwrap_or_else(|| "unknown".into());
            return Err(incomparable(before, after, [ours, theirs].map(model)));
        }
        let verdict = judge_samples(&ours.latency(), &theirs.latency(), quantile, warn * 100.0, fail * 100.0)
            .map_err(|source| CompareError::Percentile { name: name(), source })?;
        lines.push(format!("{} ({})\n{}", ours.name, before.source.mode, verdict.text));
        outcome = match (outcome, &verdict.level) {
            (Outcome::Regression, _) | (_, Level::Fail) => Outcome::Regression,
            (_, Level::Inconclusive { .. }) => Outcome::Inconclusive,
            (outcome, _) => outcome,
        };
        configurations.push(JudgedConfiguration { configuration: name(), verdict });
    }
    let (mode, text) = (before.source.mode.clone(), lines.join("\n\n"));
    Ok(Judged { schema_version: SCHEMA_VERSION, mode, outcome, configurations, text })
}

fn incomparable(before: &Exported, after: &Exported, sources: [String; 2]) -> CompareError {
    let [before_source, after_source] = sources;
    let [before, after] = [before, after].map(|file| file.path.display().to_string());
    CompareError::Source { before, before_source, after, after_source }
}

/// What answered, in words.
fn source(file: &Exported) -> String {
    let source = &file.source;
    [Some(&source.mode), source.profile.as_ref(), source.target.as_ref()]
        .into_iter()
        .flatten()
        .cloned()
        .collect::<Vec<_>>()
        .join(" ")
}
