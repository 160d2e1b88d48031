//! `llmlab profile compare`: models side by side.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Lab, Shared, latency, shared};
use crate::cli::EXIT_INTERRUPTED;
use crate::profile::{Comparison, ComparisonPlan};
use crate::report::destination::Destination;
use crate::report::profile::{Document, compare as shown};
use crate::report::progress::Progress;

/// Compares models of one endpoint: every round asks each of them, in random order.
///
/// What drifts meanwhile, such as other load on the server, so meets all models alike, and each model is compared with
/// the fastest round by round. A model that answers less than 90% of its requests is not ranked.
///
/// When more than 5% of the requests fail the exit code is 1, when none succeeds 2.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// The models.
    #[arg(long, value_name = "MODEL", num_args = 1.., value_delimiter = ',',
          default_values = [shared::MODEL, "llama-3.1-8b-instruct", "qwen-coder-vllm"])]
    models: Vec<String>,
    /// Requests to each model that are measured.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    iterations: u32,
    /// Requests to each model before them, which are not.
    #[arg(long, value_name = "N", default_value_t = latency::WARMUP)]
    warmup: u32,
    /// What to ask.
    #[arg(long, value_name = "TEXT", default_value = PROMPT)]
    prompt: String,
    /// The most tokens of an answer.
    #[arg(long, value_name = "N", default_value_t = MAX_TOKENS, value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: u32,
    /// Ask one model after the other: for an engine that holds one model at a time and would load each anew.
    #[arg(long)]
    sequential: bool,
    /// Write the results and every request into this file, as JSON.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    #[command(flatten)]
    shared: Shared,
}

/// What is asked.
pub(super) const PROMPT: &str = "Write a Python function to calculate factorial.";
/// The most tokens of an answer.
pub(super) const MAX_TOKENS: u32 = 100;

const EXAMPLES: &str = r#"Examples:
  llmlab profile compare                                   Ollama, llama.cpp and vLLM behind LiteLLM
  llmlab profile compare --models llama3.1:8b llama3.2:3b qwen-coder-vllm --iterations 20
  llmlab profile compare --models llama3.1:8b my-model --provider my-model=TGI --export comparison.json
  llmlab profile compare --url http://localhost:11434 --models llama3.1:8b qwen2.5:7b --sequential"#;

/// Measures, shows and exports.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let shared = &args.shared;
    let export = shared.destination(args.export.as_deref())?;
    let progress = Box::new(Progress::default());
    let Some(lab) = Lab::open(shared, args.models.first(), Some(progress))? else {
        return Ok(EXIT_INTERRUPTED.into());
    };
    let plan = ComparisonPlan {
        asking: shared.asking(lab.dialect, &args.prompt, args.max_tokens),
        models: distinct(&args.models),
        iterations: args.iterations,
        warmup: args.warmup,
        sequential: args.sequential,
        percentiles: shared.percentiles(),
    };
    profile(&lab, shared, plan, export).map(ExitCode::from)
}

/// Measures as `plan` says, shows and exports it, and returns the exit code.
pub(super) fn profile(
    lab: &Lab,
    shared: &Shared,
    plan: ComparisonPlan,
    export: Option<Destination>,
) -> anyhow::Result<u8> {
    lab.announce(&plan.models, plan.estimate(&lab.session))?;
    let comparison = Comparison::new(plan.clone(), &shared.providers());
    lab.screen.show(&shown::header(&lab.session, &plan));
    let ended = lab.carry_out(comparison.measure(&lab.session));
    let found = comparison.found();
    let counted = found.counted();
    let models = plan.models.join(", ");
    let document = Document::new(&lab.session, "providers", &plan.asking, &models, found).in_seconds();
    let text = shown::text(&document.found, &document.provenance);
    lab.finish(document, &text, ended, export, &counted)
}

/// Each model once, in the order in which they were named.
pub(super) fn distinct(models: &[String]) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for model in models {
        if !distinct.contains(model) {
            distinct.push(model.clone());
        }
    }
    distinct
}
