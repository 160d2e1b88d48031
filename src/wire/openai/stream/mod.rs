//! OpenAI's streamed chunks.

mod decode;
mod encode;
mod envelope;

pub(in crate::wire) use decode::StreamDecoder;
pub(in crate::wire) use encode::StreamEncoder;
pub(in crate::wire) use envelope::Envelope;
