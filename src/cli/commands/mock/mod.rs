//! `llmlab mock`: the mock server alone, for any client in any language.

mod replayed;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use crate::catalog::{self, Profile};
use crate::cli::interrupt::end;
use crate::cli::output;
use crate::mock::{GenerateConfig, Mock, MockConfig, MockError, Replay};
use crate::report::{cassette, say};
use crate::settings::Settings;
use crate::wire::Dialect;

/// Serves the mock: answers like a large language model's API, at the speed of a profile, without key or network.
///
/// The first line on standard output is the server's URL, the rest says what it answers. It serves until
/// Ctrl-C (exit code 130) or SIGTERM (0), then says on standard error how many requests it had and how late
/// it wrote. There is no authentication and any key will do, so it listens on this machine alone.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The engine to simulate; --list-profiles shows all.
    #[arg(long, value_name = "NAME", default_value = Profile::DEFAULT, value_parser = known_profile)]
    profile: &'static Profile,
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// The loopback address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", value_parser = loopback)]
    host: IpAddr,
    /// The seed of all noise: the same seed and requests give the same answers at the same times.
    #[arg(long, default_value_t = Settings::simulated().seed)]
    seed: u64,
    /// Multiplies every simulated or recorded time: 1.3 makes a regression of 30%.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = factor)]
    slowdown: f64,
    /// Keep the bodies of the last requests, to be read at /_mock/requests.
    #[arg(long)]
    keep_bodies: bool,
    /// List the engines that can be simulated, and exit.
    #[arg(long)]
    list_profiles: bool,
    #[command(flatten, next_help_heading = "The /generate endpoint")]
    generate: Generate,
    #[command(flatten, next_help_heading = "Replay")]
    replay: replayed::Replayed,
}

/// The knobs of `/generate`.
#[derive(Debug, clap::Args)]
struct Generate {
    /// Most prompts in one batch.
    #[arg(long, value_name = "N", default_value = "8", value_parser = at_least_one)]
    max_batch_size: usize,
    /// How long a batch waits for more prompts, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 50)]
    batch_timeout_ms: u64,
    /// How long an answer is given again, in seconds; 0 turns the cache off.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    cache_ttl: u64,
    /// Most answers kept; 0 turns the cache off.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    cache_max_entries: usize,
}

const EXAMPLES: &str = r#"Examples:
  llmlab mock                                     on http://127.0.0.1:8000, engine "fast"
  llmlab mock --port 0 --profile claude-sonnet-4.6 --slowdown 1.3

Ask it, in each dialect (any model name is answered; known ones follow their vendor's cache rules):
  curl -N http://127.0.0.1:8000/v1/messages -d '{"model": "claude-sonnet-4-6", "max_tokens": 64,
    "stream": true, "messages": [{"role": "user", "content": "Hello"}]}'
  curl -N http://127.0.0.1:8000/v1/chat/completions -d '{"model": "gpt-4o", "stream": true,
    "messages": [{"role": "user", "content": "Hello"}]}'
  curl http://127.0.0.1:8000/generate -d '{"prompt": "Hello", "max_tokens": 64}'

Point an official client at it (Python; others take the same URL):
  anthropic.Anthropic(base_url="http://127.0.0.1:8000", api_key="any")
  openai.OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="any")

Point a bench at it:
  LLMLAB_TARGET=anthropic+http://127.0.0.1:8000 LLMLAB_MODEL=claude-sonnet-4-6 cargo bench

Replay what llmlab record recorded:
  llmlab mock --cassette fixtures/cassettes/smollm2-openai
  llmlab mock --cassette fixtures/cassettes/smollm2-openai --check

Make the next request fail, let the caches grow old, look inside:
  curl http://127.0.0.1:8000/_mock/faults -d '[{"kind": "status", "status": 529}]'
  curl http://127.0.0.1:8000/_mock/clock -d '{"advance_s": 301}'
  curl http://127.0.0.1:8000/_mock/state
"#;

