//! One connection to the target: how it was opened, and the exchanges it served.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::failure::{ErrorClass, Failure};
use super::road::{HttpVersion, Road};
use super::stamp::{LastRead, ReadClock, StampLog, Stamped};
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

/// Where requests go into a connection.
#[derive(Debug)]
pub(crate) enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    /// Waits until the connection takes a request, or fails if it is closed.
    pub(crate) async fn ready(&mut self) -> hyper::Result<()> {
        match self {
            Self::Http1(sender) => sender.ready().await,
            Self::Http2(sender) => sender.ready().await,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }

    /// Sends, and gives the request back if none of it was written.
    pub(crate) async fn try_send_request(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>> {
        match self {
            Self::Http1(sender) => sender.try_send_request(request).await,
            Self::Http2(sender) => sender.try_send_request(request).await,
        }
    }
}

/// An open connection, checked out by at most one exchange unless it is shared.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) sender: Sender,
    pub(crate) log: StampLog,
    pub(crate) facts: ConnectionFacts,
    pub(crate) idle_since: Instant,
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
        let (sender, log) = if origin.tls {
            let (clock, last_read) = ReadClock::new(tcp);
            let (stream, facts) = tls.handshake(origin, road, clock).await?;
            (tls_ns, agreed) = (Some(nanoseconds(connected.elapsed())), facts);
            speak_http(road.http, stream, last_read).await?
        } else {
            speak_http(road.http, tcp, LastRead::default()).await?
        };
        let phases = Phases {
            dns_ns: nanoseconds(resolved - start),
            tcp_ns: nanoseconds(connected - resolved),
            tls_ns,
        };
        let shared = matches!(sender, Sender::Http2(_));
        let facts = ConnectionFacts { id, served_before: 0, opened: Some(phases), tls: agreed, shared };
        Ok(Self { sender, log, facts, idle_since: Instant::now() })
    }

    /// The same connection for one more exchange; absent if it carries one at a time.
    pub(crate) fn share(&mut self) -> Option<Self> {
        let Sender::Http2(sender) = &self.sender else { return None };
        let shared = Self { sender: Sender::Http2(sender.clone()), log: StampLog::default(), ..*self };
        self.served();
        Some(shared)
    }

    /// Takes note that it serves, or served, an exchange.
    pub(crate) fn served(&mut self) {
        self.facts.served_before += 1;
        self.facts.opened = None;
        self.idle_since = Instant::now();
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

/// Speaks HTTP on an open stream. HTTP/2 has no stamps of the connection: its exchanges bring their own.
async fn speak_http<S>(
    http: HttpVersion,
    stream: S,
    last_read: LastRead,
) -> Result<(Sender, StampLog), Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // An error of the connection also reaches the exchange that it breaks.
    if http == HttpVersion::Http2 {
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| Failure::of_request(&error))?;
        tokio::spawn(async move { drop(connection.await) });
        return Ok((Sender::Http2(sender), StampLog::default()));
    }
    let (stamped, ahead, log) = Stamped::new(stream, last_read);
    let (sender, mut connection) =
        http1::handshake(TokioIo::new(stamped)).await.map_err(|error| Failure::of_request(&error))?;
    let served = poll_fn(move |cx| {
        ahead.fill(cx);
        Pin::new(&mut connection).poll(cx)
    });
    tokio::spawn(async move { drop(served.await) });
    Ok((Sender::Http1(sender), log))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
