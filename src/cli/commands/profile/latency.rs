//! `llmlab profile latency`: how long one request takes.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Lab, Shared};
use crate::cli::EXIT_INTERRUPTED;
use crate::profile::{Latency, LatencyPlan};
use crate::report::destination::Destination;
use crate::report::profile::{Document, latency as shown};

/// Measures how long one request takes, one at a time: first byte, first token, whole answer, speed.
///
/// The total latency runs from the request's first byte to the answer's last content; opening a connection is not in
/// it. The first byte (TTFB) is that of the response's head; the first token (TTFT) is the first content.
///
/// When more than 5% of the requests fail the exit code is 1, when none succeeds 2.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// The model to ask for [default: llama3.1:8b, or the target's own].
    #[arg(long)]
    model: Option<String>,
    /// Requests to measure.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    iterations: u32,
    /// Requests before them, which are not measured.
    #[arg(long, value_name = "N", default_value_t = WARMUP)]
    warmup: u32,
    /// What to ask.
    #[arg(long, value_name = "TEXT", default_value = PROMPT)]
    prompt: String,
    /// The most tokens of an answer.
    #[arg(long, value_name = "N", default_value_t = MAX_TOKENS, value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: u32,
    /// Answers of these lengths instead, so that the time to first token and the time per token can be told apart.
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', conflicts_with = "max_tokens",
          value_parser = clap::value_parser!(u32).range(1..))]
    sweep_tokens: Vec<u32>,
    /// Write every measurement and the summary into this file, as JSON.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    #[command(flatten)]
    shared: Shared,
}

/// Requests before those that are measured.
pub(super) const WARMUP: u32 = 2;
/// What is asked.
pub(super) const PROMPT: &str = "Count from 1 to 10.";
/// The most tokens of an answer.
pub(super) const MAX_TOKENS: u32 = 100;

const EXAMPLES: &str = r#"Examples:
  llmlab profile latency                                   LiteLLM on this machine
  llmlab profile latency --target mock                     no server, no key
  llmlab profile latency --model qwen-coder-vllm --iterations 20 --warmup 5
  llmlab profile latency --url http://production:4000 --export "benchmarks/latency-$(date +%F).json"
  llmlab profile latency --sweep-tokens 10,50,100,200      time to first token, and for each further one
  llmlab trend benchmarks/
  llmlab gate before.json after.json --metric p50 --fail 15%"#;

/// Measures, shows and exports.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let shared = &args.shared;
    let export = shared.destination(args.export.as_deref())?;
    let Some(lab) = Lab::open(shared, args.model.as_ref(), None)? else {
        return Ok(EXIT_INTERRUPTED.into());
    };
    let plan = LatencyPlan {
        asking: shared.asking(lab.dialect, &args.prompt, args.max_tokens),
        model: lab.model(),
        iterations: args.iterations,
        warmup: args.warmup,
        percentiles: shared.percentiles(),
        sweep_tokens: args.sweep_tokens.clone(),
    };
    profile(&lab, shared, plan, export).map(ExitCode::from)
}

/// Measures as `plan` says, shows and exports it, and returns the exit code.
pub(super) fn profile(
    lab: &Lab,
    shared: &Shared,
    plan: LatencyPlan,
    export: Option<Destination>,
) -> anyhow::Result<u8> {
    lab.announce(std::slice::from_ref(&plan.model), plan.estimate(&lab.session))?;
    let latency = Latency::new(plan.clone(), &shared.providers());
    lab.screen.show(&shown::header(&lab.session, &plan));
    let ended =
        lab.carry_out(latency.measure(&lab.session, &|step| lab.screen.show(&shown::step(&step, &plan))));
    let found = latency.found();
    let counted = found.counted();
    // Answers of several lengths are no series with those of one.
    let name = if plan.sweep_tokens.is_empty() { "latency" } else { "latency_by_tokens" };
    let document = Document::new(&lab.session, name, &plan.asking, &plan.model, found);
    let text = shown::text(&document.found, &document.provenance);
    lab.finish(document, &text, ended, export, &counted)
}
