//! Streamed answers: one server-sent event to events, and events to server-sent events.

use super::{Dialect, Event, WireError, anthropic, completions, openai};

/// Decodes the server-sent events of one answer, in order.
#[derive(Debug)]
pub struct EventDecoder(Decoder);

#[derive(Debug)]
enum Decoder {
    Anthropic(anthropic::StreamDecoder),
    OpenAi(openai::StreamDecoder),
    Generate,
}

impl EventDecoder {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self(match dialect {
            Dialect::Anthropic => Decoder::Anthropic(anthropic::StreamDecoder::default()),
            Dialect::OpenAi | Dialect::Completions => Decoder::OpenAi(openai::StreamDecoder::default()),
            Dialect::Generate => Decoder::Generate,
        })
    }

    /// Appends what one server-sent event means to `out`: nothing, or several events.
    ///
    /// # Errors
    /// [`WireError::MidStream`] if the server reports an error, [`WireError::Parse`] for what the dialect
    /// does not allow, and [`WireError::Truncated`] for JSON that stops early.
    pub fn decode(&mut self, event: &str, data: &str, out: &mut Vec<Event>) -> Result<(), WireError> {
        match &mut self.0 {
            Decoder::Anthropic(decoder) => decoder.decode(event, data, out),
            Decoder::OpenAi(decoder) => decoder.decode(data, out),
            Decoder::Generate => Err(WireError::Parse {
                what: "a streamed answer",
                reason: "the generate dialect never streams".into(),
            }),
        }
    }

    /// Checks, at the end of the body, that the answer is whole.
    ///
    /// # Errors
    /// [`WireError::Truncated`] if no terminal event was seen. Several OpenAI-compatible servers leave out
    /// `[DONE]`, so a finish reason is enough there.
    pub fn finish(&self) -> Result<(), WireError> {
        match &self.0 {
            Decoder::Anthropic(decoder) => decoder.finish(),
            Decoder::OpenAi(decoder) => decoder.finish(),
            Decoder::Generate => Ok(()),
        }
    }
}

/// Encodes the events of one answer, in order: start, usage, blocks, usage, finish, done.
#[derive(Debug)]
pub struct EventEncoder(Encoder);

#[derive(Debug)]
enum Encoder {
    Anthropic(anthropic::StreamEncoder),
    OpenAi(openai::StreamEncoder),
    Completions(completions::StreamEncoder),
    Generate,
}

impl EventEncoder {
    pub(super) fn new(dialect: Dialect, include_usage: bool) -> Self {
        Self(match dialect {
            Dialect::Anthropic => Encoder::Anthropic(anthropic::StreamEncoder::default()),
            Dialect::OpenAi => Encoder::OpenAi(openai::StreamEncoder::new(include_usage)),
            Dialect::Completions => Encoder::Completions(completions::StreamEncoder::new(include_usage)),
            Dialect::Generate => Encoder::Generate,
        })
    }

    /// The text of an event on the wire: empty if the dialect does not say it, or says it together with a
    /// later one.
    pub fn encode(&mut self, event: &Event) -> String {
        match &mut self.0 {
            Encoder::Anthropic(encoder) => encoder.encode(event),
            Encoder::OpenAi(encoder) => encoder.encode(event),
            Encoder::Completions(encoder) => encoder.encode(event),
            Encoder::Generate => String::new(),
        }
    }
}
