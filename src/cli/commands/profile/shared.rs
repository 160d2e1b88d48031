//! The flags that all profiles share.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::profile::{Asking, Providers, Said};
use crate::report::destination::Destination;
use crate::settings::Environment;
use crate::stats::Percentiles;
use crate::wire::Dialect;

/// What is asked unless somebody says otherwise, in its own dialect...
const TARGET: &str = "litellm";
/// ...and its address, for another one.
const URL: &str = "http://localhost:4000";
/// The model that is asked for there.
pub(super) const MODEL: &str = "llama3.1:8b";
/// Seconds for a whole request.
const TIMEOUT: &str = "120";

/// What is asked, how, and where the records go.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Target, budget and output")]
pub(super) struct Shared {
    /// The address of the endpoint [default: http://localhost:4000]. A LITELLM_API_KEY in the environment is sent to it.
    #[arg(long, value_name = "URL", conflicts_with = "target")]
    url: Option<String>,
    /// What answers, instead of an address: mock, anthropic, a name of llmlab.toml, or DIALECT+URL [env: LLMLAB_TARGET].
    #[arg(long)]
    target: Option<String>,
    /// How it is asked: openai (the default of --url), anthropic, completions or generate.
    #[arg(long, value_name = "DIALECT")]
    dialect: Option<Dialect>,
    /// Seconds that a whole request may take [default: 120] [env: LLMLAB_TIMEOUT].
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    timeout: Option<String>,
    /// Begin each prompt with text of its own, so that no cache on the way knows it: a cold start every time.
    #[arg(long)]
    no_cache: bool,
    /// Ask for whole answers; there is no time to first token then.
    #[arg(long)]
    no_stream: bool,
    /// How percentiles are taken: linear, or floor as the profilers that this replaces do.
    #[arg(long, value_name = "METHOD", default_value = "linear")]
    compat_percentile: Percentiles,
    /// Who serves a model, as MODEL=NAME; may be given several times.
    #[arg(long, value_name = "MODEL=NAME")]
    provider: Vec<Said>,
    /// The most dollars that a live run may cost [default: 2] [env: LLMLAB_MAX_USD].
    #[arg(long, value_name = "DOLLARS", allow_hyphen_values = true)]
    max_usd: Option<String>,
    /// The most requests that are sent [env: LLMLAB_MAX_REQUESTS].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    max_requests: Option<String>,
    /// The seed of all randomness [default: 20] [env: LLMLAB_SEED].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    seed: Option<String>,
    /// Write a record of each request into this file as it ends, one JSON line each.
    #[arg(long, value_name = "FILE")]
    pub(super) raw: Option<PathBuf>,
    /// Print the export to standard output; everything else goes to standard error.
    #[arg(long)]
    pub(super) json: bool,
    /// No colours, as with NO_COLOR in the environment; a file or a pipe gets none anyway.
    #[arg(long)]
    pub(super) no_color: bool,
}

impl Shared {
    /// The process's environment, with what the flags set instead.
    pub(super) fn environment(&self, model: Option<&String>) -> Environment {
        let of_process = Environment::of_process();
        let timeout = of_process.get("LLMLAB_TIMEOUT").is_none().then(|| TIMEOUT.to_owned());
        // Somebody who names a target means its own model, too.
        let unnamed = self.is_default(&of_process) && of_process.get("LLMLAB_MODEL").is_none();
        let default = unnamed.then(|| MODEL.to_owned());
        let environment = of_process
            .with_flag("--seed", "LLMLAB_SEED", self.seed.as_ref())
            .with_flag("--max-usd", "LLMLAB_MAX_USD", self.max_usd.as_ref())
            .with_flag("--max-requests", "LLMLAB_MAX_REQUESTS", self.max_requests.as_ref())
            .with_flag("--timeout", "LLMLAB_TIMEOUT", self.timeout.as_ref().or(timeout.as_ref()))
            .with_flag("--model", "LLMLAB_MODEL", model.or(default.as_ref()));
        self.with_target(environment)
    }

    /// Whether nobody named a target: then it is what older profilers asked.
    pub(super) fn is_default(&self, environment: &Environment) -> bool {
        self.target.is_none() && (self.url.is_some() || environment.get("LLMLAB_TARGET").is_none())
    }

    fn with_target(&self, environment: Environment) -> Environment {
        if !self.is_default(&environment) {
            return environment.with_flag("--target", "LLMLAB_TARGET", self.target.as_ref());
        }
        match self.dialect {
            Some(dialect) if dialect != Dialect::OpenAi => {
                let url = self.url.as_deref().unwrap_or(URL);
                environment.with_flag("--url", "LLMLAB_TARGET", Some(&format!("{}+{url}", dialect.name())))
            }
            _ => environment.with_flag("--target", "LLMLAB_TARGET", Some(TARGET)).with_flag(
                "--url",
                "LLMLAB_BASE_URL",
                self.url.as_ref(),
            ),
        }
    }

    /// The dialect that was insisted on.
    pub(super) fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }

    /// A question in `dialect`.
    pub(super) fn asking(&self, dialect: Dialect, prompt: &str, max_tokens: u32) -> Asking {
        let (stream, no_cache) = (!self.no_stream, self.no_cache);
        Asking { dialect, prompt: prompt.into(), max_tokens, stream, no_cache }
    }

    pub(super) fn percentiles(&self) -> Percentiles {
        self.compat_percentile
    }

    pub(super) fn providers(&self) -> Providers {
        Providers::with(self.provider.iter().cloned())
    }

    /// The file that the export goes to, which must be another than that of the records.
    pub(super) fn destination(&self, export: Option<&Path>) -> anyhow::Result<Option<Destination>> {
        let Some(path) = export else { return Ok(None) };
        anyhow::ensure!(self.raw.as_deref() != Some(path), "--export and --raw name the same file");
        let destination = Destination::new(path);
        destination.map(Some).with_context(|| format!("--export {}: cannot be written", path.display()))
    }
}
