//! What an agent keeps: its conversation.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::scenario::prose;

/// Bytes of a kilobyte.
const KILOBYTE: u64 = 1_000;
/// What JSON adds to the text of a message.
const FRAME_BYTES: u64 = 32;

/// The state of an agent after a superstep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The superstep, from 1; 0 before the first.
    pub superstep: u32,
    /// The conversation so far.
    pub messages: Vec<Said>,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Who said it.
    pub role: Speaker,
    /// What was said.
    pub content: Arc<str>,
}

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The user.
    User,
    /// The model.
    Assistant,
}

impl State {
    /// A conversation in messages of a kilobyte that takes so many of them when it is serialised.
    pub fn of_kilobytes(kilobytes: u64) -> Self {
        let message = |number: u64| Said {
            role: if number.is_multiple_of(2) { Speaker::User } else { Speaker::Assistant },
            content: prose((KILOBYTE - FRAME_BYTES) / crate::scenario::TOKEN_BYTES as u64, number),
        };
        Self { superstep: 0, messages: (0..kilobytes).map(message).collect() }
    }

    /// Adds a superstep's answer.
    pub fn answered(&mut self, answer: &str) {
        self.superstep += 1;
        self.messages.push(Said { role: Speaker::Assistant, content: answer.into() });
    }

    /// The state as JSON.
    ///
    /// # Errors
    /// When it cannot be said in JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads it back.
    ///
    /// # Errors
    /// When the bytes are no state.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}
