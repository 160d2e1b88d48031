//! `llmlab serve` as its clients know it: over HTTP, from process start to process end, on every backend.

mod access;
mod crashes;
mod jobs;
mod rankings;
mod results;
mod schedule;
mod store;
mod support;
