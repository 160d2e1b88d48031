//! The mock: its prompt cache, its engine, and what a client sees of both.

mod cache;
mod engine;
mod http;
mod script;
mod serving;
