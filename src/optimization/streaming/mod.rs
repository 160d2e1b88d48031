//! Streaming: how much sooner does a reader see something, by the length of the answer?
//!
//! Off waits for the whole answer, on reads it as it comes; nothing else differs. What a reader perceives is
//! the time to the first visible content: the whole latency when off, TTFT when on.
//!
//! Prediction: the perceived saving is the time that the rest of the answer takes, `(N − 1)·τ`; the total
//! does not change.
//!
//! A program that works on each chunk gains more: the work is done while the next chunk is on its way.

mod answer;
mod chunked;

pub use answer::{ANSWER_TOKENS, StreamingComparison, compare, complexity, length, of};
pub use chunked::{WORK, chunked};
