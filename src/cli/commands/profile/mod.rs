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
///
/// Exit codes: 0 done; 1 more than 5% of the requests failed; 2 none succeeded, or a flag, a file or the address is
/// wrong; 130 interrupted, after showing and exporting what was measured.
#[derive(Debug, clap::Args)]
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

/// Profiles.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.profile {
        Profile::Latency(args) => latency::run(args),
        Profile::Throughput(args) => throughput::run(args),
        Profile::Compare(args) => compare::run(args),
        Profile::All(args) => all::run(args),
    }
}
