//! The instrument against known truth: how far are the lab's times from those of the server?
//!
//! The [`server`] knows the truth: it writes into each token when it wrote it, counted from the first byte of the
//! request, and runs as a process of its own that shares no code with the [`client`](crate::client). What the client
//! reports beyond that is its error: the way there and back through loopback, and the instrument. How much of it is
//! the machine's shows the [`raw`] reader, which only counts and stamps. [`usage`] is what both cost.
//!
//! [`check`] asks both. [`selftest`] does so at one number of streams after the other, a [`Certificate`] for every
//! result, in a fraction of a second; what is good enough stands in [`bounds`].
//!
//! The program that measures is also the server: whoever calls [`TruthServer::start`] calls [`serve_if_asked`] first
//! thing in its `main`.

pub mod bounds;
mod certificate;
pub mod check;
mod errors;
mod plan;
pub mod raw;
pub mod selftest;
pub mod server;
mod spread;
mod timer;
pub mod usage;

pub use certificate::{Certificate, Conduct, TruthCheck, TruthErrors, truth};
pub use errors::Errors;
pub use plan::{Plan, PlanError, Stall};
pub use server::{TruthError, TruthServer, serve_if_asked};
pub use spread::Spread;
pub use timer::Timers;
pub(crate) use timer::precisely;
