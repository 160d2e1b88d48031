//! `llmlab report`: exported results compared with each other, and as charts.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::output;
use crate::report::charts;
use crate::report::compare::{Comparison, Comparisons};
use crate::report::exported::Exported;

/// Reports on exported results: compares them, or draws charts of one.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    report: Report,
}

const EXAMPLES: &str = "Examples:
  llmlab report compare before.json after.json
  llmlab report charts after.json";

#[derive(Debug, clap::Subcommand)]
enum Report {
    Compare(Compare),
    Charts(Charts),
}

/// Compares results with the first one, configuration by configuration.
///
/// An improvement is positive where the later result is faster: (first - later) / first. Its 95% interval is a
/// bootstrap of both samples apart from each other, since the values of two runs are no pairs; it is shown
/// where there are enough single values: 7 for p50, 90 for p95, 459 for p99. Green is faster and red slower,
/// on a terminal and where the interval leaves no doubt.
///
/// This is for reading. llmlab gate decides.
#[derive(Debug, clap::Args)]
#[command(after_long_help = COMPARE_EXAMPLES)]
struct Compare {
    /// The result that the others are compared with.
    #[arg(value_name = "FIRST")]
    first: PathBuf,
    /// The results to compare with it.
    #[arg(value_name = "LATER", required = true)]
    later: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// No colour, even on a terminal; a NO_COLOR in the environment does the same.
    #[arg(long)]
    no_color: bool,
}

const COMPARE_EXAMPLES: &str = r#"Examples:
  llmlab report compare before.json after.json
  llmlab report compare main.json branch-a.json branch-b.json
  llmlab report compare before.json after.json --json | jq '.comparisons[].rows[] | {configuration, figure, improvement}'"#;

/// Draws three charts of a result as SVG.
///
/// <result>-histogram.svg: the total latencies of each configuration in 20 bins, with p50 and p95.
/// <result>-percentiles.svg: p50 and p95 by configuration.
/// <result>-ttft.svg: each request's time to first token against its total latency.
#[derive(Debug, clap::Args)]
#[command(after_long_help = CHARTS_EXAMPLES, verbatim_doc_comment)]
struct Charts {
    /// The exported result.
    #[arg(value_name = "RESULT")]
    result: PathBuf,
    /// The folder to write to; it is made where it is missing.
    #[arg(long, value_name = "DIR", default_value = "results/charts")]
    output_dir: PathBuf,
}

const CHARTS_EXAMPLES: &str = r#"Examples:
  llmlab report charts results/streaming_20260131_101500.json
  llmlab report charts after.json --output-dir /tmp/charts"#;

/// Makes the report.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.report {
        Report::Compare(args) => compare(args),
        Report::Charts(args) => charts(args),
    }
}

fn compare(args: &Compare) -> anyhow::Result<ExitCode> {
    let first = Exported::read(&args.first)?;
    let mut comparisons = Vec::new();
    for path in &args.later {
        comparisons.push(Comparison::of(&first, &Exported::read(path)?)?);
    }
    let comparisons = Comparisons::new(comparisons);
    let text = if args.json {
        serde_json::to_string_pretty(&comparisons)?
    } else {
        comparisons.text(output::colour(args.no_color))
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn charts(args: &Charts) -> anyhow::Result<ExitCode> {
    let result = Exported::read(&args.result)?;
    for path in charts::write(&result, &args.output_dir)? {
        output::print(&path.display().to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}
