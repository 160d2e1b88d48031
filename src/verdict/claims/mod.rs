//! What is claimed, held against what was measured.
//!
//! The claims are data: `fixtures/claims.toml`, each with its source. A claim holds at an operating point (an arm at
//! a position of its sweep) or it does not; over all points measured it is supported, supported only at some of
//! them, or contradicted. What was not measured, or no measurement can judge, is said to be so.

mod data;
mod judge;
mod rank;

pub use data::{Claim, ClaimKind, Claimed, claims};
pub use judge::{Judged, Measured, Point, Standing, judge};
pub use rank::{Ranked, Ranking, mean_reduction, rank};
