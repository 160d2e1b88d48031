//! The subcommands.

pub(super) mod baseline;
pub(super) mod claims;
pub(super) mod completions;
pub(super) mod gate;
pub(super) mod load;
pub(super) mod man;
pub(super) mod matrix;
pub(super) mod mock;
pub(super) mod profile;
pub(super) mod record;
pub(super) mod report;
pub(super) mod routing;
pub(super) mod run;
pub(super) mod scenarios;
pub(super) mod targets;
pub(super) mod trend;
