//! States in a table of SQLite, where it is built in.

#[cfg(not(feature = "sqlite"))]
mod disabled;
#[cfg(feature = "sqlite")]
mod enabled;

#[cfg(not(feature = "sqlite"))]
pub(super) use disabled::{BUILT, Sqlite};
#[cfg(feature = "sqlite")]
pub(super) use enabled::{BUILT, Sqlite};
