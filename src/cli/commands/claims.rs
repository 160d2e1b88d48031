//! `llmlab claims`: what is claimed, held against what was measured here.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::baseline::{self, criterion_home};
use crate::cli::output;
use crate::report::claims::{CLAIMS_SCHEMA_VERSION, ClaimsReport};
use crate::report::matrix;
use crate::report::results::Comparison;
use crate::report::say;
use crate::settings::Environment;
use crate::verdict::claims::{Measured, claims, judge, rank};

/// Holds published claims against what was measured: supported, supported only where, or contradicted.
///
/// It reads the newest run of each bench under target/criterion, and the results in DIR; a group in DIR wins.
/// The claims, each with its source, are collected by hand (fixtures/claims.toml); what no bench here measured
/// yet is listed with the command that measures it. Each verdict says whether its figures are simulated,
/// replayed or live. The newest matrix in DIR ranks the optimisations for each task.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The folder of results of llmlab run and llmlab matrix.
    #[arg(value_name = "DIR", default_value = "results")]
    folder: PathBuf,
    /// Only claims about this optimisation.
    #[arg(long, value_name = "NAME")]
    optimization: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:
  cargo bench && llmlab matrix && llmlab claims       measure everything, then judge
  llmlab claims --optimization streaming
  llmlab claims --json | jq '.claims[] | select(.standing == \"contradicted\") | .text'
";

/// Judges and shows.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let results = results(&args.folder)?;
    let mut measured: Vec<Measured> = results.iter().rev().flat_map(matrix::measured).collect();
    for (truth, summary) in baseline::newest_summaries(&criterion_home(&Environment::of_process())) {
        measured.push(Measured { truth, summary });
    }
    let newest = results.iter().rev().find(|result| result.name == "matrix");
    let rankings = newest.map(|matrix| rank(&matrix::measured(matrix), "makespan")).unwrap_or_default();
    let wanted = |name: &str| args.optimization.as_deref().is_none_or(|wanted| wanted == name);
    let known = claims().iter().filter(|claim| wanted(&claim.optimization));
    let judged: Vec<_> = known.map(|claim| judge(claim, &measured, &rankings)).collect();
    anyhow::ensure!(!judged.is_empty(), "--optimization: there is no claim about it");
    let report = ClaimsReport { schema_version: CLAIMS_SCHEMA_VERSION, claims: judged, rankings };
    output::print(&if args.json { serde_json::to_string_pretty(&report)? } else { report.text() })?;
    Ok(ExitCode::SUCCESS)
}

/// Whether the instrument was within its bounds; one that was not is said to be left out.
fn is_valid(result: &Comparison) -> bool {
    let invalid = result.instrument.as_ref().filter(|certificate| !certificate.valid);
    if let Some(certificate) = invalid {
        let (name, start) = (&result.name, &result.timestamp);
        say(&format!("[llmlab] {name} of {start} is left out, INVALID: {}", certificate.reasons.join("; ")));
    }
    invalid.is_none()
}

/// The comparisons in a folder, oldest first; a folder that is not there holds none, and profiles are none.
fn results(folder: &Path) -> anyhow::Result<Vec<Comparison>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    let comparisons = files.iter().filter_map(|path| Comparison::recognise(path).transpose());
    let mut results = comparisons.collect::<Result<Vec<_>, _>>()?;
    results.retain(|result| !result.smoke && is_valid(result));
    results.sort_by(|a, b| a.timestamp.cmp(&b.timestamp));
    Ok(results)
}
