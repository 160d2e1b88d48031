//! The boundary tests, in one binary.

mod baseline;
mod bench;
mod caching;
mod client;
mod floors;
mod gate;
mod lab;
mod mock;
#[cfg(feature = "cli")]
mod reports;
mod retries;
mod run;
mod sequential;
mod stamps;
mod stats;
mod streaming;
mod support;
mod timeline;
mod truth;
mod wire;
