//! One connection to the target: how it was opened, and the exchanges it served.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use once_cell::sync::OnceCell;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::failure::{ErrorClass, Failure, chain};
use super::stamp::{LastRead, ReadClock, StampLog, Stamped};
use super::target::Origin;

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
}

/// An open connection, checked out by at most one exchange.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) sender: SendRequest<Full<Bytes>>,
    pub(crate) log: StampLog,
    pub(crate) facts: ConnectionFacts,
    pub(crate) idle_since: Instant,
}

impl Connection {
    /// Opens connection number `id`.
    pub(crate) async fn open(origin: &Origin, id: u64) -> Result<Self, Failure> {
        let start = Instant::now();
        let addresses = resolve(origin).await?;
        let resolved = Instant::now();
        let tcp = TcpStream::connect(&addresses[..]).await.map_err(|error| refused(origin, &error))?;
        tcp.set_nodelay(true).map_err(|error| refused(origin, &error))?;
        let connected = Instant::now();
        let (sender, log, tls) = if origin.tls {
            let (clock, last_read) = ReadClock::new(tcp);
            let stream = handshake(origin, clock).await?;
            let tls = connected.elapsed();
            let (sender, log) = speak_http(stream, last_read).await?;
            (sender, log, Some(tls))
        } else {
            let (sender, log) = speak_http(tcp, LastRead::default()).await?;
            (sender, log, None)
        };
        let phases = Phases {
            dns_ns: nanoseconds(resolved - start),
            tcp_ns: nanoseconds(connected - resolved),
            tls_ns: tls.map(nanoseconds),
        };
        let facts = ConnectionFacts { id, served_before: 0, opened: Some(phases) };
        Ok(Self { sender, log, facts, idle_since: Instant::now() })
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

async fn speak_http<S>(
    stream: S,
    last_read: LastRead,
) -> Result<(SendRequest<Full<Bytes>>, StampLog), Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (stamped, ahead, log) = Stamped::new(stream, last_read);
    let (sender, mut connection) =
        http1::handshake(TokioIo::new(stamped)).await.map_err(|error| Failure::of_request(&error))?;
    let served = poll_fn(move |cx| {
        ahead.fill(cx);
        Pin::new(&mut connection).poll(cx)
    });
    // An error of the connection also reaches the exchange that it breaks.
    tokio::spawn(async move { drop(served.await) });
    Ok((sender, log))
}

async fn handshake<S>(origin: &Origin, stream: S) -> Result<tokio_rustls::client::TlsStream<S>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let failed =
        |why: String| Failure::new(ErrorClass::Tls, format!("no TLS with {}: {why}", origin.authority()));
    let name = rustls::pki_types::ServerName::try_from(origin.bare_host().to_owned())
        .map_err(|error| failed(error.to_string()))?;
    let config = tls_config().map_err(|error| failed(error.to_string()))?;
    TlsConnector::from(config).connect(name, stream).await.map_err(|error| failed(chain(&error)))
}

/// The TLS settings of every connection, made when the first one needs them: reading the machine's root
/// certificates takes longer than a mocked request.
pub(crate) fn tls_config() -> Result<Arc<rustls::ClientConfig>, rustls::Error> {
    use rustls_platform_verifier::BuilderVerifierExt;
    static CONFIG: OnceCell<Arc<rustls::ClientConfig>> = OnceCell::new();
    let config = CONFIG.get_or_try_init(|| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_platform_verifier()?
            .with_no_client_auth();
        Ok::<_, rustls::Error>(Arc::new(config))
    })?;
    Ok(Arc::clone(config))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
