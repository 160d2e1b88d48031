//! `llmlab profile all`: everything about a new model.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Lab, Shared, compare, latency, shared, throughput};
use crate::cli::EXIT_INTERRUPTED;
use crate::profile::{ComparisonPlan, LatencyPlan, ThroughputPlan};
use crate::report::progress::Progress;
use crate::settings::Environment;

/// Profiles a model: its latency, its best concurrency, and how it compares with others. Three results in one folder.
///
/// The exit code is the worst of the three.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    /// The model.
    #[arg(long)]
    model: String,
    /// The models that it is compared with [default: llama3.1:8b, or none where --target names a target].
    #[arg(long, value_name = "MODEL", num_args = 1.., value_delimiter = ',')]
    against: Vec<String>,
    /// The folder of the results.
    #[arg(long, value_name = "DIR", default_value = "results/profiles")]
    output_dir: PathBuf,
    /// Requests of the latency profile.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    iterations: u32,
    /// Requests of each level of concurrency.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
    #[command(flatten)]
    shared: Shared,
}

/// Requests to each model of the comparison.
const COMPARED: u32 = 15;

const EXAMPLES: &str = r#"Examples:
  llmlab profile all --model new-model:latest --output-dir benchmarks
  llmlab profile all --model new-model:latest --against llama3.1:8b qwen-coder-vllm
  llmlab profile all --model llama3.1:8b --target mock --iterations 3 --requests 20"#;

/// Makes the three profiles, one after the other.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let shared = &args.shared;
    let file = |profile: &str| {
        let name: String =
            args.model.chars().map(|c| if c.is_alphanumeric() || c == '.' { c } else { '-' }).collect();
        shared.destination(Some(&args.output_dir.join(format!("{profile}-{name}.json"))))
    };
    let files = [file("latency")?, file("throughput")?, file("compare")?];
    let progress = Box::new(Progress::default());
    let Some(lab) = Lab::open(shared, Some(&args.model), Some(progress))? else {
        return Ok(EXIT_INTERRUPTED.into());
    };
    let [to_latency, to_throughput, to_compare] = files;
    let mut worst = latency::profile(&lab, shared, args.latency(&lab), to_latency)?;
    if worst != EXIT_INTERRUPTED {
        worst = worst.max(throughput::profile(&lab, shared, args.throughput(&lab)?, to_throughput)?);
    }
    if worst != EXIT_INTERRUPTED {
        worst = worst.max(compare::profile(&lab, shared, args.comparison(&lab), to_compare)?);
    }
    Ok(worst.into())
}

impl Args {
    fn latency(&self, lab: &Lab) -> LatencyPlan {
        LatencyPlan {
            asking: self.shared.asking(lab.dialect, latency::PROMPT, latency::MAX_TOKENS),
            model: lab.model(),
            iterations: self.iterations,
            warmup: latency::WARMUP,
            percentiles: self.shared.percentiles(),
            sweep_tokens: Vec::new(),
        }
    }

    fn throughput(&self, lab: &Lab) -> anyhow::Result<ThroughputPlan> {
        Ok(ThroughputPlan {
            asking: self.shared.asking(lab.dialect, throughput::PROMPT, throughput::MAX_TOKENS),
            model: lab.model(),
            requests: self.requests,
            levels: throughput::levels(throughput::LEVELS).map_err(anyhow::Error::msg)?.0,
            sweep: true,
            pause: throughput::PAUSE,
            percentiles: self.shared.percentiles(),
            slo_p95_ms: None,
        })
    }

    fn comparison(&self, lab: &Lab) -> ComparisonPlan {
        let default = self.against.is_empty() && self.shared.is_default(&Environment::of_process());
        let against = if default { vec![shared::MODEL.to_owned()] } else { self.against.clone() };
        ComparisonPlan {
            asking: self.shared.asking(lab.dialect, compare::PROMPT, compare::MAX_TOKENS),
            models: compare::distinct(&[against, vec![lab.model()]].concat()),
            iterations: COMPARED,
            warmup: latency::WARMUP,
            sequential: false,
            percentiles: self.shared.percentiles(),
        }
    }
}
