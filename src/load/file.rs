//! Prompts and traces from files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::prompts::Prompt;
use super::trace::{self, BadLine, Format, Row};

/// Why a file of prompts, or a trace, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("could not read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line does not fit.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// It asks for nothing.
    #[error("{} holds nothing to ask", .0.display())]
    Empty(PathBuf),
    /// It is none of the known traces.
    #[error("{} is no trace that is known by its first line: say --trace-format mooncake, azure or burstgpt", .0.display())]
    Unknown(PathBuf),
}

#[derive(Deserialize)]
struct Line {
    prompt: String,
    #[serde(default)]
    max_tokens: Option<u32>,
}

/// The prompts of a file of JSON lines, `{"prompt", "max_tokens"}`; a line without `max_tokens` gets those given.
/// Other fields are passed over.
///
/// # Errors
/// When it cannot be read, a line does not fit, or there is none.
pub(super) fn prompts(path: &Path, max_tokens: u32) -> Result<Vec<Prompt>, FileError> {
    let text = read(path)?;
    let prompt = |(line, text): (u64, &str)| {
        let read: Line = serde_json::from_str(text).map_err(|error| {
            of_line(path, BadLine { line, reason: trace::without_place(&error.to_string()) })
        })?;
        let max_tokens = read.max_tokens.unwrap_or(max_tokens);
        Ok(Prompt { text: read.prompt.into(), max_tokens, kind: "listed" })
    };
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let prompts: Vec<_> = lines.map(prompt).collect::<Result<_, _>>()?;
    if prompts.is_empty() { Err(FileError::Empty(path.into())) } else { Ok(prompts) }
}

/// The requests of a trace, in a format that is given or shows in its first line.
///
/// # Errors
/// As [`prompts`], and when the format does not show.
pub(super) fn rows(path: &Path, format: Option<Format>) -> Result<Vec<Row>, FileError> {
    let text = read(path)?;
    if text.trim().is_empty() {
        return Err(FileError::Empty(path.into()));
    }
    let format = format.or_else(|| Format::of(&text)).ok_or_else(|| FileError::Unknown(path.into()))?;
    let rows = trace::read(&text, format).map_err(|bad| of_line(path, bad))?;
    if rows.is_empty() { Err(FileError::Empty(path.into())) } else { Ok(rows) }
}

fn read(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(|source| FileError::Read { path: path.into(), source })
}

fn of_line(path: &Path, bad: BadLine) -> FileError {
    FileError::Line { path: path.into(), line: bad.line, reason: bad.reason }
}
