//! Why an exchange failed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::wire::WireError;

/// The class of a failure, counted apart and never mixed with the latencies of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// No connection: the name did not resolve, or nothing listens.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// A phase took longer than its bound.
    Timeout,
    /// The connection was closed or reset before a response came.
    Disconnect,
    /// 429: too many requests.
    RateLimited,
    /// 529: the provider is overloaded.
    Overloaded,
    /// Any other 4xx.
    Http4xx,
    /// Any other 5xx.
    Http5xx,
    /// A status that is neither success nor error, such as a redirect: never followed.
    HttpOther,
    /// The server reported an error inside the stream.
    MidStreamError,
    /// The response ended before its terminal event.
    Truncated,
    /// The response could not be understood.
    Parse,
}

impl ErrorClass {
    /// The class's name in records and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Disconnect => "disconnect",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Http4xx => "http4xx",
            Self::Http5xx => "http5xx",
            Self::HttpOther => "http_other",
            Self::MidStreamError => "mid_stream_error",
            Self::Truncated => "truncated",
            Self::Parse => "parse",
        }
    }

    /// Whether the server had seen the request: the prompt may be in its cache now, and tokens may be billed.
    pub fn was_seen(self) -> bool {
        matches!(self, Self::Timeout | Self::MidStreamError | Self::Truncated | Self::Parse)
    }

    /// The class of an HTTP status that is not a success.
    pub fn of_status(status: u16) -> Self {
        match status {
            429 => Self::RateLimited,
            529 => Self::Overloaded,
            400..=499 => Self::Http4xx,
            500..=599 => Self::Http5xx,
            _ => Self::HttpOther,
        }
    }
}

/// A failed exchange, in words that may be shown: no key, no prompt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} [{}]", class.name())]
pub struct Failure {
    /// Its class.
    pub class: ErrorClass,
    /// What happened.
    pub message: String,
    /// How long the server asked to wait before trying again.
    pub retry_after: Option<Duration>,
}

impl Failure {
    pub(crate) fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), retry_after: None }
    }

    /// The failure of a response whose body broke while it was read.
    pub(crate) fn of_body(error: &hyper::Error) -> Self {
        let class = if error.is_parse() { ErrorClass::Parse } else { ErrorClass::Truncated };
        Self::new(class, format!("the response broke off: {}", chain(error)))
    }

    /// The failure of a request that got no response.
    pub(crate) fn of_request(error: &hyper::Error) -> Self {
        let class = if error.is_parse() { ErrorClass::Parse } else { ErrorClass::Disconnect };
        Self::new(class, format!("no response: {}", chain(error)))
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        let class = match &error {
            WireError::MidStream(_) => ErrorClass::MidStreamError,
            WireError::Truncated { .. } => ErrorClass::Truncated,
            WireError::Parse { .. } => ErrorClass::Parse,
        };
        Self::new(class, error.to_string())
    }
}

/// An error with its causes, since the outer one of an HTTP stack rarely says why.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
