//! The records on disk, one JSON line each, flushed as they come: a killed run keeps what it measured.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Observer, SessionEvent};

/// An observer that writes every exchange to a file of its own run.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
    torn: AtomicBool,
}

impl Journal {
    /// A journal in `directory`, which is made if need be, in a file named after the run.
    ///
    /// # Errors
    /// When the directory or the file cannot be made.
    pub fn create(directory: &Path, run_id: &str) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let path = directory.join(format!("{run_id}.jsonl"));
        let file = Mutex::new(File::create_new(&path)?);
        Ok(Self { path, file, torn: AtomicBool::new(false) })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Observer for Journal {
    fn on(&self, event: &SessionEvent<'_>) {
        let SessionEvent::Exchange(record) = event else { return };
        let Ok(record) = serde_json::to_vec(record) else { return };
        // After a line that was cut short, the next one starts on its own.
        let torn = self.torn.load(Ordering::Relaxed);
        let line = [if torn { &b"\n"[..] } else { b"" }, &record, b"\n"].concat();
        // One write for each line, so that a kill leaves whole lines. A full disk must not end a run whose
        // requests are paid for: the figures are still reported.
        let written = self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
        self.torn.store(written.is_err(), Ordering::Relaxed);
        if let (Err(error), false) = (written, torn) {
            // The one thing that nobody would otherwise learn of.
            let _ = writeln!(io::stderr(), "[llmlab] could not write {}: {error}", self.path.display());
        }
    }
}
