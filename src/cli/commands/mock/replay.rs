//! Recordings in the place of an engine.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::flags::set;
use super::words::explain;
use crate::cli::interrupt::Interruptible;
use crate::cli::{EXIT_INTERRUPTED, EXIT_REGRESSION, output};
use crate::mock::{Fallback, MockFile};
use crate::recorder;
use crate::report::cassette;

/// What is replayed.
#[derive(Debug, clap::Args)]
pub(super) struct Replay {
    /// Answer with the recordings of this directory, at their recorded times, instead of a simulated engine.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["profile", "keep_bodies", "fault", "limit_rpm",
          "limit_input_tpm", "limit_output_tpm"])]
    cassette: Option<PathBuf>,
    /// What answers a request that was not recorded: an error that says what was, or the next recording in its
    /// dialect [default: none].
    #[arg(long, value_name = "none|next", value_parser = fallback)]
    cassette_fallback: Option<Fallback>,
    /// Replay every recording to the lab's own client, say how far each chunk is from its recorded offset, and exit:
    /// with code 1 if that is more than 2 ms at p99, or 5 ms at a first token.
    #[arg(long, requires = "cassette")]
    check: bool,
    /// How often the check replays each.
    #[arg(long, value_name = "N", default_value_t = 5, requires = "check", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

impl Replay {
    pub(super) fn apply(&self, settings: &mut MockFile) {
        set(&mut settings.cassette, self.cassette.clone().map(Some));
        set(&mut settings.cassette_fallback, self.cassette_fallback);
    }

    /// Replays the recordings to a client of this process and says how well, if that is what was asked.
    pub(super) fn checked(&self, settings: &MockFile) -> anyhow::Result<Option<ExitCode>> {
        if !self.check {
            return Ok(None);
        }
        let replay = settings.replay().map_err(|error| explain(error, settings.port))?;
        let Some(replay) = replay else { return Ok(None) };
        let checking = recorder::check(Arc::clone(&replay.cassette), settings.slowdown, self.runs);
        let Some(checked) = Interruptible::new()?.until_interrupted(checking) else {
            return Ok(Some(EXIT_INTERRUPTED.into()));
        };
        let fidelity = checked?;
        output::print(&cassette::fidelity(&fidelity))?;
        Ok(Some(if fidelity.is_acceptable() { ExitCode::SUCCESS } else { EXIT_REGRESSION.into() }))
    }
}

fn fallback(text: &str) -> Result<Fallback, String> {
    match text {
        "none" => Ok(Fallback::None),
        "next" => Ok(Fallback::Next),
        _ => Err("expected none or next".into()),
    }
}
