//! What a recorder is started with, why it cannot be, and what it has done.

use std::io;
use std::path::PathBuf;

use crate::cassette::CassetteError;
use crate::client::Target;

/// Why a recorder cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The address is taken, or not ours.
    #[error("could not listen on port {port}: {source}")]
    Listen {
        /// The port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The directory cannot be written.
    #[error("could not record to {}: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The directory holds recordings already.
    #[error("{} holds recordings already: a run is recorded into a directory of its own", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// What it holds already cannot be listed.
    #[error(transparent)]
    Cassette(#[from] CassetteError),
    /// Its threads cannot be started.
    #[error("could not start the recorder's threads: {0}")]
    Threads(#[source] io::Error),
}

/// What is recorded, and where to.
#[derive(Debug, Clone)]
pub struct RecorderConfig {
    /// Where requests go: scheme, host, port and the path before the API's own. Its dialect, model and key do not
    /// matter.
    pub upstream: Target,
    /// The port to listen on, on this machine alone; 0 takes a free one.
    pub port: u16,
    /// The directory that gets a file for each exchange, after those that it holds.
    pub directory: PathBuf,
    /// What answers, in words: software, version, model file.
    pub engine: Option<String>,
    /// Whether the server is the lab's own mock, which is told which draw a request is. Others are told nothing.
    pub upstream_is_mock: bool,
}

/// What a recorder has done so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecorderReport {
    /// Exchanges written.
    pub recorded: u64,
    /// Those of them that the server cut short.
    pub cut: u64,
    /// Exchanges of other paths, passed on only.
    pub passed: u64,
    /// Requests that got no response.
    pub unanswered: u64,
    /// Answers that the client did not wait for: no recordings.
    pub abandoned: u64,
    /// The first recording that could not be written, in words.
    pub complaint: Option<String>,
}
