//! The boundary tests, in one binary.

mod agent;
#[cfg(feature = "cli")]
mod baseline;
mod bench;
mod caching;
mod cassette;
mod claims;
mod client;
mod concurrency;
mod conformance;
mod connection;
mod defects;
mod faults;
mod floors;
#[cfg(feature = "cli")]
mod gate;
#[cfg(feature = "cli")]
mod habits;
#[cfg(feature = "cli")]
mod lab;
mod load;
#[cfg(feature = "cli")]
mod load_command;
mod load_prompts;
mod mock;
#[cfg(feature = "cli")]
mod profile;
#[cfg(feature = "cli")]
mod ranking;
#[cfg(feature = "cli")]
mod readme;
#[cfg(feature = "cli")]
mod record;
#[cfg(feature = "cli")]
mod reports;
mod retries;
mod routing;
#[cfg(feature = "cli")]
mod run;
mod scalability;
#[cfg(feature = "cli")]
mod selftest;
mod semantic_cache;
mod sequential;
#[cfg(feature = "service")]
mod service;
mod stamps;
mod stats;
mod streaming;
mod support;
#[cfg(feature = "cli")]
mod targets;
#[cfg(feature = "cli")]
mod tasks;
mod timeline;
mod tls;
mod topology;
#[cfg(all(feature = "cli", feature = "otel"))]
mod tracing;
#[cfg(feature = "cli")]
mod truth;
#[cfg(all(feature = "cli", not(feature = "otel")))]
mod untraced;
mod wire;
