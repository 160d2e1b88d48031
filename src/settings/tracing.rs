//! Where traces go, if anywhere.

use std::fmt;

use super::{Environment, SettingsError};

/// Where a collector on this machine listens, by OpenTelemetry's convention.
const COLLECTOR: &str = "http://localhost:4318";
/// Below a collector's address, where it takes traces.
const TRACES: &str = "/v1/traces";

/// Where traces go, and under which name.
#[derive(Clone, PartialEq, Eq)]
pub struct TracingConfig {
    /// The name under which a backend shows them.
    pub service_name: String,
    /// Whether they are written to standard error, a line of JSON for each span.
    pub enable_console_export: bool,
    /// Whether they go to Langfuse. Without its keys they do not, which is said once.
    pub enable_langfuse: bool,
    /// Langfuse's public key; absent means `LANGFUSE_PUBLIC_KEY` of the environment.
    pub langfuse_public_key: Option<String>,
    /// Langfuse's secret key; absent means `LANGFUSE_SECRET_KEY` of the environment.
    pub langfuse_secret_key: Option<String>,
    /// Where Langfuse answers.
    pub langfuse_host: String,
    /// Where a collector takes traces, by OTLP over HTTP; absent means that there is none.
    pub otlp_endpoint: Option<String>,
    /// Headers for it, such as its key.
    pub otlp_headers: Vec<(String, String)>,
}

impl TracingConfig {
    /// The name that a backend shows unless told otherwise.
    pub const DEFAULT_SERVICE_NAME: &str = "llm-latency-lab";
    /// Langfuse's own cloud.
    pub const DEFAULT_LANGFUSE_HOST: &str = "https://cloud.langfuse.com";

    /// What the environment asks for; absent where it asks for no traces.
    pub(super) fn read(environment: &Environment) -> Result<Option<Self>, SettingsError> {
        let Some(wanted) = environment.get("LLMLAB_TRACE") else { return Ok(None) };
        let mut config = Self { enable_console_export: false, ..Self::default() }.completed(environment);
        for word in wanted.split(',') {
            match word.trim() {
                "console" => config.enable_console_export = true,
                "langfuse" => config.enable_langfuse = true,
                "otlp" => {
                    config.otlp_endpoint = Some(endpoint(environment));
                    config.otlp_headers = headers(environment)?;
                }
                _ => {
                    let expected = "expected console, otlp or langfuse, with commas between several";
                    return Err(environment.misfit("LLMLAB_TRACE", expected));
                }
            }
        }
        Ok(Some(config))
    }

    /// The same, with what it leaves to the environment.
    #[must_use]
    pub fn completed(mut self, environment: &Environment) -> Self {
        let get = |name: &str| environment.get(name).map(str::to_owned);
        if self.service_name == Self::DEFAULT_SERVICE_NAME {
            self.service_name = get("OTEL_SERVICE_NAME").unwrap_or(self.service_name);
        }
        if self.langfuse_host == Self::DEFAULT_LANGFUSE_HOST {
            self.langfuse_host = get("LANGFUSE_HOST").unwrap_or(self.langfuse_host);
        }
        self.langfuse_public_key = self.langfuse_public_key.or_else(|| get("LANGFUSE_PUBLIC_KEY"));
        self.langfuse_secret_key = self.langfuse_secret_key.or_else(|| get("LANGFUSE_SECRET_KEY"));
        self
    }
}

impl Default for TracingConfig {
    /// Standard error alone.
    fn default() -> Self {
        Self {
            service_name: Self::DEFAULT_SERVICE_NAME.into(),
            enable_console_export: true,
            enable_langfuse: false,
            langfuse_public_key: None,
            langfuse_secret_key: None,
            langfuse_host: Self::DEFAULT_LANGFUSE_HOST.into(),
            otlp_endpoint: None,
            otlp_headers: Vec::new(),
        }
    }
}

impl fmt::Debug for TracingConfig {
    /// Without keys, and without the addresses, which may hold some.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TracingConfig")
            .field("service_name", &self.service_name)
            .field("enable_console_export", &self.enable_console_export)
            .field("enable_langfuse", &self.enable_langfuse)
            .finish_non_exhaustive()
    }
}

