//! A file that a result will go to, tried before anything is measured and written in one step.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::NamedTempFile;

/// A file that can be written: nobody ever reads half of it, and nothing is measured that could not be kept.
#[derive(Debug)]
pub struct Destination {
    path: PathBuf,
    kept: Kept,
}

/// Where bytes go until they are all written.
#[derive(Debug)]
enum Kept {
    /// A file beside the destination, which takes its place in the end.
    Beside(NamedTempFile),
    /// The destination itself: a device or a pipe, in whose place nothing may be put.
    Itself(File),
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
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            return Ok(Self {
                path: path.into(),
                kept: Kept::Itself(File::options().write(true).open(path)?),
            });
        }
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        std::fs::create_dir_all(directory)?;
        let mut builder = tempfile::Builder::new();
        // A temporary file is otherwise its owner's alone; the umask takes from this what nobody else may do.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let partial = builder.prefix(".llmlab-").tempfile_in(directory)?;
        Ok(Self { path: path.into(), kept: Kept::Beside(partial) })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts `bytes` into the place of what the file held.
    ///
    /// # Errors
    /// When they cannot be written: the disk is full, say.
    pub fn write(self, bytes: &[u8]) -> io::Result<()> {
        match self.kept {
            Kept::Itself(mut file) => file.write_all(bytes),
            Kept::Beside(mut partial) => {
                partial.write_all(bytes)?;
                partial.persist(&self.path).map(drop).map_err(|error| error.error)
            }
        }
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
