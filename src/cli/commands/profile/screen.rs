//! Where a profile's text goes.

use std::io;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::cli::output;
use crate::report::profile::painted;
use crate::report::say;

/// Standard output, or standard error where standard output is for JSON.
pub(super) struct Screen {
    json: bool,
    colour: bool,
    /// The first text that could not be written: it is no reason to stop measuring.
    failed: Mutex<Option<io::Error>>,
}

impl Screen {
    pub(super) fn new(json: bool, no_color: bool) -> Self {
        Self { json, colour: output::colour(no_color), failed: Mutex::default() }
    }

    /// Shows text, if there is any.
    pub(super) fn show(&self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.json {
            return say(text);
        }
        self.print(&if self.colour { painted(text) } else { text.into() });
    }

    /// Shows a result where JSON is wanted.
    pub(super) fn result(&self, result: &impl Serialize) -> serde_json::Result<()> {
        if self.json {
            self.print(&serde_json::to_string_pretty(result)?);
        }
        Ok(())
    }

    fn print(&self, text: &str) {
        if let Err(error) = output::print(text) {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    /// Whether all text was written.
    pub(super) fn check(&self) -> io::Result<()> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}
