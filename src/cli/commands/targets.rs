//! `llmlab targets`: what can be asked, and whether it answers.

use std::process::ExitCode;

use futures::future::join_all;

use crate::cli::interrupt::Interruptible;
use crate::cli::{EXIT_ERROR, EXIT_INTERRUPTED, output};
use crate::report::targets::{TargetRow, Targets};
use crate::session::Check;
use crate::settings::{Environment, KnownTarget};

/// Shows what can be asked, and with --check whether it answers.
///
/// Targets are built in, stand in the llmlab.toml of this folder, or are a dialect and a URL. A key comes from the
/// environment and is never shown. A check asks for the list of models, or for the health of a server without one,
/// within five seconds, and looks whether the model is there: it costs nothing.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Only these, by name or as DIALECT+URL; without, all, of which only those that have their key are checked.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// See whether they answer; a target that does not is exit code 2.
    #[arg(long)]
    check: bool,
    /// Also have each model answer with one token, and say what that cost; implies --check.
    #[arg(long)]
    ask: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:
  llmlab targets
  llmlab targets --check mock
  llmlab targets --check openai+http://127.0.0.1:8080 staging
  llmlab targets --ask anthropic                              one request of one token
  llmlab targets --check --json | jq '.targets[] | select(.check.ok == false) | .name'

An llmlab.toml:
  [targets.staging]
  dialect = \"openai\"                 # anthropic, openai, completions, generate
  base_url = \"https://llm.staging.example.com\"
  model = \"my-model\"
  auth = \"bearer\"                    # or \"api_key\", or none
  key_variable = \"STAGING_LLM_KEY\"
";

/// Lists or checks.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_process();
    let known = match args.names.as_slice() {
        [] => KnownTarget::all(&environment)?,
        names => KnownTarget::named(&environment, names)?,
    };
    let checks = if args.check || args.ask {
        let checks = join_all(known.iter().map(|target| args.check(target, &environment)));
        let Some(checks) = Interruptible::new()?.until_interrupted(checks) else {
            return Ok(EXIT_INTERRUPTED.into());
        };
        checks
    } else {
        vec![None; known.len()]
    };
    let rows = known.iter().zip(checks).map(|(target, check)| TargetRow::new(target, check));
    let targets = Targets::new(rows.collect());
    output::print(&if args.json { serde_json::to_string_pretty(&targets)? } else { targets.text() })?;
    Ok(if targets.any_failed() { EXIT_ERROR.into() } else { ExitCode::SUCCESS })
}

impl Args {
    /// What a target is like; absent where nobody named it and its key is missing.
    async fn check(&self, target: &KnownTarget, environment: &Environment) -> Option<Check> {
        if self.names.is_empty() && target.key.is_wanting() {
            return None;
        }
        Some(Check::of_known(target, environment, self.ask).await)
    }
}
