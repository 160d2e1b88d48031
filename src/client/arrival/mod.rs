//! Reads that say how long ago their last byte arrived.
//!
//! A process that reads late, because it was busy or asleep, would otherwise take its own lateness for the server's.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::{poll_read, prepare};
#[cfg(target_os = "linux")]
pub(super) use linux::{poll_read, prepare};
