//! One connection to the target: how it was opened, and the exchanges it served.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use super::failure::{ErrorClass, Failure};
use super::http2;
use super::road::{HttpVersion, Road};
use super::socket::{Clocked, Socket};
use super::target::Origin;
use super::tls::{self, TlsFacts};

/// How long each phase of opening a connection took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// Resolving the name, in nanoseconds.
    pub dns_ns: u64,
    /// TCP's handshake, in nanoseconds.
    pub tcp_ns: u64,
    /// TLS's handshake, in nanoseconds; absent without TLS.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tls_ns: Option<u64>,
}

/// What is known of the connection that carried an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionFacts {
    /// The connection's number among those this client opened, from 1.
    pub id: u64,
    /// How many exchanges it had served before; 0 means it was opened for this one.
    pub served_before: u64,
    /// How it was opened, if it was opened for this exchange. None of it is in TTFT.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub opened: Option<Phases>,
    /// What TLS agreed on when it was opened; absent without TLS.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tls: Option<TlsFacts>,
    /// Whether it carries other exchanges at the same time (HTTP/2). No read can then be told to be one
    /// exchange's own: its stamps were taken where its task saw the pieces, and are upper bounds.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub shared: bool,
}

/// What carries exchanges.
#[derive(Debug)]
pub(crate) enum Transport {
    /// One exchange at a time.
    Http1(Socket),
    /// All of them.
    Http2(http2::Sender),
}

/// An open connection, checked out by at most one exchange unless it is shared.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) transport: Transport,
    pub(crate) facts: ConnectionFacts,
}

impl Connection {
    /// Opens connection number `id`.
    pub(crate) async fn open(
        origin: &Origin,
        road: &Road,
        tls: &tls::Settings,
        id: u64,
    ) -> Result<Self, Failure> {
        let start = Instant::now();
        let addresses = resolve(origin).await?;
        let resolved = Instant::now();
        let tcp = TcpStream::connect(&addresses[..]).await.map_err(|error| refused(origin, &error))?;
        tcp.set_nodelay(true).map_err(|error| refused(origin, &error))?;
        let connected = Instant::now();
        let (mut tls_ns, mut agreed) = (None, None);
        let tcp = Clocked::new(tcp);
        let socket = if origin.tls {
            let (stream, facts) = tls.handshake(origin, road, tcp).await?;
            (tls_ns, agreed) = (Some(nanoseconds(connected.elapsed())), facts);
            Socket::tls(stream)
        } else {
            Socket::plain(tcp)
        };
        let transport = match road.http {
            HttpVersion::Http1 => Transport::Http1(socket),
            HttpVersion::Http2 => Transport::Http2(http2::open(socket).await?),
        };
        let phases = Phases {
            dns_ns: nanoseconds(resolved - start),
            tcp_ns: nanoseconds(connected - resolved),
            tls_ns,
        };
        let shared = matches!(transport, Transport::Http2(_));
        let facts = ConnectionFacts { id, served_before: 0, opened: Some(phases), tls: agreed, shared };
        Ok(Self { transport, facts })
    }

    /// The same connection for one more exchange; absent if it carries one at a time.
    pub(crate) fn share(&mut self) -> Option<Self> {
        let Transport::Http2(sender) = &self.transport else { return None };
        let shared = Self { transport: Transport::Http2(sender.clone()), facts: self.facts };
        self.facts = self.facts.served();
        Some(shared)
    }

    /// Whether it is known to be closed.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(&self.transport, Transport::Http2(sender) if sender.is_closed())
    }
}

impl ConnectionFacts {
    /// The facts after one more exchange.
    #[must_use]
    pub(crate) fn served(self) -> Self {
        Self { served_before: self.served_before + 1, opened: None, ..self }
    }
}

/// Every address of the host, to be tried in turn: `localhost` may be `::1` first and listen on 127.0.0.1.
async fn resolve(origin: &Origin) -> Result<Vec<std::net::SocketAddr>, Failure> {
    let unresolved =
        |why: String| Failure::new(ErrorClass::Connect, format!("no address for {}: {why}", origin.host));
    let found = tokio::net::lookup_host((origin.bare_host(), origin.port)).await;
    let found: Vec<_> = found.map_err(|error| unresolved(error.to_string()))?.collect();
    if found.is_empty() { Err(unresolved("the name has none".into())) } else { Ok(found) }
}

fn refused(origin: &Origin, error: &std::io::Error) -> Failure {
    Failure::new(ErrorClass::Connect, format!("could not connect to {}: {error}", origin.authority()))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
