//! What can be wrong with recordings.

use std::path::PathBuf;

use super::CASSETTE_SCHEMA_VERSION;

/// Why a cassette cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CassetteError {
    /// A file or the directory cannot be read.
    #[error("could not read {}: {source}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is no recording.
    #[error("{} is no recording: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The field and the line.
        source: serde_json::Error,
    },
    /// A file has another version.
    #[error("{}: schema_version is {found}, and this lab reads {CASSETTE_SCHEMA_VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version it states.
        found: u64,
    },
    /// A field holds what cannot be replayed.
    #[error("{}: {field}: {reason}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The directory holds no recording.
    #[error("{} holds no recording; llmlab record makes some", path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// A recording cannot be written.
    #[error("could not write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
