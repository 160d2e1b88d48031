//! `llmlab record`: exchanges with the time of every chunk, to be replayed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::matrix::tasks;
use crate::cassette::Cassette;
use crate::cli::interrupt::{Interruptible, end};
use crate::cli::{EXIT_INTERRUPTED, flags, output};
use crate::client::{Auth, Target};
use crate::recorder::{Recorder, RecorderConfig};
use crate::report::{cassette, say};
use crate::run::{Asked, record};
use crate::settings::{RecordSettings, Settings};
use crate::wire::Dialect;

/// Records exchanges with the time of every chunk, without keys, to be replayed with llmlab mock --cassette.
///
/// Asks prompts or tasks of a target, each once streamed and once not; or, with --proxy, stands between any
/// application and its provider and records what passes. One file holds one exchange, written as it ends: request,
/// response, and what each read of the socket brought. Headers are kept by a short list; keys, organisations and
/// users are left out. Exit codes: 0 done, 2 a wrong flag or nothing recorded, 130 interrupted; what was recorded is
/// kept.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Ask this; may be given several times.
    #[arg(long = "prompt", value_name = "TEXT", required_unless_present_any = ["scenarios", "proxy"])]
    prompts: Vec<String>,
    /// Do these tasks, commas between them (see llmlab scenarios), or `all`.
    #[arg(long = "scenario", value_name = "NAMES", value_delimiter = ',')]
    scenarios: Vec<String>,
    /// How often each is asked; to replay N rounds of a task takes N and one to warm up.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Ask for streamed answers alone.
    #[arg(long, conflicts_with = "no_stream")]
    stream: bool,
    /// Ask for answers that are not streamed alone.
    #[arg(long)]
    no_stream: bool,
    /// The most tokens of a prompt's answer.
    #[arg(long, value_name = "N", default_value_t = 128)]
    max_tokens: u32,
    /// The directory for the recordings [default: fixtures/cassettes/NAME, after the task, `prompt` or `proxy`].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What answers, in words that each recording keeps: software, version, model file.
    #[arg(long, value_name = "TEXT")]
    engine: Option<String>,
    /// Record what passes, until Ctrl-C.
    #[arg(long, requires = "upstream", conflicts_with_all = ["prompts", "scenarios"])]
    proxy: bool,
    /// Where the proxy sends requests on to: http or https, with the path before /v1 if there is one.
    #[arg(long, value_name = "URL", requires = "proxy")]
    upstream: Option<String>,
    /// The proxy's port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8001)]
    port: u16,
    #[command(flatten, next_help_heading = "Target and budget")]
    target: flags::Target,
}

const EXAMPLES: &str = r#"Examples:
  llmlab record --target anthropic --model claude-haiku-4-5 --prompt "Why is the sky blue?" --repeat 5
  llmlab record --target openai+http://127.0.0.1:8080 --scenario simple_factual,tool_multi_step --out my/cassette
  llmlab mock --cassette my/cassette                         serve it to any client
  llmlab mock --cassette my/cassette --check                 how well is it replayed here?
  llmlab matrix --scenarios simple_factual --toggles streaming --target cassette:my/cassette

Between an application and its provider (the key goes upstream, never to disk):
  llmlab record --proxy --upstream https://api.openai.com --out my/traffic
  OPENAI_BASE_URL=http://127.0.0.1:8001/v1 python my_application.py

A bench or a run, to be repeated without the target:
  LLMLAB_TARGET=llamacpp LLMLAB_RECORD=my/streaming cargo bench --bench streaming
  LLMLAB_TARGET=cassette:my/streaming cargo bench --bench streaming
"#;

/// Records, and shows what was recorded.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let directory = args.directory();
    if args.proxy {
        return args.pass_on(&directory);
    }
    let mut settings = Settings::from_environment(&args.target.environment())?;
    settings.record = Some(RecordSettings { directory: directory.clone(), engine: args.engine.clone() });
    let asked = args.asked()?;
    let done = Interruptible::new()?.until_interrupted(record(settings, &asked));
    if let Some(Err(error)) = done {
        return Err(error.into());
    }
    let contents = Cassette::read(&directory);
    if let Ok(recorded) = &contents {
        output::print(&cassette::contents(recorded))?;
        let count = cassette::exchanges(recorded.recordings().len() as u64);
        say(&format!("[llmlab] {count} recorded in {}", directory.display()));
    }
    match done {
        Some(_) => contents.map(|_| ExitCode::SUCCESS).context("could not read what was recorded"),
        None => Ok(EXIT_INTERRUPTED.into()),
    }
}

impl Args {
    fn directory(&self) -> PathBuf {
        let name = match self.scenarios.first() {
            Some(name) => name,
            None if self.proxy => "proxy",
            None => "prompt",
        };
        self.out.clone().unwrap_or_else(|| Path::new("fixtures/cassettes").join(name))
    }

    fn asked(&self) -> anyhow::Result<Asked> {
        Ok(Asked {
            prompts: self.prompts.clone(),
            max_tokens: self.max_tokens,
            tasks: tasks("--scenario", &self.scenarios)?,
            streamed: [false, true]
                .into_iter()
                .filter(|&s| if s { !self.no_stream } else { !self.stream })
                .collect(),
            repeat: self.repeat,
        })
    }

    /// Stands between an application and its provider until it is interrupted.
    fn pass_on(&self, directory: &Path) -> anyhow::Result<ExitCode> {
        let url = self.upstream.as_deref().unwrap_or_default();
        let upstream = Target::new("upstream", Dialect::OpenAi, url, "", &Auth::None);
        let config = RecorderConfig {
            upstream: upstream.map_err(|error| anyhow::anyhow!("--upstream: {error}"))?,
            port: self.port,
            directory: directory.into(),
            engine: self.engine.clone(),
            upstream_is_mock: false,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            // Before the address is out, so that whoever reads it can stop the proxy at once.
            let end = end().context("could not listen for signals")?;
            let recorder = Recorder::start(config)?;
            let to = directory.display();
            output::print(&format!(
                "{}\nrecords to {to} what passes to {url}; Ctrl-C ends it",
                recorder.url()
            ))?;
            let exit = end.await;
            say(&cassette::recorded(&recorder.report(), directory));
            Ok(exit)
        })
    }
}
