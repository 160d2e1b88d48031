//! What every chunk says beside its choices.

use serde::Serialize;

use super::super::usage::UsageBody;
use super::decode::TERMINATOR;
use crate::wire::{Usage, json};

#[derive(Serialize)]
struct Chunk<'a, C> {
    id: &'a str,
    object: &'static str,
    /// Seconds since the epoch; the wire floor reads no clock.
    created: u64,
    model: &'a str,
    choices: &'a [C],
    /// Absent without `include_usage`; null before the last chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<UsageBody>>,
}

/// The chunks of one answer. Usage waits for the finish, since it stands in a chunk of its own after it.
#[derive(Debug)]
pub(in crate::wire) struct Envelope {
    object: &'static str,
    include_usage: bool,
    id: String,
    model: String,
    usage: Option<Usage>,
    finished: bool,
}

impl Envelope {
    /// Chunks that call themselves an `object`, and tell the usage if it is to be included.
    pub(in crate::wire) fn new(object: &'static str, include_usage: bool) -> Self {
        Self { object, include_usage, id: String::new(), model: String::new(), usage: None, finished: false }
    }

    /// Takes the names that every chunk repeats.
    pub(in crate::wire) fn start(&mut self, id: &str, model: &str) {
        id.clone_into(&mut self.id);
        model.clone_into(&mut self.model);
    }

    /// A chunk with this choice.
    pub(in crate::wire) fn choice(&self, choice: impl Serialize) -> String {
        self.chunk(&[choice], None)
    }

    /// The chunk that ends the answer, and the one of the usage if that is known.
    pub(in crate::wire) fn finish(&mut self, choice: impl Serialize) -> String {
        self.finished = true;
        self.choice(choice) + &self.usage_chunk()
    }

    /// The chunk of the usage, if its time has come.
    pub(in crate::wire) fn usage(&mut self, usage: Usage) -> String {
        self.usage = Some(usage);
        if self.finished { self.usage_chunk() } else { String::new() }
    }

    /// What follows the last chunk.
    pub(in crate::wire) fn done() -> String {
        format!("data: {TERMINATOR}\n\n")
    }

    fn usage_chunk(&mut self) -> String {
        match self.usage.take().filter(|_| self.include_usage) {
            Some(usage) => self.chunk::<()>(&[], Some(usage.into())),
            None => String::new(),
        }
    }

    fn chunk<C: Serialize>(&self, choices: &[C], usage: Option<UsageBody>) -> String {
        let chunk = Chunk {
            id: &self.id,
            object: self.object,
            created: 0,
            model: &self.model,
            choices,
            usage: self.include_usage.then_some(usage),
        };
        format!("data: {}\n\n", json::to_string(&chunk))
    }
}
