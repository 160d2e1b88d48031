//! How requests travel: over which connections, which protocols, and how far.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The road to a target: what becomes of connections, and what is spoken on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Road {
    /// Whether a connection is kept for the exchanges that follow. If not, each opens its own.
    pub reuse: bool,
    /// Whether TLS resumes the session of an earlier connection.
    pub resumption: bool,
    /// The one version of TLS that is spoken; absent means the target's own scheme, with the version that both
    /// ends agree on.
    pub tls: Option<TlsVersion>,
    /// The version of HTTP.
    pub http: HttpVersion,
    /// The round trip that a link before the simulator adds. Of a real target nobody can choose it.
    pub rtt: Duration,
}

impl Default for Road {
    /// As clients go unless told otherwise: connections are kept, sessions resumed, HTTP/1.1 spoken.
    fn default() -> Self {
        Self { reuse: true, resumption: true, tls: None, http: HttpVersion::Http1, rtt: Duration::ZERO }
    }
}

impl Road {
    /// A new connection for each exchange, with nothing remembered of the last one.
    pub fn fresh() -> Self {
        Self { reuse: false, resumption: false, ..Self::default() }
    }

    /// The same road with this version of TLS alone.
    #[must_use]
    pub fn tls(self, version: TlsVersion) -> Self {
        Self { tls: Some(version), ..self }
    }

    /// The same road with so much more of a round trip.
    #[must_use]
    pub fn rtt(self, rtt: Duration) -> Self {
        Self { rtt, ..self }
    }

    /// Whether a target that is not simulated can be asked over it.
    pub fn is_open_to_all(&self) -> bool {
        self.tls.is_none() && self.http == HttpVersion::Http1 && self.rtt.is_zero()
    }
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TlsVersion {
    /// TLS 1.2: two round trips, one when resumed.
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3: one round trip, resumed or not.
    #[serde(rename = "1.3")]
    Tls13,
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum HttpVersion {
    /// HTTP/1.1: a connection serves one exchange at a time.
    #[default]
    Http1,
    /// HTTP/2: one connection serves them all. Its stamps are upper bounds.
    Http2,
}
