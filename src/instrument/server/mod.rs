//! The truth server: one thread, an event loop, a heap of deadlines, and nothing of the client's.
//!
//! It speaks HTTP/1.1 with kept connections, takes any POST and answers with a stream of OpenAI chat chunks, each an
//! HTTP chunk of its own. The text of a chunk is the time in nanoseconds, 12 digits and a blank, from when the
//! request's first byte was read to just before the chunk was written.

mod alarm;
mod connection;
mod flat;
mod process;
mod request;
mod serve;
mod text;

pub use process::{TruthError, TruthServer, serve_if_asked};
