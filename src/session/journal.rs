//! The records on disk, one JSON line each, flushed as they come: a killed run keeps what it measured.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Observer, SessionEvent};

/// An observer that writes every exchange to a file. Clones share the file.
#[derive(Debug, Clone)]
pub struct Journal {
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// Whether the last line was cut short.
    torn: bool,
    complaint: Option<String>,
}

impl Journal {
    /// A journal in `directory`, which is made if need be, in a file named after the run.
    ///
    /// # Errors
    /// When the directory or the file cannot be made.
    pub fn create(directory: &Path, run_id: &str) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let path = directory.join(format!("{run_id}.jsonl"));
        Ok(Self::of(File::create_new(&path)?, path))
    }

    /// A journal in the file `path`, in the place of what it held; its directory is made if need be.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn at(path: &Path) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        Ok(Self::of(File::create(path)?, path.into()))
    }

    fn of(file: File, path: PathBuf) -> Self {
        Self { path, state: Arc::new(Mutex::new(State { file, torn: false, complaint: None })) }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The first record that could not be written, in words: a run that has one did not keep all that it measured.
    pub fn complaint(&self) -> Option<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).complaint.clone()
    }
}

impl Observer for Journal {
    fn on(&self, event: &SessionEvent<'_>) {
        let SessionEvent::Exchange(record) = event else { return };
        let Ok(record) = serde_json::to_vec(record) else { return };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // After a line that was cut short, the next one starts on its own.
        let line = [if state.torn { &b"\n"[..] } else { b"" }, &record, b"\n"].concat();
        // One write for each line, so that a kill leaves whole lines. A full disk must not end a run whose
        // requests are paid for: the figures are still reported.
        let written = state.file.write_all(&line);
        state.torn = written.is_err();
        if let (Err(error), None) = (written, &state.complaint) {
            let complaint = format!("could not write {}: {error}", self.path.display());
            // Said at once: whoever watches may make room.
            let _ = writeln!(io::stderr(), "[llmlab] {complaint}");
            state.complaint = Some(complaint);
        }
    }
}
