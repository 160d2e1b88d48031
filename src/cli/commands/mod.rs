//! The subcommands.

pub(super) mod baseline;
pub(super) mod gate;
pub(super) mod mock;
pub(super) mod report;
pub(super) mod run;
pub(super) mod trend;
