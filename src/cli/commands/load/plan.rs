//! What the flags of `llmlab load` mean.

use std::time::Duration;

use super::args::{Args, Endpoint};
use crate::client::{Auth, RetryPolicy, Target};
use crate::load::{Bounds, Options};
use crate::settings::{Environment, LiveSettings, MOCK, Pricing, Settings, TargetKind};
use crate::wire::Dialect;

const ENDPOINT: &str = "http://localhost:8000/generate";
const TIMEOUT: Duration = Duration::from_secs(60);

impl Args {
    /// The settings of the session: nothing is tried again.
    pub(super) fn settings(&self) -> anyhow::Result<Settings> {
        let environment = self.target.environment();
        let timeout =
            self.endpoint.timeout.or(environment.get("LLMLAB_TIMEOUT").is_none().then_some(TIMEOUT));
        let timeout = timeout.map(|timeout| timeout.as_secs_f64());
        let environment = environment.with_flag("--timeout", "LLMLAB_TIMEOUT", timeout.as_ref());
        let mut settings = match self.endpoint.url(&environment) {
            None => Settings::from_environment(&environment)?,
            Some(url) => {
                let environment = environment.with_flag("--endpoint", "LLMLAB_TARGET", Some(MOCK));
                let mut settings = Settings::from_environment(&environment)?;
                settings.target = self.endpoint.target(url, environment.get("LLMLAB_MODEL"))?;
                settings
            }
        };
        settings.retries = RetryPolicy::NEVER;
        Ok(settings)
    }

    /// The dialect that was asked for.
    pub(super) fn dialect(&self) -> Option<Dialect> {
        self.endpoint.dialect
    }

    pub(super) fn options(&self, settings: &Settings) -> Options {
        let (pace, prompts) = (&self.pace, &self.prompts);
        Options {
            requests: pace.requests,
            duration_s: pace.duration.map(|duration| duration.as_secs_f64()),
            concurrency: pace.concurrency,
            rate: pace.rate,
            arrivals: pace.arrivals,
            ramp_s: pace.ramp.as_secs_f64(),
            max_tokens: prompts.max_tokens,
            repeat_ratio: prompts.repeat_ratio,
            zipf: prompts.zipf,
            compat: prompts.compat,
            warmup: pace.warmup,
            warm_cache: prompts.warm_cache,
            prompts: prompts.prompts.clone(),
            trace: prompts.trace.clone(),
            trace_format: prompts.trace_format,
            time_scale: prompts.time_scale,
            timeout_s: settings.timeouts.total.as_secs_f64(),
            percentile: self.result.compat_percentile,
        }
    }

    pub(super) fn bounds(&self) -> Bounds {
        let result = &self.result;
        Bounds {
            ttft: result.slo_ttft,
            tpot: result.slo_tpot,
            response: result.slo_total,
            p95: result.slo_p95,
        }
    }
}

impl Endpoint {
    /// The endpoint, unless a target was named.
    fn url(&self, environment: &Environment) -> Option<&str> {
        let named = environment.get("LLMLAB_TARGET").is_some();
        self.endpoint.as_deref().or((!named).then_some(ENDPOINT))
    }

    fn target(&self, url: &str, model: Option<&str>) -> anyhow::Result<TargetKind> {
        let path = url.split(['?', '#']).next().unwrap_or(url).trim_end_matches('/');
        let by_path = Dialect::ALL.into_iter().find(|dialect| path.ends_with(dialect.path()));
        let Some(dialect) = self.dialect.or(by_path) else {
            anyhow::bail!(
                "--endpoint={url}: its path does not say what it speaks: add --dialect generate, openai or anthropic"
            )
        };
        let model = model.unwrap_or("default");
        let target = Target::at("endpoint", dialect, url, model, &Auth::None);
        let target = target.map_err(|error| anyhow::anyhow!("--endpoint: {error}"))?;
        Ok(TargetKind::Live(LiveSettings { target, prices: Pricing::of_model(model) }))
    }
}