/// Serves until interrupted.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.list_profiles {
        output::print(&profiles())?;
        return Ok(ExitCode::SUCCESS);
    }
    let replay = args.replay.read()?;
    if let (true, Some(replay)) = (args.replay.check, &replay) {
        return args.replay.check(replay, args.slowdown);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before the address is out, so that whoever reads it can stop the server at once.
        let end = end().context("could not listen for signals")?;
        let mock = Mock::start(args.config(replay)).map_err(|error| explain(error, args.port))?;
        output::print(&greeting(&mock))?;
        let exit = end.await;
        say(&farewell(&mock));
        Ok(exit)
    })
}

impl Args {
    fn config(&self, replay: Option<Replay>) -> MockConfig {
        let generate = &self.generate;
        MockConfig {
            profile: self.profile.clone(),
            slowdown: self.slowdown,
            seed: self.seed,
            addr: SocketAddr::new(self.host, self.port),
            generate: GenerateConfig {
                max_batch_size: generate.max_batch_size,
                batch_timeout: Duration::from_millis(generate.batch_timeout_ms),
                cache_ttl: Duration::from_secs(generate.cache_ttl),
                cache_max_entries: generate.cache_max_entries,
            },
            keep_bodies: self.keep_bodies,
            replay,
            ..MockConfig::default()
        }
    }
}

fn explain(error: MockError, port: u16) -> anyhow::Error {
    let taken =
        matches!(&error, MockError::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse);
    let advice = if taken { ": choose another, or 0 for a free one" } else { "" };
    match error {
        MockError::Listen { .. } => anyhow::anyhow!("--port {port}: {error}{advice}"),
        other => other.into(),
    }
}

fn greeting(mock: &Mock) -> String {
    let config = mock.config();
    if let Some(replay) = &config.replay {
        let (label, slowdown) = (replay.cassette.label(), config.slowdown);
        let contents = cassette::contents(&replay.cassette);
        return format!("{}\n{contents}\nreplayed: {label}, slowdown {slowdown}", mock.url());
    }
    let paths = Dialect::ALL.map(|dialect| format!("  POST {:<22} {dialect}", dialect.path())).join("\n");
    format!(
        "{}\n{paths}\n  GET  /health /v1/models /stats, and /_mock/state /_mock/requests\n  \
         POST /_mock/faults /_mock/clock /_mock/seed /_mock/cache/clear /_mock/reset\n\
         simulated: profile {}, slowdown {}, seed {}",
        mock.url(),
        config.profile.name,
        config.slowdown,
        config.seed,
    )
}

fn farewell(mock: &Mock) -> String {
    let (pacing, ms) = (mock.report(), |ns: u64| ns as f64 / 1e6);
    let served: u64 = mock.state().requests.values().sum();
    let late = format!(
        "; wrote {:.2} ms late at p50, {:.2} ms at p99, {:.2} ms at most",
        ms(pacing.p50_ns),
        ms(pacing.p99_ns),
        ms(pacing.max_ns)
    );
    format!("[llmlab] {served} requests served{}", if pacing.n > 0 { late } else { String::new() })
}

fn profiles() -> String {
    let width = catalog::profiles().iter().map(|profile| profile.name.len()).max().unwrap_or_default();
    let line = |profile: &Profile| format!("{:<width$}  {}", profile.name, profile.description);
    catalog::profiles().iter().map(line).collect::<Vec<_>>().join("\n")
}

fn known_profile(name: &str) -> Result<&'static Profile, catalog::UnknownProfile> {
    catalog::profile(name)
}

fn loopback(text: &str) -> Result<IpAddr, String> {
    if text == "localhost" {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    let address: IpAddr = text.parse().map_err(|_| "expected an IP address, such as 127.0.0.1".to_owned())?;
    let refusal = "the mock has no authentication and listens on this machine alone: use 127.0.0.1 or ::1";
    address.is_loopback().then_some(address).ok_or_else(|| refusal.to_owned())
}

fn factor(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor: &f64| *factor > 0.0 && *factor < 1e3);
    factor.ok_or_else(|| "expected a number above 0 and below 1000, such as 1.3".to_owned())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|&number| number > 0)
        .ok_or_else(|| "expected a whole number of at least 1".to_owned())
}
