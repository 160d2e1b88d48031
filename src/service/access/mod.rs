//! Who may do what.
//!
//! A request shows a key, or the cookie of a browser whose user showed one. Keys are compared by their digests, in
//! constant time, and are in no log and no reply. A browser's cookie counts only for requests of the service's own
//! pages. Without a configured key only this machine is served, and whoever opens the page on it is let in.

mod cookie;
mod guard;
mod keys;
mod limits;

pub(super) use cookie::{clear, digest, granted, issue};
pub(super) use guard::{Identity, guard, host_is_ours, is_same_origin};
pub use keys::{Keys, KeysError};
pub(super) use limits::Limits;
