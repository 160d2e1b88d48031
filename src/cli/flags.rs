//! Flags that several commands share.

use std::time::Duration;

use crate::settings::Environment;

/// What is asked, and what it may cost: flags that win over the environment's settings.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// What answers: mock, anthropic, openai, a name of llmlab.toml, DIALECT+URL, or cassette:DIR
    /// [env: LLMLAB_TARGET].
    #[arg(long)]
    target: Option<String>,
    /// The model to ask for, or to simulate [env: LLMLAB_MODEL].
    #[arg(long)]
    model: Option<String>,
    /// The same, by the name that it has beside a small model.
    #[arg(long, value_name = "MODEL", conflicts_with = "model")]
    large_model: Option<String>,
    /// The small model to which easy work is routed [env: LLMLAB_SMALL_MODEL].
    #[arg(long, value_name = "MODEL")]
    small_model: Option<String>,
    /// The most dollars a live run may cost [default: 2] [env: LLMLAB_MAX_USD].
    #[arg(long, value_name = "DOLLARS", allow_hyphen_values = true)]
    max_usd: Option<String>,
    /// The most requests each optimisation may send [env: LLMLAB_MAX_REQUESTS].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    max_requests: Option<String>,
    /// The seed of all randomness [default: 20] [env: LLMLAB_SEED].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    seed: Option<String>,
}

impl Target {
    /// The process's environment, with what the flags set instead.
    pub(super) fn environment(&self) -> Environment {
        Environment::of_process()
            .with_flag("--target", "LLMLAB_TARGET", self.target.as_ref())
            .with_flag("--model", "LLMLAB_MODEL", self.model.as_ref())
            .with_flag("--large-model", "LLMLAB_MODEL", self.large_model.as_ref())
            .with_flag("--small-model", "LLMLAB_SMALL_MODEL", self.small_model.as_ref())
            .with_flag("--max-usd", "LLMLAB_MAX_USD", self.max_usd.as_ref())
            .with_flag("--max-requests", "LLMLAB_MAX_REQUESTS", self.max_requests.as_ref())
            .with_flag("--seed", "LLMLAB_SEED", self.seed.as_ref())
    }
}

/// A time such as `2s`, `500ms` or `1m 30s`; a plain number is seconds.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let with_unit = || Duration::try_from(text.parse::<jiff::SignedDuration>().ok()?).ok();
    seconds.or_else(with_unit).ok_or_else(|| "expected a time, such as 2s or 500ms".into())
}
