//! `llmlab selftest`: how far is the lab itself off?

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::interrupt::Interruptible;
use crate::cli::{EXIT_INTERRUPTED, EXIT_REGRESSION, output};
use crate::instrument::selftest::{self, Options};
use crate::instrument::usage::raise_open_files;
use crate::report::destination::Destination;
use crate::report::say;
use crate::report::selftest::SelfTest;

/// Measures how far the lab's own times are from the truth, and how much one process can do.
///
/// A server in a process of its own, which shares no code with the lab's client, writes into each token when it wrote
/// it. What the client reports beyond that is its error: of the time to first token, of the gaps between tokens, and of
/// a pause of 300 ms. A raw reader that only counts and stamps asks the same server in turn, and shows how much of it
/// is the machine's. Everything stays on this machine. The exit code is 1 when a bound is missed, and the message names
/// which; 2 when nothing could be measured.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Numbers of streams at a time [default: 1,8,64,256,1000].
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', value_parser = streams)]
    streams: Vec<usize>,
    /// Answers of each stream, in each run [default: 12 for one stream, 3 for many].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    requests: Option<u32>,
    /// Measure everything this often, and show medians.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// A quick look: 1 and 64 streams, and few answers.
    #[arg(long)]
    quick: bool,
    /// Keep the server on this core; `taskset` keeps the lab on others.
    #[arg(long, value_name = "N")]
    server_core: Option<usize>,
    /// Print JSON to standard output instead of the tables.
    #[arg(long)]
    json: bool,
    /// Write the JSON into this file as well.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The numbers of streams, unless they were named.
const STREAMS: [usize; 5] = [1, 8, 64, 256, 1_000];
/// Those of a quick look.
const QUICK: [usize; 2] = [1, 64];
/// Files that a process needs beside a socket for each stream.
const OTHER_FILES: u64 = 64;

const EXAMPLES: &str = "Examples:
  llmlab selftest                                      1 to 1,000 streams, about a minute
  llmlab selftest --quick                              is this machine fit to measure on?
  llmlab selftest --streams 1,64,1000 --runs 5 --output selftest.json
  taskset -c 0 llmlab selftest --server-core 1         the lab on one core, the server on another
  llmlab selftest --quick --json | jq '.levels[].client.ttft_error'
";

fn streams(text: &str) -> Result<usize, String> {
    text.trim()
        .parse()
        .ok()
        .filter(|streams| (1..=10_000).contains(streams))
        .ok_or_else(|| "expected whole numbers from 1 to 10000 with commas between, such as 1,64,1000".into())
}

/// Measures, shows and keeps it.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let options = args.options()?;
    let destination = args.output.as_deref().map(Destination::new).transpose();
    let destination = destination.with_context(|| format!("could not write --output {:?}", args.output))?;
    let interruptible = Interruptible::on_one_thread()?;
    let mut watch = |next: &str| say(&format!("[llmlab] selftest: {next}"));
    let Some(found) = interruptible.until_interrupted(selftest::run(&options, &mut watch)) else {
        return Ok(EXIT_INTERRUPTED.into());
    };
    let shown = SelfTest::new(found.map_err(|error| anyhow::anyhow!("failed to {error}"))?);
    let text = if args.json { serde_json::to_string_pretty(&shown)? } else { shown.text() };
    output::print(&text).context("could not write to standard output")?;
    if let Some(destination) = destination {
        let path = destination.path().to_owned();
        destination.write_json(&shown).with_context(|| format!("could not write {}", path.display()))?;
        say(&format!("[llmlab] the result is in {}", path.display()));
    }
    for breach in shown.breaches.iter().filter(|_| args.json) {
        say(&format!("MISSED at {breach}"));
    }
    Ok(if shown.within_bounds { ExitCode::SUCCESS } else { EXIT_REGRESSION.into() })
}

impl Args {
    fn options(&self) -> anyhow::Result<Options> {
        let named = (!self.streams.is_empty()).then(|| self.streams.clone());
        let streams = named.unwrap_or_else(|| if self.quick { QUICK.into() } else { STREAMS.into() });
        let most = streams.iter().max().copied().unwrap_or_default();
        if let Some(files) = raise_open_files() {
            anyhow::ensure!(
                most as u64 + OTHER_FILES <= files,
                "--streams {most}: this process may open {files} files only (ulimit -n)"
            );
        }
        Ok(Options {
            streams,
            runs: self.runs,
            requests: self.requests.map(|requests| requests as usize),
            quick: self.quick,
            server_core: self.server_core,
        })
    }
}
