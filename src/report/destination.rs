//! A file that a result will go to, tried before anything is measured and written in one step.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::NamedTempFile;

/// A file that can be written: nobody ever reads half of it, and nothing is measured that could not be kept.
#[derive(Debug)]
pub struct Destination {
    path: PathBuf,
    partial: NamedTempFile,
}

impl Destination {
    /// Makes sure that `path` can be written, its directory made if need be. What it holds stays until
    /// [`write`](Self::write).
    ///
    /// # Errors
    /// When it cannot be written, or is a directory.
    pub fn new(path: &Path) -> io::Result<Self> {
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        std::fs::create_dir_all(directory)?;
        let mut builder = tempfile::Builder::new();
        // A temporary file is otherwise its owner's alone; the umask takes from this what nobody else may do.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let partial = builder.prefix(".llmlab-").tempfile_in(directory)?;
        Ok(Self { path: path.into(), partial })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts `bytes` into the place of what the file held.
    ///
    /// # Errors
    /// When they cannot be written: the disk is full, say.
    pub fn write(mut self, bytes: &[u8]) -> io::Result<()> {
        self.partial.write_all(bytes)?;
        self.partial.persist(&self.path).map(drop).map_err(|error| error.error)
    }

    /// Puts `value` there as indented JSON.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_json(self, value: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(value)?;
        text.push(b'\n');
        self.write(&text)
    }
}
