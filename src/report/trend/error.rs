//! Why a folder shows no trend: the text names the folder or the flag.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::report::figure::Figure;

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
