//! The subcommands.

pub(super) mod mock;
pub(super) mod run;
