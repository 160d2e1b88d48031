//! OpenAI's streamed chunks.

mod decode;
mod encode;

pub(in crate::wire) use decode::{StreamDecoder, TERMINATOR};
pub(in crate::wire) use encode::StreamEncoder;
