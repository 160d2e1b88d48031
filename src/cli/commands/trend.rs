//! `llmlab trend`: how a latency moves over the results of many days.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::{EXIT_ERROR, output};
use crate::report::figure::Figure;
use crate::report::say;
use crate::report::trend::Trend;

/// Shows how a latency moves over exported results, and where its level changed.
///
/// Reads every .json in DIR (not in folders below it), in the order of the results' own timestamps or, where
/// they have none, of the dates in their names. Each configuration is a series of its own, and results of
/// another mode, engine, target or model never mix. A change of level is a split of the series that at most
/// 2.5% of random orders show as clearly; it takes 9 results at least, with 2 on either side of it.
///
/// Whatever the trend, the exit code is 0. A file that cannot be read is a hole in a series: the rest is shown,
/// the file is named on standard error, and the exit code is 2.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The folder of exported results.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The figure to follow: p50, p90, p95 or p99 of the total latency, or ttft_p50 and so on of the time to
    /// first token.
    #[arg(long, value_name = "FIGURE", default_value = "p95")]
    metric: Figure,
    /// Only this configuration, such as on/50.
    #[arg(long, value_name = "NAME")]
    config: Option<String>,
    /// Also draw the series into this file, as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = r#"Examples:
  llmlab trend benchmarks/                                 p95 of every configuration
  llmlab trend results --metric ttft_p50 --config on/50
  llmlab trend results --svg trend.svg
  llmlab trend results --json | jq '.series[].changes'

In the table a change above 0 is slower."#;

/// Shows the trend.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let trend = Trend::read(&args.folder, args.metric, args.config.as_deref())?;
    if let Some(path) = &args.svg {
        let svg = trend.svg().context("could not draw the trend")?;
        fs::write(path, svg).with_context(|| format!("--svg {}", path.display()))?;
    }
    if args.json {
        output::print(&serde_json::to_string_pretty(&trend)?)?;
    } else if !trend.series.is_empty() {
        output::print(&trend.text())?;
    }
    if trend.unreadable.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let reasons: Vec<_> = trend.unreadable.iter().map(|file| format!("\n  {}", file.reason)).collect();
    say(&format!("error: the series lack what cannot be read:{}", reasons.concat()));
    Ok(ExitCode::from(EXIT_ERROR))
}
