//! Public traces of what was asked of language models, and when: lengths and times, no text.
//!
//! Mooncake (JSON lines), the Azure LLM inference traces and BurstGPT (CSV) are read as they are published. The text of
//! a prompt is made up; where a trace says which blocks of prompts were equal, they are equal here.

use std::collections::HashSet;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::scenario::{TOKEN_BYTES, prose};

/// Tokens that one hash of a Mooncake trace stands for.
const BLOCK_TOKENS: usize = 512;

/// A request of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// When it came, after the first one.
    pub at: Duration,
    /// Tokens of its prompt.
    pub input: u64,
    /// Tokens of its answer.
    pub output: u32,
    /// What the blocks of its prompt are known by; none where the trace does not say.
    pub blocks: Vec<u64>,
}

/// How a trace is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JSON lines with `timestamp` in milliseconds, `input_length`, `output_length` and `hash_ids`.
    Mooncake,
    /// CSV with `TIMESTAMP,ContextTokens,GeneratedTokens`.
    Azure,
    /// CSV with `Timestamp` in seconds, `Request tokens` and `Response tokens` among others.
    BurstGpt,
}

impl Format {
    const NAMES: [(&'static str, Self); 3] =
        [("mooncake", Self::Mooncake), ("azure", Self::Azure), ("burstgpt", Self::BurstGpt)];

    /// The format that a trace's first line shows.
    pub fn of(text: &str) -> Option<Self> {
        let first = text.lines().find(|line| !line.trim().is_empty())?.trim_start();
        match first {
            line if line.starts_with('{') => Some(Self::Mooncake),
            line if line.contains("ContextTokens") => Some(Self::Azure),
            line if line.contains("Request tokens") => Some(Self::BurstGpt),
            _ => None,
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::NAMES.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, format)| format).ok_or_else(|| "expected mooncake, azure or burstgpt".into())
    }
}

/// The line of a trace that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// The requests of a trace in the order in which they came. What failed there, without an answer, is left out.
///
/// # Errors
/// The first line that cannot be read.
pub fn read(text: &str, format: Format) -> Result<Vec<Row>, BadLine> {
    let text = text.trim_start_matches('\u{feff}');
    let timed = match format {
        Format::Mooncake => mooncake(text)?,
        Format::Azure => table(text, |row: AzureRow| {
            Ok((seconds(&row.timestamp)?, row.context_tokens, row.generated_tokens))
        })?,
        Format::BurstGpt => {
            table(text, |row: BurstRow| Ok((row.timestamp, row.request_tokens, row.response_tokens)))?
        }
    };
    let first = timed.iter().map(|(at, _)| *at).fold(f64::INFINITY, f64::min);
    let since_first = |(at, row): (f64, Row)| Row { at: Duration::from_secs_f64(at - first), ..row };
    let mut rows: Vec<Row> = timed.into_iter().filter(|(_, row)| row.output > 0).map(since_first).collect();
    rows.sort_by_key(|row| row.at);
    Ok(rows)
}

#[derive(Deserialize)]
struct MooncakeRow {
    timestamp: f64,
    input_length: u64,
    output_length: u32,
    #[serde(default)]
    hash_ids: Vec<u64>,
}

#[derive(Deserialize)]
struct AzureRow {
    #[serde(rename = "TIMESTAMP")]
    timestamp: String,
    #[serde(rename = "ContextTokens")]
    context_tokens: u64,
    #[serde(rename = "GeneratedTokens")]
    generated_tokens: u32,
}

#[derive(Deserialize)]
struct BurstRow {
    #[serde(rename = "Timestamp")]
    timestamp: f64,
    #[serde(rename = "Request tokens")]
    request_tokens: u64,
    #[serde(rename = "Response tokens")]
    response_tokens: u32,
}

type Timed = Vec<(f64, Row)>;

fn mooncake(text: &str) -> Result<Timed, BadLine> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let row = |(line, text): (u64, &str)| {
        let row: MooncakeRow = serde_json::from_str(text)
            .map_err(|error| BadLine { line, reason: without_place(&error.to_string()) })?;
        timed(row.timestamp / 1e3, row.input_length, row.output_length, row.hash_ids)
            .map_err(|reason| BadLine { line, reason })
    };
    lines.map(row).collect()
}

