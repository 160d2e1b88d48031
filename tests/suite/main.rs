//! The boundary tests, in one binary.

#[cfg(feature = "cli")]
mod baseline;
mod bench;
mod caching;
mod client;
mod floors;
#[cfg(feature = "cli")]
mod gate;
#[cfg(feature = "cli")]
mod lab;
mod mock;
#[cfg(feature = "cli")]
mod reports;
mod retries;
#[cfg(feature = "cli")]
mod run;
mod sequential;
mod stamps;
mod stats;
mod streaming;
mod support;
mod timeline;
mod truth;
mod wire;
