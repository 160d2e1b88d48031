//! Suites that need more than Rust: a browser, the vendors' own clients, a tracing backend, a validator of JSON Schema.
//!
//! They see the project from outside, as binaries and files. A suite whose program is not named in the
//! environment says so and passes; under `LLMLAB_TEST_REQUIRE_ALL=1` it fails instead.

mod clients;
mod profile;
mod report;
mod schemas;
mod service;
mod support;
mod traces;
