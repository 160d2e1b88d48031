//! Failures on demand: one is used up by each request that it fits, in the order in which they were queued.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::wire::ApiError;

/// A failure that waits for a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What goes wrong.
    #[serde(flatten)]
    pub what: FaultKind,
    /// Fits only requests whose draw, as a header value, begins so. Absent: any request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_draw: Option<String>,
}

impl From<FaultKind> for Fault {
    fn from(what: FaultKind) -> Self {
        Self { what, match_draw: None }
    }
}

/// What goes wrong. `after_events` counts the events of a streamed answer ([`Event`](crate::wire::Event)s, some
/// of which a dialect does not send); an answer that is not streamed fails in its own way at any count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// An HTTP error instead of an answer.
    Status {
        /// The status.
        status: u16,
        /// The header `retry-after`, in seconds.
        #[serde(default)]
        retry_after_s: Option<u64>,
    },
    /// The connection breaks in the middle of the body.
    Cut {
        /// Events sent before.
        after_events: usize,
    },
    /// The server reports an error in the stream and ends it; not streamed: status 500.
    Error {
        /// Events sent before.
        after_events: usize,
    },
    /// The rest of the answer comes later.
    Stall {
        /// Events sent before.
        after_events: usize,
        /// How much later, in milliseconds.
        ms: u64,
    },
    /// An event that is no JSON; not streamed: half of the body.
    Garbage {
        /// Events sent before.
        after_events: usize,
    },
    /// Status and headers come later than they should.
    SlowHeaders {
        /// How much later, in milliseconds.
        ms: u64,
    },
    /// The connection is closed without an answer.
    Close,
}

/// The failures that still wait.
#[derive(Debug, Default)]
pub(crate) struct Faults(VecDeque<Fault>);

impl Faults {
    pub(crate) fn push(&mut self, faults: Vec<Fault>) {
        self.0.extend(faults);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The first failure that fits a request of that draw.
    pub(crate) fn take(&mut self, draw: Option<&str>) -> Option<FaultKind> {
        let fits = |fault: &Fault| match &fault.match_draw {
            None => true,
            Some(prefix) => draw.is_some_and(|draw| draw.starts_with(prefix.as_str())),
        };
        let index = self.0.iter().position(fits)?;
        self.0.remove(index).map(|fault| fault.what)
    }
}

/// The error that goes with a status, in Anthropic's words; other vendors' are close to them.
pub(crate) fn error_of(status: u16) -> ApiError {
    let kind = match status {
        400 => "invalid_request_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    ApiError { kind: kind.to_owned(), message: format!("the mock was told to answer with status {status}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_waits_for_the_draw_that_it_names() {
        let mut faults = Faults::default();
        let text = r#"[{"kind":"close","match_draw":"b/"},{"kind":"status","status":529}]"#;
        faults.push(serde_json::from_str(text).unwrap());
        assert_eq!(
            faults.take(Some("a/x/0/0")),
            Some(FaultKind::Status { status: 529, retry_after_s: None })
        );
        assert_eq!(faults.take(None), None);
        assert_eq!(faults.take(Some("b/x/0/0")), Some(FaultKind::Close));
    }
}