/// Where the environment's collector takes traces: an address of its own for them, or a path below the common one.
fn endpoint(environment: &Environment) -> String {
    let own = environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").map(str::to_owned);
    own.unwrap_or_else(|| {
        let common = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT").unwrap_or(COLLECTOR);
        format!("{}{TRACES}", common.trim_end_matches('/'))
    })
}

/// The environment's headers: `name=value`, with commas between several and percent signs before what is encoded.
fn headers(environment: &Environment) -> Result<Vec<(String, String)>, SettingsError> {
    const NAME: &str = "OTEL_EXPORTER_OTLP_HEADERS";
    let pairs = environment.get(NAME).unwrap_or_default().split(',').map(str::trim);
    let header = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        Some((name.trim().to_owned(), decoded(value.trim())?))
    };
    // What it holds may be a key, and is not shown.
    let expected = format!("{NAME} must hold name=value, with commas between several");
    let misfit = || environment.misfit("LLMLAB_TRACE", &expected);
    pairs.filter(|pair| !pair.is_empty()).map(|pair| header(pair).ok_or_else(misfit)).collect()
}

/// Text whose bytes may be written as `%XX`.
fn decoded(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(piece.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<TracingConfig>, SettingsError> {
        TracingConfig::read(&Environment::of(variables))
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let config = TracingConfig::default();
        assert_eq!((config.service_name.as_str(), config.enable_console_export), ("llm-latency-lab", true));
        assert_eq!(
            (config.enable_langfuse, config.langfuse_host.as_str()),
            (false, "https://cloud.langfuse.com")
        );
    }

    #[test]
    fn nothing_is_traced_unless_somebody_asks() {
        assert_eq!(read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")]).unwrap(), None);
        let text = read(&[("LLMLAB_TRACE", "otpl")]).unwrap_err().to_string();
        assert!(text.contains("LLMLAB_TRACE=`otpl`") && text.contains("otlp"), "{text}");
    }

    #[test]
    fn the_collector_is_where_the_standard_variables_say() {
        let at = |variables: &[(&str, &str)]| {
            let all = [&[("LLMLAB_TRACE", "otlp, console")], variables].concat();
            read(&all).unwrap().unwrap().otlp_endpoint.unwrap()
        };
        assert_eq!(at(&[]), "http://localhost:4318/v1/traces");
        let common = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:1/");
        assert_eq!(at(&[common]), "http://collector:1/v1/traces");
        let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:2/own");
        assert_eq!(at(&[common, own]), "http://traces:2/own");
    }

    #[test]
    fn headers_are_pairs_and_a_wrong_one_is_not_shown() {
        let of = |value: &str| {
            read(&[("LLMLAB_TRACE", "otlp"), ("OTEL_EXPORTER_OTLP_HEADERS", value)])
                .map(|config| config.unwrap().otlp_headers)
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            of("key=a%20b, Authorization=Basic%20x==").unwrap(),
            [pair("key", "a b"), pair("Authorization", "Basic x==")]
        );
        for wrong in ["hush", "a=hush%2", "a=hush%zz"] {
            let text = of(wrong).unwrap_err().to_string();
            assert!(text.contains("OTEL_EXPORTER_OTLP_HEADERS") && !text.contains("hush"), "{text}");
        }
    }

    #[test]
    fn keys_are_not_in_what_is_shown_for_debugging() {
        let keys = [("LANGFUSE_PUBLIC_KEY", "hush-public"), ("LANGFUSE_SECRET_KEY", "hush-secret")];
        let asked = [("LLMLAB_TRACE", "langfuse,otlp"), ("OTEL_EXPORTER_OTLP_HEADERS", "key=hush-header")];
        let config = read(&[&asked[..], &keys].concat()).unwrap().unwrap();
        assert_eq!(config.langfuse_secret_key.as_deref(), Some("hush-secret"));
        assert!(!format!("{config:?}").contains("hush"), "{config:?}");
    }
}
