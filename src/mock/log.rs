//! The last requests, as `GET /_mock/requests` gives them.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::wire::{Dialect, Usage};

/// Requests kept.
const KEPT: usize = 256;

/// One request as the mock received it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReceivedRequest {
    /// Its number since the start, from 0.
    pub number: u64,
    /// The dialect of its path.
    pub dialect: Dialect,
    /// The model it names.
    pub model: String,
    /// The draw it says it is, as a header value.
    pub draw: Option<String>,
    /// Its limit of output tokens.
    pub max_tokens: Option<u32>,
    /// Whether it asks for a streamed answer.
    pub stream: bool,
    /// What its answer used; absent before the answer is decided.
    pub usage: Option<Usage>,
    /// Bytes of its body.
    pub body_bytes: usize,
    /// A hash of its body (XXH3, hexadecimal).
    pub body_hash: String,
    /// Its body, if the mock was told to keep bodies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// The last requests.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    next: u64,
    last: VecDeque<ReceivedRequest>,
}

impl RequestLog {
    /// Keeps a request and gives it its number.
    pub(crate) fn push(&mut self, request: ReceivedRequest) -> u64 {
        let number = self.next;
        self.next += 1;
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(ReceivedRequest { number, ..request });
        number
    }

    pub(crate) fn note_usage(&mut self, number: u64, usage: Usage) {
        if let Some(request) = self.last.iter_mut().rev().find(|request| request.number == number) {
            request.usage = Some(usage);
        }
    }

    pub(crate) fn last(&self) -> Vec<ReceivedRequest> {
        self.last.iter().cloned().collect()
    }
}
