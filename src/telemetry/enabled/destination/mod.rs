//! Where spans go: one exporter a file.

mod console;
mod otlp;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use otlp::Otlp;

use super::super::{TracingConfig, TracingError};

/// Below Langfuse's address, where it takes traces.
const LANGFUSE_TRACES: &str = "/api/public/otel/v1/traces";

/// Somewhere that takes spans.
#[derive(Debug)]
pub(super) enum Destination {
    /// Standard error.
    Console,
    /// A collector.
    Otlp(Box<Otlp>),
}

impl Destination {
    /// All that `config` asks for. Langfuse is left out where its keys are missing.
    pub(super) fn all(config: &TracingConfig) -> Result<Vec<Self>, TracingError> {
        let mut all = Vec::new();
        if config.enable_console_export {
            all.push(Self::Console);
        }
        if let Some(endpoint) = &config.otlp_endpoint {
            all.push(Self::Otlp(Box::new(Otlp::new("otlp", endpoint, &config.otlp_headers)?)));
        }
        if let Some(keys) = keys(config).filter(|_| config.enable_langfuse) {
            let endpoint = format!("{}{LANGFUSE_TRACES}", config.langfuse_host.trim_end_matches('/'));
            let header = ("authorization".to_owned(), format!("Basic {}", STANDARD.encode(keys)));
            all.push(Self::Otlp(Box::new(Otlp::new("langfuse", &endpoint, &[header])?)));
        }
        Ok(all)
    }

    /// Its name and, where it has one, its host.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Console => "standard error".into(),
            Self::Otlp(otlp) => otlp.name(),
        }
    }

    /// Hands spans on; how many of them it refused.
    ///
    /// # Errors
    /// Why it took none, in words that hold no key.
    pub(super) async fn export(&self, resource: &Resource, spans: Vec<SpanData>) -> Result<u64, String> {
        match self {
            Self::Console => console::export(&spans).map(|()| 0).map_err(|error| error.to_string()),
            Self::Otlp(otlp) => otlp.export(resource, spans).await,
        }
    }
}

/// Whether Langfuse can be told who sends.
pub(super) fn has_keys(config: &TracingConfig) -> bool {
    keys(config).is_some()
}

fn keys(config: &TracingConfig) -> Option<String> {
    let (public, secret) = (config.langfuse_public_key.as_ref()?, config.langfuse_secret_key.as_ref()?);
    Some(format!("{public}:{secret}"))
}
