//! OpenAI's streamed chunks.

mod decode;
mod encode;

pub(in crate::wire) use decode::StreamDecoder;
pub(in crate::wire) use encode::StreamEncoder;
