//! OpenAI chat completions, and the servers that speak them with an accent.

mod message;
mod reply;
mod request;
mod stream;
mod usage;

pub(super) use reply::{Choice, ReplyBody, decode_reply, encode_reply};
pub(super) use request::{StreamOptions, decode_request, encode_request};
pub(super) use stream::{Envelope, StreamDecoder, StreamEncoder};
