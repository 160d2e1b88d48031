//! `llmlab routing`: how often a router's classifiers are right.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use crate::cli::interrupt::Interruptible;
use crate::cli::{EXIT_INTERRUPTED, flags, output};
use crate::optimization::routing::{self, Accuracy, Prompt};
use crate::provenance::Provenance;
use crate::report::progress::Progress;
use crate::report::routing::AccuracyReport;
use crate::report::{say, traces};
use crate::session::Session;
use crate::settings::Settings;
use crate::telemetry::Tracing;

/// Says how often a router's classifiers are right, as a confusion matrix over labelled prompts.
///
/// The small model (--small-model) classifies each labelled prompt once; a heuristic of a few rules does so too,
/// and asks nobody. A prompt that is sent to the wrong model is counted both ways: a hard one sent to the small
/// model suffers in its answer, an easy one sent to the large model costs more than it need. What routing does to
/// latency is what llmlab run routing tells.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Classify the labelled prompts, and show how often that is right.
    #[arg(long, required = true)]
    accuracy: bool,
    /// Only nine of them, three of each class.
    #[arg(long)]
    smoke: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Target and budget")]
    target: flags::Target,
}

const EXAMPLES: &str = "Examples:
  llmlab routing --accuracy                       the simulator's small model, whose accuracy is assumed
  llmlab routing --accuracy --smoke --target anthropic --small-model claude-haiku-4-5
  LLMLAB_TARGET=openai+http://127.0.0.1:8080 llmlab routing --accuracy --small-model qwen3-0.6b
";

/// Classifies and shows the matrices.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let settings = Settings::from_environment(&args.target.environment())?;
    let prompts = if args.smoke { routing::smoke() } else { routing::prompts().to_vec() };
    let Some(classified) = Interruptible::new()?.until_interrupted(classify(settings, &prompts)) else {
        return Ok(EXIT_INTERRUPTED.into());
    };
    let (accuracy, provenance) = classified?;
    let text = if args.json {
        serde_json::to_string_pretty(&AccuracyReport::new(&accuracy, &provenance))?
    } else {
        accuracy.report().join("\n")
    };
    output::print(&text).context("could not write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

async fn classify(settings: Settings, prompts: &[Prompt]) -> anyhow::Result<(Accuracy, Provenance)> {
    let tracing = Tracing::of(&settings)?;
    let mut session = Session::start(settings).await?;
    traces::begin(&tracing, &mut session, "llmlab routing")?;
    session.observe(Box::new(Progress::default()));
    let truth = &session.provenance().truth;
    say(&format!("[llmlab] routing accuracy · {truth} · {} labelled prompts", prompts.len()));
    let session = Arc::new(session);
    let accuracy = routing::accuracy(&session, prompts).await;
    traces::ended(tracing).await;
    Ok((accuracy?, session.provenance().clone()))
}
