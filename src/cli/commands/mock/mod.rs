//! `llmlab mock`: the mock server alone, for any client in any language.

mod flags;
mod replay;
mod words;

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::catalog::{self, Profile};
use crate::cli::{interrupt, output};
use crate::mock::{EngineFile, MockFile, StandingFault};
use crate::report::say;

/// Serves the mock: answers like a large language model's API, at the speed of a profile, without key or network.
///
/// The first line on standard output is the server's URL, the rest says what it answers. It serves until
/// Ctrl-C (exit code 130) or SIGTERM (0), then says on standard error how many requests it had and how late
/// it wrote. There is no authentication and any key will do, so it listens on this machine alone.
#[derive(Debug, clap::Args)]
#[command(after_long_help = words::EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The engine to simulate; --list-profiles shows all [default: fast].
    #[arg(long, value_name = "NAME", value_parser = known_profile)]
    profile: Option<&'static Profile>,
    /// The port to listen on; 0 takes a free one [default: 8000].
    #[arg(long)]
    port: Option<u16>,
    /// The loopback address to listen on [default: 127.0.0.1].
    #[arg(long, value_name = "ADDRESS", value_parser = flags::loopback)]
    host: Option<IpAddr>,
    /// The seed of all noise: the same seed and requests give the same answers at the same times [default: 20].
    #[arg(long)]
    seed: Option<u64>,
    /// Multiplies every simulated or recorded time: 1.3 makes a regression of 30% [default: 1].
    #[arg(long, value_name = "FACTOR", value_parser = flags::factor)]
    slowdown: Option<f64>,
    /// Keep the bodies of the last requests, to be read at /_mock/requests.
    #[arg(long)]
    keep_bodies: bool,
    /// Read settings from a file of the form that --print-config prints; flags win.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print all settings as TOML, and exit.
    #[arg(long)]
    print_config: bool,
    /// List the engines that can be simulated, and exit.
    #[arg(long)]
    list_profiles: bool,
    /// Fail a share of all requests; may be given several times (see the examples).
    #[arg(long, value_name = "FAULT", help_heading = "Failures and limits")]
    fault: Vec<StandingFault>,
    #[command(flatten, next_help_heading = "Failures and limits")]
    limits: flags::Limits,
    #[command(flatten, next_help_heading = "The way in")]
    way_in: flags::WayIn,
    #[command(flatten, next_help_heading = "The /generate endpoint")]
    generate: flags::Generate,
    #[command(flatten, next_help_heading = "Replay")]
    replay: replay::Replay,
}

/// Serves until interrupted.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.list_profiles {
        output::print(&words::profiles())?;
        return Ok(ExitCode::SUCCESS);
    }
    let settings = args.settings()?;
    if args.print_config {
        let text = settings.resolved()?.text().context("could not write the settings")?;
        output::print(text.trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(exit) = args.replay.checked(&settings)? {
        return Ok(exit);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before the address is out, so that whoever reads it can stop the server at once.
        let end = interrupt::end().context("could not listen for signals")?;
        let (mock, entrance) = settings.start().map_err(|error| words::explain(error, settings.port))?;
        if let (Some(path), Some(certificate)) = (&settings.cert_out, entrance.certificate_pem()) {
            fs::write(path, certificate).with_context(|| format!("--cert-out {}", path.display()))?;
        }
        output::print(&words::greeting(&mock, &entrance, &settings))?;
        let exit = end.await;
        say(&words::farewell(&mock));
        Ok(exit)
    })
}

impl Args {
    /// The file's settings, or the default ones, with what the flags set instead.
    fn settings(&self) -> anyhow::Result<MockFile> {
        let mut settings = match &self.config {
            None => MockFile::default(),
            Some(path) => {
                let text =
                    fs::read_to_string(path).with_context(|| format!("--config {}", path.display()))?;
                MockFile::parse(&text).with_context(|| format!("--config {}", path.display()))?
            }
        };
        if let Some(profile) = self.profile {
            // What a file says of an engine is said of another one.
            (settings.profile, settings.engine) = (profile.name.clone(), EngineFile::default());
        }
        flags::set(&mut settings.port, self.port);
        flags::set(&mut settings.host, self.host);
        flags::set(&mut settings.seed, self.seed);
        flags::set(&mut settings.slowdown, self.slowdown);
        settings.keep_bodies |= self.keep_bodies;
        if !self.fault.is_empty() {
            settings.faults.clone_from(&self.fault);
        }
        self.limits.apply(&mut settings.limits);
        self.way_in.apply(&mut settings);
        self.generate.apply(&mut settings.generate);
        self.replay.apply(&mut settings);
        Ok(settings)
    }
}

fn known_profile(name: &str) -> Result<&'static Profile, catalog::UnknownProfile> {
    catalog::profile(name)
}
