//! Batching: prompts that do not depend on each other, all at once instead of one after another.
//!
//! At the client, [`fan_out`] sends them together. At the server, [`server`] lets an engine wait for requests that it
//! can serve in one batch, [`size`] and [`window`] say how many and how long. (The batch interfaces of providers cost half and answer within a day: they are no matter of
//! latency.)
//!
//! Prediction: at the client `ΣT` against `max T`. At the server a batch of `b` takes `B(b) = α + β·b`, where `α` is
//! what the batch shares and `β` a request's own prefill: it answers `b/B(b)` instead of `1/B(1)`, and a request that
//! nobody joins waits for the window in vain.

mod compare;
mod fan_out;
mod server;

pub use compare::{BatchComparison, compare};
pub use fan_out::fan_out;
pub use server::{server, size, window};

/// Prompts to send, over the sweep of the client.
pub const PROMPTS: [u32; 3] = [1, 5, 20];

/// Requests under way at once, over the sweep of the server.
pub const CONCURRENCY: [u32; 3] = [1, 5, 20];

/// Largest batches, over the sweep of the size; the other group shows eight.
pub const SIZES: [u32; 2] = [4, 16];

/// Milliseconds that a batch waits for more, over the sweep of the window; 0 is to serve each request by itself.
pub const WINDOW_MS: [u32; 3] = [10, 50, 100];

/// The published gain: eight requests in one batch instead of one after another, "8 times".
const CLAIM: f64 = 1.0 - 1.0 / 8.0;
