//! Why a file is no exported result: the text names the file and the field.

use std::path::PathBuf;

use thiserror::Error;

/// The newest `schema_version` that is understood.
pub(super) const NEWEST: u64 = 1;

/// Why a file is no exported result.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The file is not JSON, or a field is of another type than expected.
    #[error("{} is no exported result: {reason}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where, and what was expected.
        reason: serde_json::Error,
    },
    /// A newer version wrote the file.
    #[error("{}: schema_version is {found}, and only {NEWEST} is understood", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// A field is missing.
    #[error("{} is no exported result: {field} is missing", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The field, with its place.
        field: String,
    },
    /// A latency is not above 0.
    #[error("{}: {field} is {value}, and a latency is above 0", path.display())]
    NoLatency {
        /// The file.
        path: PathBuf,
        /// The field, with its place.
        field: String,
        /// Its value.
        value: f64,
    },
    /// No request succeeded.
    #[error("{} holds no latency: no request succeeded", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}
