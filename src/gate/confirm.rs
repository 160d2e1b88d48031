//! Measuring suspects again.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{GateError, Looked};
use crate::baseline::{self, BenchRuns};
use crate::settings::Environment;

/// How suspects are measured again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm {
    /// How often, at most.
    pub runs: usize,
    /// What runs a bench, in place of `cargo bench --bench NAME --`: a program and its first arguments.
    pub command: Option<Vec<String>>,
}

impl Confirm {
    /// Measures the benchmarks of these ids once more, with as many samples as the new run had, in a Criterion
    /// directory of its own: what the run left stays as it is.
    pub(super) fn measure(
        &self,
        run: &Looked<'_>,
        ids: &[String],
        criterion_home: &Path,
        look: usize,
    ) -> Result<BenchRuns, GateError> {
        let bench = run.bench;
        let records = baseline::records(criterion_home, &bench.bench);
        let home = records.join("confirm").join(&run.new_run.run_id).join(look.to_string());
        let failed = |reason: String| GateError::Confirm { bench: bench.bench.clone(), reason };
        // What an earlier gate left here is no second look at this run.
        if home.exists() {
            std::fs::remove_dir_all(&home).map_err(|error| failed(error.to_string()))?;
        }
        std::fs::create_dir_all(&home).map_err(|error| failed(error.to_string()))?;
        let home = home.canonicalize().map_err(|error| failed(error.to_string()))?;
        let status = self.command(run, ids, &home).status();
        let status = status.map_err(|error| failed(error.to_string()))?;
        if !status.success() {
            return Err(failed(status.to_string()));
        }
        let again = baseline::latest_run(&home, &bench.bench)?;
        baseline::same_settings(&bench.fits, &again.fits)
            .map_err(|source| GateError::Mismatch { bench: bench.bench.clone(), source })?;
        Ok(again)
    }

    fn command(&self, run: &Looked<'_>, ids: &[String], home: &Path) -> Command {
        let cargo = Environment::of_process().get("CARGO").unwrap_or("cargo").to_owned();
        let ours = || [&cargo, "bench", "--bench", &run.bench.bench, "--"].map(String::from).to_vec();
        let words = self.command.clone().unwrap_or_else(ours);
        let (program, first) =
            words.split_first().map_or(("cargo", &[][..]), |(program, first)| (program.as_str(), first));
        let pattern = ids.iter().map(|id| regex::escape(id)).collect::<Vec<_>>().join("|");
        let mut command = Command::new(program);
        command
            .args(first)
            .args(["--noplot", "--sample-size", &run.samples.to_string(), &format!("^({pattern})$")])
            .env("CRITERION_HOME", home)
            .stdin(Stdio::null())
            // Criterion's account of a second look is no part of the gate's output.
            .stdout(Stdio::null());
        command
    }
}
