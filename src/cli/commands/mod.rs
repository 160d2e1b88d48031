//! The subcommands.

pub(super) mod mock;
