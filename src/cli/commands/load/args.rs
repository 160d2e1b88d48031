//! What `llmlab load` is told.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::flags;
use crate::load::{Arrivals, TraceFormat};
use crate::settings::duration;
use crate::stats::Percentiles;
use crate::wire::Dialect;

/// Sends many requests to an endpoint, in a closed or an open loop, and says how long they took and what held them up.
///
/// A closed loop has --concurrency workers that each ask again when they were answered; an open loop (--rate, --trace)
/// asks at its own times, as users do. Response times run from when a request was meant to start, service times from
/// when it was sent. Failed requests are counted and are in no latency; nothing is tried again. Exit codes: 0 done, 1
/// --slo-p95 was missed, 2 a wrong flag, no server, not one answer, or a file that could not be written, 130
/// interrupted: what was measured until then is printed and written.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    #[command(flatten, next_help_heading = "Endpoint")]
    pub(super) endpoint: Endpoint,
    #[command(flatten, next_help_heading = "Pace")]
    pub(super) pace: Pace,
    #[command(flatten, next_help_heading = "Prompts")]
    pub(super) prompts: Prompts,
    #[command(flatten, next_help_heading = "Result")]
    pub(super) result: Output,
    #[command(flatten, next_help_heading = "Target and budget")]
    pub(super) target: flags::Target,
}

#[derive(Debug, clap::Args)]
pub(super) struct Endpoint {
    /// Where requests are posted [default: http://localhost:8000/generate]. Its path says the dialect: /generate,
    /// /v1/chat/completions or /v1/messages.
    #[arg(long, value_name = "URL", conflicts_with = "target")]
    pub(super) endpoint: Option<String>,
    /// The dialect, where the path does not say it: generate, openai or anthropic.
    #[arg(long)]
    pub(super) dialect: Option<Dialect>,
    /// What a request may take, such as 60s [default: 60s] [env: LLMLAB_TIMEOUT].
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = duration)]
    pub(super) timeout: Option<Duration>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Pace {
    /// How many requests are measured [default: 50; of a trace, all].
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) requests: Option<u32>,
    /// Send requests for so long instead, such as 30s.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, conflicts_with = "requests", value_parser = above_zero)]
    pub(super) duration: Option<Duration>,
    /// Workers of a closed loop [default: 5]; with --rate or --trace, the most requests at once [default: no bound].
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) concurrency: Option<u32>,
    /// An open loop: so many requests a second, whatever becomes of the answers.
    #[arg(long, value_name = "PER_SECOND", allow_hyphen_values = true, value_parser = positive)]
    pub(super) rate: Option<f64>,
    /// How its requests are spread: poisson or constant.
    #[arg(long, value_name = "KIND", default_value = "poisson", requires = "rate")]
    pub(super) arrivals: Arrivals,
    /// Let workers join one by one, or the rate grow evenly, over this time.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "0s", conflicts_with = "trace", value_parser = duration)]
    pub(super) ramp: Duration,
    /// Requests before the load that warm up; they are discarded.
    #[arg(long, value_name = "N", allow_hyphen_values = true, default_value_t = 5, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub(super) warmup: u32,
}

#[derive(Debug, clap::Args)]
pub(super) struct Prompts {
    /// The most tokens to answer with [default: 100; of a trace, what it says].
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) max_tokens: Option<u32>,
    /// The share of prompts that repeat, 0 to 1: three of them take turns.
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true, default_value = "0.3", value_parser = ratio)]
    pub(super) repeat_ratio: f64,
    /// Choose what repeats among a hundred prompts by a Zipf distribution with this exponent, such as 1.
    #[arg(long, value_name = "EXPONENT", allow_hyphen_values = true, value_parser = positive)]
    pub(super) zipf: Option<f64>,
    /// The order of prompts of the tool that this replaces: unique ones first, repeated ones last, and the warm-up takes
    /// the first of them. Otherwise they are shuffled and the warm-up has prompts of its own.
    #[arg(long)]
    pub(super) compat: bool,
    /// Send each prompt that repeats once before, so that caches know it.
    #[arg(long)]
    pub(super) warm_cache: bool,
    /// Prompts of one's own, over and over: JSON lines {"prompt": "...", "max_tokens": 50}.
    #[arg(long, value_name = "FILE.jsonl", conflicts_with_all = ["repeat_ratio", "zipf", "compat", "trace"])]
    pub(super) prompts: Option<PathBuf>,
    /// Lengths and times of a public trace: Mooncake's JSON lines, or the CSV of the Azure LLM inference traces or of
    /// BurstGPT. What failed there is left out.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "repeat_ratio", "zipf", "compat"])]
    pub(super) trace: Option<PathBuf>,
    /// How it is written, where its first line does not tell: mooncake, azure or burstgpt.
    #[arg(long, value_name = "FORMAT", requires = "trace")]
    pub(super) trace_format: Option<TraceFormat>,
    /// Multiply the trace's times: 0.1 is ten times as fast.
    #[arg(long, value_name = "FACTOR", allow_hyphen_values = true, default_value_t = 1.0, requires = "trace", value_parser = positive)]
    pub(super) time_scale: f64,
}

#[derive(Debug, clap::Args)]
pub(super) struct Output {
    /// Write the result to this file, as JSON (fixtures/schemas/load.v1.json).
    #[arg(long, value_name = "FILE.json")]
    pub(super) output: Option<PathBuf>,
    /// Write a record of each request to this file as it ends, one JSON line each.
    #[arg(long, value_name = "FILE.jsonl")]
    pub(super) raw: Option<PathBuf>,
    /// Write the result to standard output as JSON, instead of the text.
    #[arg(long)]
    pub(super) json: bool,
    /// How percentiles are taken: linear, or floor as the tool that this replaces does.
    #[arg(long, value_name = "METHOD", default_value = "linear")]
    pub(super) compat_percentile: Percentiles,
    /// A good answer's first token comes within this time of when the request was meant to start.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = above_zero)]
    pub(super) slo_ttft: Option<Duration>,
    /// A good answer's further tokens take at most this time each.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = above_zero)]
    pub(super) slo_tpot: Option<Duration>,
    /// A good answer is complete within this time of when the request was meant to start.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = above_zero)]
    pub(super) slo_total: Option<Duration>,
    /// The 95th percentile of the response times may be this; beyond it the exit code is 1.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = above_zero)]
    pub(super) slo_p95: Option<Duration>,
}

const EXAMPLES: &str = "Examples:
  llmlab mock --port 8000 &
  llmlab load                                                  50 requests, 5 at once
  llmlab load --concurrency 20 --requests 200 --output results.json
  llmlab load --repeat-ratio 0.5 --requests 100 --compat       what a cache of answers brings
  llmlab load --rate 20 --duration 30s --slo-ttft 450ms        an open loop, and its goodput
  llmlab load --concurrency 64 --ramp 20s --duration 40s       where do more workers bring nothing?
  llmlab load --endpoint http://127.0.0.1:8080/v1/chat/completions --model qwen3-0.6b
  llmlab load --trace conversation_trace.jsonl --time-scale 0.1 --requests 500
  llmlab load --target mock --dialect openai --raw requests.jsonl    no server at all
";

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| *number > 0.0 && *number < 1e6);
    number.ok_or_else(|| "expected a number above 0 and below a million".to_owned())
}

fn ratio(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "expected a share between 0 and 1, such as 0.3".to_owned())
}

fn above_zero(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|time| {
        if time.is_zero() { Err("it must be longer than nothing".to_owned()) } else { Ok(time) }
    })
}