/// A message of the JSON reader without its position, which is that within the line.
pub(super) fn without_place(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).into()
}

fn table<T: for<'de> Deserialize<'de>>(
    text: &str,
    cells: impl Fn(T) -> Result<(f64, u64, u32), String>,
) -> Result<Timed, BadLine> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| bad(&error, 1))?.clone();
    let row = |record: Result<csv::StringRecord, csv::Error>| {
        let record = record.map_err(|error| bad(&error, 1))?;
        let line = record.position().map_or(1, csv::Position::line);
        let row = record.deserialize(Some(&headers)).map_err(|error| bad(&error, line))?;
        let row = cells(row).and_then(|(at, input, output)| timed(at, input, output, Vec::new()));
        row.map_err(|reason| BadLine { line, reason })
    };
    reader.records().map(row).collect()
}

fn bad(error: &csv::Error, line: u64) -> BadLine {
    let line = error.position().map_or(line, csv::Position::line);
    let reason = match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields where the header names {expected_len}")
        }
        _ => error.to_string(),
    };
    BadLine { line, reason }
}

/// A row and its time in seconds.
fn timed(at: f64, input: u64, output: u32, blocks: Vec<u64>) -> Result<(f64, Row), String> {
    if input > MOST_TOKENS {
        return Err(format!("a prompt of {input} tokens, more than {MOST_TOKENS}, cannot be sent"));
    }
    Ok((finite(at)?, Row { at: Duration::ZERO, input: input.max(1), output, blocks }))
}

/// The longest prompt, ten times as long as any model takes: its text has to fit into memory.
const MOST_TOKENS: u64 = 20_000_000;

/// The longest that a trace may go on, in seconds: some three hundred years.
const LONGEST: f64 = 1e10;

fn finite(seconds: f64) -> Result<f64, String> {
    let is_time = seconds.is_finite() && seconds.abs() < LONGEST;
    is_time.then_some(seconds).ok_or_else(|| "its timestamp is no time".into())
}

/// `2023-11-16 18:15:46.6805900`, with an offset or without, in seconds.
fn seconds(text: &str) -> Result<f64, String> {
    let zoned = text.parse::<Timestamp>().ok();
    let local = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp());
    let at = zoned.or_else(local).ok_or_else(|| format!("`{text}` is no time"))?;
    Ok(at.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64())
}

/// The share of blocks that came before, at the start of a prompt and without a gap; absent without blocks.
pub(super) fn known_blocks<'a>(rows: impl Iterator<Item = &'a Row>) -> Option<f64> {
    let (mut seen, mut known, mut all) = (HashSet::<u64>::new(), 0, 0);
    for row in rows {
        known += row.blocks.iter().take_while(|block| seen.contains(*block)).count();
        all += row.blocks.len();
        seen.extend(&row.blocks);
    }
    (all > 0).then(|| known as f64 / all as f64)
}

/// The text of a row's prompt, of as many tokens as it says: equal blocks are equal text, and nothing else is.
pub(super) fn text(row: &Row, number: u32) -> Arc<str> {
    let length = row.input as usize * TOKEN_BYTES;
    let blocks = row.blocks.iter().map(|block| (format!("Block {block}. "), BLOCK_TOKENS * TOKEN_BYTES));
    let mut text = String::with_capacity(length + BLOCK_TOKENS * TOKEN_BYTES);
    for (label, size) in blocks {
        if text.len() < length {
            fill(&mut text, &label, size);
        }
    }
    if text.len() < length {
        let rest = length - text.len();
        fill(&mut text, &format!("Request {number}. "), rest);
    }
    text.truncate(length);
    text.into()
}

/// Adds `size` bytes: a label, and after it the same words always.
fn fill(text: &mut String, label: &str, size: usize) {
    static WORDS: LazyLock<Arc<str>> = LazyLock::new(|| prose(BLOCK_TOKENS as u64, 0));
    let end = text.len() + size;
    text.push_str(label);
    while text.len() < end {
        let rest = WORDS.len().min(end - text.len());
        text.push_str(&WORDS[..rest]);
    }
    text.truncate(end);
}
