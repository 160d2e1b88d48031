//! Results on disk: written in one step so that nobody reads half of one.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Comparison, RESULTS_SCHEMA_VERSION};
use crate::report::destination::Destination;

/// Why a result cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// It is no result.
    #[error("{}: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It is of a version that this build does not know.
    #[error("{}: schema_version {found} is not {RESULTS_SCHEMA_VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

impl Comparison {
    /// Writes the result to a file of its own in `directory`, which is made if need be, and returns the
    /// file. A second result of the same second gets `_2` after its name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, directory: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(directory)?;
        let partial = directory.join(format!("{}.partial", self.provenance.run_id));
        fs::write(&partial, serde_json::to_vec_pretty(self)?)?;
        publish(&partial, directory, &file_name(&self.name, &self.timestamp))
    }

    /// Writes the result in the place of the file that [`write`](Self::write) returned.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn rewrite(&self, path: &Path) -> io::Result<()> {
        Destination::new(path)?.write_json(self)
    }

    /// Reads a result.
    ///
    /// # Errors
    /// When the file cannot be read, is no result, or is of another version.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        Self::of(path, value(path)?)
    }

    /// As [`read`](Self::read), but absent for a result of another kind: a profile, say, has no verdicts.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn recognise(path: &Path) -> Result<Option<Self>, ReadError> {
        let value = value(path)?;
        let other = value.get("provenance").is_some() && value.get("verdicts").is_none();
        if other { Ok(None) } else { Self::of(path, value).map(Some) }
    }

    fn of(path: &Path, value: Value) -> Result<Self, ReadError> {
        let version = value["schema_version"].as_u64().and_then(|version| u32::try_from(version).ok());
        match version {
            Some(found) if found != RESULTS_SCHEMA_VERSION => {
                Err(ReadError::Version { path: path.into(), found })
            }
            _ => serde_json::from_value(value)
                .map_err(|source| ReadError::Format { path: path.into(), source }),
        }
    }
}

fn value(path: &Path) -> Result<Value, ReadError> {
    let bytes = fs::read(path).map_err(|source| ReadError::File { path: path.into(), source })?;
    serde_json::from_slice(&bytes).map_err(|source| ReadError::Format { path: path.into(), source })
}

/// `{name}_{YYYYmmdd_HHMMSS}.json`, from a start in RFC 3339.
pub fn file_name(name: &str, timestamp: &str) -> String {
    let digits: String = timestamp.chars().filter(char::is_ascii_digit).take(14).collect();
    let (date, time) = digits.split_at(digits.len().min(8));
    format!("{}_{date}_{time}.json", name.replace('/', "_"))
}

/// Gives a whole file that name, or one with a number behind it, so that no result replaces another.
fn publish(partial: &Path, directory: &Path, name: &str) -> io::Result<PathBuf> {
    let stem = name.trim_end_matches(".json");
    for number in 1.. {
        let path = match number {
            1 => directory.join(name),
            number => directory.join(format!("{stem}_{number}.json")),
        };
        // A link never replaces a file, as a rename would.
        match fs::hard_link(partial, &path) {
            Ok(()) => return fs::remove_file(partial).map(|()| path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(_) if path.exists() => {}
            // A file system without links.
            Err(_) => return fs::rename(partial, &path).map(|()| path),
        }
    }
    unreachable!("some number is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_the_optimisation_and_the_runs_start() {
        assert_eq!(file_name("streaming", "2025-06-01T09:08:07Z"), "streaming_20250601_090807.json");
    }

    #[test]
    fn a_second_result_of_the_same_second_does_not_replace_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let write = |text: &str| {
            let partial = directory.path().join("partial");
            fs::write(&partial, text).unwrap();
            publish(&partial, directory.path(), "a_1.json").unwrap()
        };
        let (first, second) = (write("first"), write("second"));
        assert_eq!(fs::read_to_string(first).unwrap(), "first");
        assert!(second.ends_with("a_1_2.json"), "{}", second.display());
    }
}
