//! `llmlab profile throughput`: how many requests are answered at once.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::{Lab, Shared};
use crate::cli::{EXIT_INTERRUPTED, flags};
use crate::profile::{Throughput, ThroughputPlan};
use crate::report::destination::Destination;
use crate::report::profile::{Document, throughput as shown};

/// Measures how many requests are answered a second when so many are under way at once.
///
/// RPS counts every request that ended, as older profilers do; goodput counts answers alone. With --sweep the best
/// concurrency is the one with the highest goodput among those with at least 99% success and, with --slo-p95, with that
/// latency at most.
///
/// When more than 5% of the requests fail the exit code is 1, when none succeeds 2.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// The model to ask for [default: llama3.1:8b, or the target's own].
    #[arg(long)]
    model: Option<String>,
    /// Requests, of each level.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
    /// Requests under way at once.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    concurrency: u32,
    /// Go through these levels instead.
    #[arg(long, value_name = "N,N,...", num_args = 0..=1, default_missing_value = LEVELS, conflicts_with = "concurrency",
          value_parser = levels)]
    sweep: Option<Levels>,
    /// The wait between two levels.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = flags::time)]
    pause: Duration,
    /// The 95th percentile of the latency that the best level may have at most, in milliseconds.
    #[arg(long, value_name = "MS", requires = "sweep")]
    slo_p95: Option<f64>,
    /// What to ask.
    #[arg(long, value_name = "TEXT", default_value = PROMPT)]
    prompt: String,
    /// The most tokens of an answer.
    #[arg(long, value_name = "N", default_value_t = MAX_TOKENS, value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: u32,
    /// Write the levels and every request into this file, as JSON.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    #[command(flatten)]
    shared: Shared,
}

/// The levels of a sweep, as typed.
pub(super) const LEVELS: &str = "1,2,5,10,20,50";
/// The wait between two of them.
pub(super) const PAUSE: Duration = Duration::from_secs(2);
/// What is asked.
pub(super) const PROMPT: &str = "Say hello.";
/// The most tokens of an answer.
pub(super) const MAX_TOKENS: u32 = 50;

const EXAMPLES: &str = r#"Examples:
  llmlab profile throughput                                100 requests, 10 at once
  llmlab profile throughput --requests 500 --concurrency 50 --export throughput.json
  llmlab profile throughput --sweep --requests 50          1, 2, 5, 10, 20 and 50 at once
  llmlab profile throughput --sweep 1,4,16 --slo-p95 800   the best with p95 below 800 ms
  llmlab profile throughput --target mock --sweep --pause 0s"#;

/// Levels in ascending order.
#[derive(Debug, Clone)]
pub(super) struct Levels(pub(super) Vec<u32>);

/// The levels of a sweep from text.
pub(super) fn levels(text: &str) -> Result<Levels, String> {
    let level = |part: &str| part.trim().parse().ok().filter(|level| (1..=10_000).contains(level));
    let levels: Option<Vec<u32>> = text.split(',').map(level).collect();
    let mut levels =
        levels.ok_or("expected whole numbers from 1 to 10000 with commas between, such as 1,2,5")?;
    levels.sort_unstable();
    levels.dedup();
    Ok(Levels(levels))
}

/// Measures, shows and exports.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let shared = &args.shared;
    let export = shared.destination(args.export.as_deref())?;
    let Some(lab) = Lab::open(shared, args.model.as_ref(), None)? else {
        return Ok(EXIT_INTERRUPTED.into());
    };
    let plan = ThroughputPlan {
        asking: shared.asking(lab.dialect, &args.prompt, args.max_tokens),
        model: lab.model(),
        requests: args.requests,
        levels: args.sweep.as_ref().map_or_else(|| vec![args.concurrency], |levels| levels.0.clone()),
        sweep: args.sweep.is_some(),
        pause: args.pause,
        percentiles: shared.percentiles(),
        slo_p95_ms: args.slo_p95,
    };
    profile(&lab, shared, plan, export).map(ExitCode::from)
}

/// Measures as `plan` says, shows and exports it, and returns the exit code.
pub(super) fn profile(
    lab: &Lab,
    shared: &Shared,
    plan: ThroughputPlan,
    export: Option<Destination>,
) -> anyhow::Result<u8> {
    lab.announce(std::slice::from_ref(&plan.model), plan.estimate(&lab.session))?;
    let throughput = Throughput::new(plan.clone(), &shared.providers());
    lab.screen.show(&format!("{}\n", shown::header(&lab.session, &plan)));
    let ended =
        lab.carry_out(throughput.measure(&lab.session, &|step| lab.screen.show(&shown::step(&step, &plan))));
    let found = throughput.found();
    let counted = found.counted();
    let document = Document::new(&lab.session, "throughput", &plan.asking, &plan.model, found);
    let text = shown::text(&document.found, &document.provenance);
    lab.finish(document, &text, ended, export, &counted)
}
