//! The instrument against known truth: how far are the lab's times from those of the server?
//!
//! The [`server`] knows the truth: it writes into each token when it wrote it, counted from the first byte of the
//! request, and runs as a process of its own that shares no code with the [`client`](crate::client). What the client
//! reports beyond that is its error: the way there and back through loopback, and the instrument. How much of it is
//! the machine's shows the [`raw`] reader, which only counts and stamps. [`usage`] is what both cost.
//!
//! The program that measures is also the server: whoever calls [`TruthServer::start`] calls [`serve_if_asked`] first
//! thing in its `main`.

mod errors;
mod plan;
pub mod raw;
pub mod server;
pub mod usage;

pub use errors::Errors;
pub use plan::{Plan, PlanError, Stall};
pub use server::{TruthError, TruthServer, serve_if_asked};
