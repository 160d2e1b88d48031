//! `llmlab profile`: one endpoint's latency, throughput, and models side by side.

mod all;
mod compare;
mod ended;
mod lab;
mod latency;
mod screen;
mod shared;
mod throughput;

use std::process::ExitCode;

use lab::Lab;
use shared::Shared;

/// Profiles an endpoint: latency, throughput, and models side by side.
///
/// It asks http://localhost:4000, where LiteLLM listens, unless --url or --target says otherwise; --target mock needs
/// neither a server nor a key. Requests are never sent again: a failure is counted, and is in no latency.
/// When more than 5% of them fail the exit code is 1, when none succeeds 2. Ctrl-C shows and exports what was measured.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    profile: Profile,
}

#[derive(Debug, clap::Subcommand)]
enum Profile {
    Latency(latency::Args),
    Throughput(throughput::Args),
    Compare(compare::Args),
    All(all::Args),
}

const EXAMPLES: &str = "Examples:
  llmlab profile latency --target mock                 one request at a time
  llmlab profile throughput --sweep --requests 50      the best concurrency
  llmlab profile compare --models llama3.1:8b qwen-coder-vllm
  llmlab profile all --model new-model:latest          the three of them
";

/// Profiles.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.profile {
        Profile::Latency(args) => latency::run(args),
        Profile::Throughput(args) => throughput::run(args),
        Profile::Compare(args) => compare::run(args),
        Profile::All(args) => all::run(args),
    }
}
