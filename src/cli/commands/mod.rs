//! The subcommands.

pub(super) mod baseline;
pub(super) mod mock;
