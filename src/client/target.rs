//! What is asked: an endpoint, a dialect, a model and a key.

use std::fmt;
use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use rustls::pki_types::CertificateDer;

use crate::wire::Dialect;

/// An endpoint that answers in one dialect.
#[derive(Debug, Clone)]
pub struct Target {
    name: String,
    dialect: Dialect,
    origin: Origin,
    base_path: String,
    path: String,
    model: String,
    headers: HeaderMap,
    /// The most prompt tokens that the model takes, where known.
    pub context_tokens: Option<u64>,
}

/// How a request says who sends it. Keys come from the environment and are never shown.
#[derive(Clone, Default)]
pub enum Auth {
    /// It does not.
    #[default]
    None,
    /// `Authorization: Bearer KEY`.
    Bearer(String),
    /// `x-api-key: KEY`.
    ApiKey(String),
}

impl fmt::Debug for Auth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "None",
            Self::Bearer(_) => "Bearer(..)",
            Self::ApiKey(_) => "ApiKey(..)",
        })
    }
}

/// Why a target cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The base URL is none.
    #[error("base URL `{url}` is not one: {reason}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The key cannot stand in a header.
    #[error("the key holds a character that no HTTP header can carry")]
    Key,
}

impl Target {
    /// A target that answers at `base_url` plus the dialect's path. A path of the base URL is kept; a
    /// trailing `/v1`, which many clients want there, is not doubled.
    ///
    /// # Errors
    /// When `base_url` is not an `http` or `https` URL, or the key cannot stand in a header.
    pub fn new(
        name: &str,
        dialect: Dialect,
        base_url: &str,
        model: &str,
        auth: &Auth,
    ) -> Result<Self, TargetError> {
        let wrong = |reason: &str| TargetError::Url { url: base_url.into(), reason: reason.into() };
        let unclear = |error: http::uri::InvalidUri| match base_url.contains("://") {
            true => wrong(&error.to_string()),
            false => wrong("it must start with http:// or https://"),
        };
        let uri: Uri = base_url.parse().map_err(unclear)?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("it must start with http:// or https://")),
        };
        let host = uri.host().filter(|host| is_host(host)).ok_or_else(|| wrong("it names no host"))?;
        let port = port(&uri, host, tls).ok_or_else(|| wrong("its port is no number from 1 to 65535"))?;
        let base_path = uri.path().trim_end_matches('/').trim_end_matches("/v1");
        let base_path = base_path.trim_end_matches(dialect.path());
        Ok(Self {
            name: name.into(),
            dialect,
            base_path: base_path.to_owned(),
            path: format!("{base_path}{}", dialect.path()),
            origin: Origin { tls, host: host.to_owned(), port, root: None },
            model: model.into(),
            headers: headers(dialect, auth)?,
            context_tokens: None,
        })
    }

    /// A target that answers at `url` and nowhere else, whatever its path. A `url` that names no path, or one that ends
    /// in the dialect's, is understood as by [`new`](Self::new).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn at(
        name: &str,
        dialect: Dialect,
        url: &str,
        model: &str,
        auth: &Auth,
    ) -> Result<Self, TargetError> {
        let target = Self::new(name, dialect, url, model, auth)?;
        let uri: Uri = url.parse().unwrap_or_default();
        let known =
            matches!(uri.path().trim_end_matches('/'), "" | "/v1") || uri.path().ends_with(dialect.path());
        if known && uri.query().is_none() {
            return Ok(target);
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { base_path: String::new(), path, ..target })
    }

    /// The same target, with `root` as the one certificate authority that is trusted, instead of the machine's.
    #[must_use]
    pub fn trusting(mut self, root: CertificateDer<'static>) -> Self {
        self.origin.root = Some(root);
        self
    }

    /// The name under which it is known.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The dialect it answers in.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The model it is asked for.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Scheme, authority and path, without `/v1`.
    pub fn base_url(&self) -> String {
        format!("{}{}", self.origin.url(), self.base_path)
    }

    /// Whether it answers on this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.origin.bare_host();
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// `text` with the key blotted out, since some servers repeat it when they refuse it. A word too short to
    /// be a key is left alone: it would blot out others.
    pub(crate) fn without_key(&self, text: &str) -> String {
        let secrets = self.headers.values().filter(|value| value.is_sensitive());
        let secrets =
            secrets.filter_map(|value| value.to_str().ok()).map(|value| value.trim_start_matches("Bearer "));
        secrets
            .filter(|secret| secret.len() >= 8)
            .fold(text.to_owned(), |text, secret| text.replace(secret, "[key]"))
    }

    /// The same target, asked by way of a proxy on this machine, which knows the rest of the way.
    pub(crate) fn by_way_of(&self, proxy: SocketAddr) -> Self {
        let origin = Origin { tls: false, host: proxy.ip().to_string(), port: proxy.port(), root: None };
        let path = self.dialect.path().to_owned();
        Self { origin, base_path: String::new(), path, ..self.clone() }
    }

    /// The path that stands before those of the API.
    pub(crate) fn base_path(&self) -> &str {
        &self.base_path
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Where requests are sent.
    pub fn url(&self) -> String {
        format!("{}{}", self.origin.url(), self.path)
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

/// Whether it can be one: an IPv6 address is in brackets, and nothing else has any.
fn is_host(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let bare = address.unwrap_or(host);
    !bare.is_empty() && !bare.contains(['[', ']']) && address.is_none_or(|address| address.contains(':'))
}

/// The port that a URL names, or its scheme's own; absent where it names what is none.
fn port(uri: &Uri, host: &str, tls: bool) -> Option<u16> {
    let authority = uri.authority()?.as_str();
    let after_user = authority.rsplit_once('@').map_or(authority, |(_, rest)| rest);
    match after_user.strip_prefix(host)? {
        "" | ":" => Some(if tls { 443 } else { 80 }),
        rest => {
            let digits = rest.strip_prefix(':').filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
            digits?.parse().ok().filter(|port| *port > 0)
        }
    }
}

fn headers(dialect: Dialect, auth: &Auth) -> Result<HeaderMap, TargetError> {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(
        http::header::USER_AGENT,
        HeaderValue::from_static(concat!("llmlab/", env!("CARGO_PKG_VERSION"))),
    );
    if dialect == Dialect::Anthropic {
        headers.insert(HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01"));
    }
    let (name, text) = match auth {
        Auth::None => return Ok(headers),
        Auth::Bearer(key) => (http::header::AUTHORIZATION, format!("Bearer {key}")),
        Auth::ApiKey(key) => (HeaderName::from_static("x-api-key"), key.clone()),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| TargetError::Key)?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(headers)
}

/// Where connections go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The one certificate that is trusted; absent for the machine's own.
    pub(crate) root: Option<CertificateDer<'static>>,
}

impl Origin {
    fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }

    /// Host and port, as in the `Host` header.
    pub(crate) fn authority(&self) -> String {
        let standard = if self.tls { 443 } else { 80 };
        if self.port == standard { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// The host without the brackets of an IPv6 address.
    pub(crate) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_may_end_in_v1_or_carry_a_path() {
        let path = |url| Target::new("t", Dialect::OpenAi, url, "m", &Auth::None).unwrap().path().to_owned();
        assert_eq!(path("http://127.0.0.1:8080"), "/v1/chat/completions");
        assert_eq!(path("http://127.0.0.1:8080/v1/"), "/v1/chat/completions");
        assert_eq!(path("http://127.0.0.1:8080/proxy/v1"), "/proxy/v1/chat/completions");
        assert_eq!(path("http://127.0.0.1:8080/v1/chat/completions"), "/v1/chat/completions");
    }

    #[test]
    fn an_endpoint_keeps_a_path_of_its_own_and_completes_one_that_it_lacks() {
        let url = |url| Target::at("t", Dialect::Generate, url, "m", &Auth::None).unwrap().url();
        for own in ["http://127.0.0.1:8000/generate", "http://127.0.0.1:8000/api/infer?version=2"] {
            assert_eq!(url(own), own);
        }
        for bare in ["http://127.0.0.1:8000", "http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1"] {
            assert_eq!(url(bare), "http://127.0.0.1:8000/generate");
        }
    }

    #[test]
    fn a_key_is_never_shown() {
        for auth in [Auth::Bearer("hush-hush".into()), Auth::ApiKey("hush-hush".into())] {
            let target = Target::new("t", Dialect::Anthropic, "https://example.com", "m", &auth).unwrap();
            assert!(!format!("{auth:?} {target:?}").contains("hush"));
        }
    }

    #[test]
    fn an_address_without_a_host_or_with_a_port_that_is_none_is_refused() {
        let port = |url| Target::new("t", Dialect::OpenAi, url, "m", &Auth::None).map(|t| t.origin().port);
        for wrong in [
            "http://:8080/v1",
            "http://127.0[::1].0.1:8081",
            "http://h:+80",
            "https://:x1",
            "http://h:99999",
            "http://h:x1",
            "http://h:0",
            "http://u@h:99999",
        ] {
            assert!(port(wrong).is_err(), "{wrong}");
        }
        for (right, expected) in [
            ("http://h", 80),
            ("https://h", 443),
            ("http://h:", 80),
            ("http://u@h:81", 81),
            ("http://[::1]:82/v1", 82),
        ] {
            assert_eq!(port(right), Ok(expected), "{right}");
        }
    }

    #[test]
    fn a_url_without_a_scheme_is_refused_with_the_reason() {
        let error = Target::new("t", Dialect::OpenAi, "localhost:8080", "m", &Auth::None).unwrap_err();
        assert!(error.to_string().contains("http://"), "{error}");
    }
}
