//! Streamed completions on their way out. They are decoded as chats are: a piece of text is a choice's `text`.

use serde::Serialize;

use crate::wire::openai::Envelope;
use crate::wire::{ContentKind, Event};

#[derive(Serialize)]
struct Choice<'a> {
    index: usize,
    text: &'a str,
    logprobs: Option<()>,
    finish_reason: Option<&'a str>,
}

/// Encodes one answer; of its content only text can be said.
#[derive(Debug)]
pub(in crate::wire) struct StreamEncoder(Envelope);

impl StreamEncoder {
    pub(in crate::wire) fn new(include_usage: bool) -> Self {
        Self(Envelope::new("text_completion", include_usage))
    }

    pub(in crate::wire) fn encode(&mut self, event: &Event) -> String {
        let choice = |text, finish_reason| Choice { index: 0, text, logprobs: None, finish_reason };
        match event {
            Event::Start { id, model } => {
                self.0.start(id, model);
                String::new()
            }
            Event::Usage(usage) => self.0.usage(**usage),
            Event::Delta { kind: ContentKind::Text | ContentKind::Refusal, text, .. } => {
                self.0.choice(choice(text, None))
            }
            Event::Finish(stop) => self.0.finish(choice("", Some(stop.openai()))),
            Event::Done => Envelope::done(),
            Event::Ping => ": ping\n\n".to_owned(),
            Event::Delta { .. }
            | Event::BlockStart { .. }
            | Event::Signature { .. }
            | Event::BlockStop { .. }
            | Event::Unknown(_) => String::new(),
        }
    }
}
