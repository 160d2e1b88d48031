//! `llmlab gate`: did anything get slower?

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;

use crate::baseline::{self, DIRECTORY};
use crate::cli::{EXIT_INCONCLUSIVE, EXIT_REGRESSION, output};
use crate::gate::{self, Confirm, Options, RulesFile};
use crate::report::exported::Exported;
use crate::report::{gate as exporters, say};
use crate::settings::{Environment, share};
use crate::verdict::Quantile;
use crate::verdict::gate::Outcome;

/// Compares the latest runs of a baseline's benches with it, or two exported results: exit code 1 means that
/// something got slower.
///
/// Simulated and replayed runs are paired with the baseline round by round; live ones are judged by each arm's
/// ratio to its control, with the baseline's runs as replicates. Every benchmark ends as pass, improved,
/// regression or inconclusive. A missing baseline or benchmark is an error, never a pass.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Two exported results to compare, the earlier one first, instead of a baseline.
    #[arg(num_args = 2, value_names = ["BEFORE.json", "AFTER.json"], required_unless_present = "baseline", conflicts_with = "baseline")]
    exports: Vec<PathBuf>,
    /// The baseline.
    #[arg(long, value_name = "NAME")]
    baseline: Option<String>,
    /// This bench alone.
    #[arg(long, value_name = "BENCH", conflicts_with = "exports")]
    bench: Option<String>,
    /// Judge this percentile, p50, p90, p95 or p99, instead of the whole distribution; each benchmark by itself.
    #[arg(long, value_name = "PERCENTILE")]
    metric: Option<Quantile>,
    /// The slowdown from which on a benchmark fails, 10% or 0.1 [default: what the rules say, or 10%].
    #[arg(long, visible_alias = "fail", value_name = "SHARE", value_parser = share)]
    max_regress: Option<f64>,
    /// The slowdown of two exported results from which on it is warned of.
    #[arg(long, value_name = "SHARE", default_value = "10%", value_parser = share)]
    warn: f64,
    /// The slowdown that a benchmark must be able to show, else it is inconclusive.
    #[arg(long, value_name = "SHARE", default_value = "20%", value_parser = share)]
    detect: f64,
    /// A file of limits for single benchmarks: see the examples.
    #[arg(long, value_name = "FILE", conflicts_with = "exports")]
    rules: Option<PathBuf>,
    /// Measure suspects again before anything fails, at most so many times [default without a number: 12].
    #[arg(long, value_name = "RUNS", num_args = 0..=1, default_missing_value = "12", value_parser = clap::value_parser!(u8).range(1..=100), conflicts_with_all = ["exports", "metric"])]
    confirm: Option<u8>,
    /// What runs a bench again, instead of `cargo bench --bench NAME --`.
    #[arg(long, value_name = "COMMAND", requires = "confirm", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    confirm_with: Option<String>,
    /// How to write the findings; of two exported results as text or JSON.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Write them into this file, and the text to the console.
    #[arg(long, value_name = "FILE", conflicts_with = "exports")]
    output: Option<PathBuf>,
    /// Show benchmarks that passed, too.
    #[arg(long)]
    all: bool,
    /// Compare a live baseline of another kind of machine all the same.
    #[arg(long)]
    force: bool,
    /// The folder of baselines.
    #[arg(long, value_name = "DIR", default_value = DIRECTORY)]
    dir: PathBuf,
    /// Criterion's directory; found as Criterion finds it: $CRITERION_HOME, or target/criterion.
    #[arg(long, value_name = "DIR")]
    criterion_home: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    /// For a console.
    #[default]
    Text,
    /// For programs (fixtures/schemas/gate.v1.json).
    Json,
    /// For a pull request or a job summary.
    Markdown,
    /// For build servers.
    Junit,
}

const EXAMPLES: &str = r#"Examples:
  cargo bench && llmlab gate --baseline simulated
  llmlab gate --baseline main --confirm --max-regress 5%
  llmlab gate --baseline main --format markdown --output "$GITHUB_STEP_SUMMARY"
  llmlab gate --baseline main --metric p95                  takes 90 samples a benchmark
  llmlab gate before.json after.json --metric p95 --warn 10% --fail 15%

A file for --rules; of several rules that match a benchmark, the last one counts:
  max_regress = "10%"

  [[benchmark]]
  id = "^caching/ttft/cached/"     # a regular expression
  max_regress = "5%"

  [[benchmark]]
  id = "/tpot/"
  gate = false                     # shown, and never fails
"#;

/// Judges, writes the findings, and turns them into an exit code.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let outcome = match (args.exports.as_slice(), &args.baseline) {
        ([before, after], _) => args.judge_exports(before, after)?,
        (_, Some(name)) => args.judge_baseline(name)?,
        _ => anyhow::bail!("name a --baseline, or two exported results"),
    };
    Ok(match outcome {
        Outcome::Pass => ExitCode::SUCCESS,
        Outcome::Regression => EXIT_REGRESSION.into(),
        Outcome::Inconclusive => EXIT_INCONCLUSIVE.into(),
    })
}

impl Args {
    fn judge_baseline(&self, name: &str) -> anyhow::Result<Outcome> {
        let report = gate::run(&self.options(name)?, &mut |sentence| say(&format!("[llmlab] {sentence}")))?;
        let written = match self.format {
            Format::Text => exporters::text::report(&report, self.all),
            Format::Json => exporters::json(&report),
            Format::Markdown => exporters::markdown::report(&report),
            Format::Junit => exporters::junit::report(&report)?,
        };
        if let Some(path) = &self.output {
            fs::write(path, written).with_context(|| format!("--output {}", path.display()))?;
            output::print(&exporters::text::report(&report, self.all))?;
        } else {
            output::print(&written)?;
        }
        Ok(report.outcome)
    }

    fn judge_exports(&self, before: &Path, after: &Path) -> anyhow::Result<Outcome> {
        let (before, after) = (Exported::read(before)?, Exported::read(after)?);
        let quantile = self.metric.unwrap_or(Quantile::P95);
        let judged = exporters::exports::judge(
            &before,
            &after,
            quantile,
            self.warn,
            self.max_regress.unwrap_or(gate::MAX_REGRESS),
        )?;
        let outcome = judged.outcome;
        output::print(&match self.format {
            Format::Text => judged.text,
            Format::Json => serde_json::to_string_pretty(&judged)?,
            Format::Markdown | Format::Junit => {
                anyhow::bail!("--format: two exported results are written as text or json")
            }
        })?;
        Ok(outcome)
    }

    fn options(&self, name: &str) -> anyhow::Result<Options> {
        let home = || baseline::criterion_home(&Environment::of_process());
        let words = |text: &String| text.split_whitespace().map(String::from).collect();
        Ok(Options {
            name: name.into(),
            directory: self.dir.clone(),
            criterion_home: self.criterion_home.clone().unwrap_or_else(home),
            bench: self.bench.clone(),
            max_regress: self.max_regress,
            detect: self.detect,
            rules: self.rules.as_deref().map(RulesFile::read).transpose()?.unwrap_or_default(),
            quantile: self.metric,
            confirm: self
                .confirm
                .map(|runs| Confirm { runs: runs.into(), command: self.confirm_with.as_ref().map(words) }),
            force: self.force,
        })
    }
}
