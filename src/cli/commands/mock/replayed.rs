//! Recordings in the place of an engine.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use crate::cassette::Cassette;
use crate::cli::interrupt::Interruptible;
use crate::cli::{EXIT_INTERRUPTED, EXIT_REGRESSION, output};
use crate::mock::Replay;
use crate::recorder;
use crate::report::cassette;

/// What is replayed.
#[derive(Debug, clap::Args)]
pub(super) struct Replayed {
    /// Answer with the recordings of this directory, at their recorded times, instead of a simulated engine.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["profile", "keep_bodies", "list_profiles"])]
    cassette: Option<PathBuf>,
    /// What answers a request that was not recorded: an error that says what was, or the next recording in its
    /// dialect.
    #[arg(long, value_name = "WHAT", default_value = "none", value_parser = ["none", "next"], requires = "cassette")]
    cassette_fallback: String,
    /// Replay every recording to the lab's own client, say how far each chunk is from its recorded offset, and exit:
    /// with code 1 if that is more than 2 ms at p99, or 5 ms at a first token.
    #[arg(long, requires = "cassette")]
    pub(super) check: bool,
    /// How often the check replays each.
    #[arg(long, value_name = "N", default_value_t = 5, requires = "check", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

impl Replayed {
    /// What the flags name, if they name anything.
    pub(super) fn read(&self) -> anyhow::Result<Option<Replay>> {
        let Some(directory) = &self.cassette else { return Ok(None) };
        let cassette = Cassette::read(directory).context("--cassette")?;
        Ok(Some(Replay { cassette: Arc::new(cassette), next: self.cassette_fallback == "next" }))
    }

    /// Replays the recordings here and says how well.
    pub(super) fn check(&self, replay: &Replay, slowdown: f64) -> anyhow::Result<ExitCode> {
        let checking = recorder::check(Arc::clone(&replay.cassette), slowdown, self.runs);
        let Some(checked) = Interruptible::new()?.until_interrupted(checking) else {
            return Ok(EXIT_INTERRUPTED.into());
        };
        let fidelity = checked?;
        output::print(&cassette::fidelity(&fidelity))?;
        Ok(if fidelity.is_acceptable() { ExitCode::SUCCESS } else { EXIT_REGRESSION.into() })
    }
}
