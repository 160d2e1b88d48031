//! The mock: its prompt cache, its engine, and what a client sees of both.

mod cache;
#[cfg(feature = "cli")]
mod command;
mod engine;
mod faults;
mod http;
mod limits;
mod script;
mod serving;
