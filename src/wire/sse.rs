//! Server-sent events, as the WHATWG standard frames them, for the measured path.
//!
//! The decoder copies each payload once into a buffer that it keeps, looks at every byte once however
//! the body is split, and says at which byte of the body an event became complete, so that the read
//! which brought that byte can be given its stamp. It departs from the standard in one place: at a clean
//! end of the body an event without its blank line is dispatched, because servers end on
//! `data: [DONE]\n` or without any line end.

use memchr::{memchr, memchr2};

use super::WireError;

/// The most bytes that one event may take: a server could go on for ever.
const MAX_EVENT: usize = 64 * 1024 * 1024;

/// How a line of data begins.
const DATA: &[u8] = b"data:";

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// One complete event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The event's name; empty if it has none.
    pub event: &'a str,
    /// Its data lines, joined by `\n`.
    pub data: &'a str,
    /// The offset in the body just past the byte that completed the event.
    pub end: u64,
}

/// Takes events out of a body that arrives in pieces.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The unfinished line; its bytes were searched for a line end already.
    line: Vec<u8>,
    event: String,
    data: String,
    /// Whether the event under construction has a data line, be it empty.
    has_data: bool,
    /// Bytes of the body consumed.
    offset: u64,
    /// Whether the last line ended on CR, so that an LF belongs to it.
    after_cr: bool,
    /// Whether a line was complete: a byte order mark can only stand before.
    past_first_line: bool,
}

impl Decoder {
    /// A decoder at the start of a body.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether an event was begun that is not complete.
    pub(crate) fn is_amid(&self) -> bool {
        !self.line.is_empty() || self.has_data || !self.event.is_empty()
    }

    /// Takes the next bytes of the body and hands each event that they complete to `sink`.
    ///
    /// # Errors
    /// [`WireError::Parse`] for a line that is not UTF-8 and an event of more than 64 MiB, and whatever `sink` returns.
    pub fn push(
        &mut self,
        bytes: &[u8],
        sink: &mut dyn FnMut(Frame<'_>) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let mut bytes = if self.after_cr { self.without_line_feed(bytes) } else { bytes };
        while let Some(at) = memchr2(b'\n', b'\r', bytes) {
            if self.is_whole_event(bytes, at) {
                self.offset += at as u64 + 2;
                let data = &utf8(&bytes[..at])?[DATA.len()..];
                let data = data.strip_prefix(' ').unwrap_or(data);
                sink(Frame { event: "", data, end: self.offset })?;
                bytes = &bytes[at + 2..];
                continue;
            }
            self.offset += at as u64 + 1;
            self.end_line(&bytes[..at], sink)?;
            let rest = &bytes[at + 1..];
            bytes = if bytes[at] == b'\r' { self.without_line_feed(rest) } else { rest };
        }
        self.offset += bytes.len() as u64;
        self.line.extend_from_slice(bytes);
        if self.line.len() + self.data.len() > MAX_EVENT {
            let reason = format!("it is longer than {MAX_EVENT} bytes");
            return Err(WireError::Parse { what: "an event of the stream", reason });
        }
        Ok(())
    }

    /// Whether an event is nothing but a line of data that ends at `at`, and the blank line after it: most are, and need
    /// not be copied.
    fn is_whole_event(&self, bytes: &[u8], at: usize) -> bool {
        let is_fresh =
            self.line.is_empty() && !self.has_data && self.event.is_empty() && self.past_first_line;
        is_fresh && bytes.starts_with(DATA) && bytes[at..].starts_with(b"\n\n")
    }

    /// Ends the body: dispatches the event that lacks nothing but its line ends.
    ///
    /// # Errors
    /// [`WireError::Truncated`] if the body stops inside a character, [`WireError::Parse`] for a line that
    /// is not UTF-8, and whatever `sink` returns.
    pub fn finish(
        &mut self,
        sink: &mut dyn FnMut(Frame<'_>) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        if !self.line.is_empty() {
            if std::str::from_utf8(&self.line).is_err_and(|error| error.error_len().is_none()) {
                return Err(WireError::Truncated { expected: "the rest of a character" });
            }
            self.end_line(&[], sink)?;
        }
        self.dispatch(sink)
    }

    /// What follows a CR, less the LF that belongs to it; remembers to look for one if nothing follows yet.
    fn without_line_feed<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        self.after_cr = bytes.is_empty();
        if let Some(rest) = bytes.strip_prefix(b"\n") {
            self.offset += 1;
            return rest;
        }
        bytes
    }

    /// Handles one line, whose last part is `tail` and whose earlier parts are kept in `self.line`.
    fn end_line(
        &mut self,
        tail: &[u8],
        sink: &mut dyn FnMut(Frame<'_>) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        if self.line.is_empty() {
            return self.take_line(tail, sink);
        }
        let mut line = std::mem::take(&mut self.line);
        line.extend_from_slice(tail);
        let taken = self.take_line(&line, sink);
        line.clear();
        self.line = line;
        taken
    }

    fn take_line(
        &mut self,
        mut line: &[u8],
        sink: &mut dyn FnMut(Frame<'_>) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        if !std::mem::replace(&mut self.past_first_line, true) {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch(sink);
        }
        let line = utf8(line)?;
        let (field, value) = match memchr(b':', line.as_bytes()) {
            Some(colon) => {
                (&line[..colon], line[colon + 1..].strip_prefix(' ').unwrap_or(&line[colon + 1..]))
            }
            None => (line, ""),
        };
        match field {
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "event" => {
                self.event.clear();
                self.event.push_str(value);
            }
            // A comment (an empty field), `id`, `retry`, or something unknown.
            _ => {}
        }
        Ok(())
    }

    fn dispatch(
        &mut self,
        sink: &mut dyn FnMut(Frame<'_>) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let sunk = if self.has_data {
            sink(Frame { event: &self.event, data: &self.data, end: self.offset })
        } else {
            Ok(())
        };
        self.has_data = false;
        self.event.clear();
        self.data.clear();
        sunk
    }
}

fn utf8(line: &[u8]) -> Result<&str, WireError> {
    std::str::from_utf8(line)
        .map_err(|error| WireError::Parse { what: "a line of the event stream", reason: error.to_string() })
}
