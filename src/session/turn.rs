//! An arm's turn in a round, and the tools that are called in it, as those see them who watch.

use std::time::Duration;

/// Where in a run an arm's turn stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turn<'a> {
    /// The group of arms.
    pub group: &'a str,
    /// The arm.
    pub arm: &'a str,
    /// The arm's position on the sweep.
    pub x: Option<f64>,
    /// The round; round 0 warms up.
    pub round: u32,
    /// Where in the round's random order the arm is asked, from 0.
    pub order: u32,
}

/// A call of a tool that is over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ToolCall<'a> {
    /// The turn in which it was made.
    pub turn: Turn<'a>,
    /// Which of the things that the turn does at once it belongs to.
    pub branch: &'a str,
    /// The tool's name.
    pub tool: &'a str,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub ended: CallEnd,
}

/// How a call of a tool ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEnd {
    /// The tool answered.
    Answered,
    /// It answered that it failed.
    Failed,
    /// Nobody waited for it any more.
    GivenUp,
}
