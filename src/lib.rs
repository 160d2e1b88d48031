//! LLM Latency Lab: does this latency optimisation really make my LLM application faster, by how much, and at
//! what cost?
//!
//! The README says how to use it; this is the library under the benches and the command.
//!
//! # Where to start
//!
//! [`bench::main`] runs [`experiment::Group`]s under Criterion, [`run::run`] until the verdict is clear,
//! [`experiment::compare`] for a number of rounds. A group's
//! [`experiment::Arm`]s ask through a [`experiment::Draw`]; [`optimization`] holds the arms that ship. [`profile`]
//! measures an endpoint as it is.
//!
//! # Glossary
//!
//! - **Ask, answer**: one request to a model, and what came back, in no vendor's shape ([`wire`]).
//! - **Exchange**: one request on the wire and its response, failed or not ([`client`]).
//! - **Event**: one server-sent event's meaning; a **content event** carries text, thinking or a tool call.
//! - **Chunk**: a piece of content as the server sent it; the time between two is an **inter-chunk gap**.
//! - **Timeline**: the stamps of an exchange ([`timeline`]); a **metric** is a cost read from it ([`metric`]).
//! - **Prefill, decode**: processing the prompt, and making the answer token by token.
//! - **Arm**: one way of doing it; the **control** is the arm that the others are compared with.
//! - **Round**: every arm once, in a random order; a **sample** is one round's value of one benchmark.
//! - **Scenario**: a task with its prompts ([`scenario`]).
//! - **Simulated, replayed, live**: what answered ([`provenance`]).
//! - **Recording**: an exchange on disk; a **cassette** is a directory of them ([`cassette`]).
//! - **Baseline**: an earlier run that a later one is compared with.

// Whatever says `not(fuzzing)` reads no input that is fuzzed, and would take as long to instrument as all the rest.
pub mod baseline;
pub mod cassette;
pub mod catalog;
pub mod client;
pub mod embedding;
pub mod experiment;
pub mod gate;
pub mod instrument;
pub mod load;
pub mod metric;
pub mod mock;
#[cfg(not(fuzzing))]
pub mod optimization;
pub mod price;
#[cfg(not(fuzzing))]
pub mod profile;
pub mod provenance;
pub mod recorder;
#[cfg(not(fuzzing))]
pub mod report;
#[cfg(not(fuzzing))]
pub mod run;
pub mod scenario;
pub mod seed;
pub mod session;
pub mod settings;
pub mod stats;
pub mod telemetry;
pub mod timeline;
pub mod verdict;
pub mod wire;

#[cfg(feature = "bench")]
pub mod bench;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod ranking;
#[cfg(feature = "service")]
pub mod service;

/// The README's code runs as tests.
#[cfg(all(doctest, feature = "bench"))]
#[doc = include_str!("../README.md")]
struct Readme;
