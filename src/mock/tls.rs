//! The mock over TLS: its certificate, made at the start, and its handshakes, counted.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::HandshakeKind;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::MockError;
use super::listener::{Connection, MockListener, Peer};

/// Who the mock says it is, and how it proves it.
pub(super) struct Identity {
    pub(super) acceptor: TlsAcceptor,
    pub(super) certificate: CertificateDer<'static>,
}

impl Identity {
    /// A new self-signed one for loopback: TLS 1.2 and 1.3 with session tickets, HTTP/2 and HTTP/1.1.
    pub(super) fn new() -> Result<Self, MockError> {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names).map_err(|error| MockError::tls(&error))?;
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let config = || {
            let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(vec![certificate.clone()], key)?;
            config.ticketer = ring::Ticketer::new()?;
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            Ok::<_, rustls::Error>(config)
        };
        let config = config().map_err(|error| MockError::tls(&error))?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), certificate })
    }
}

/// Accepts connections and shakes hands on each, without holding up the next.
pub(super) struct TlsListener {
    tcp: MockListener,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<Option<(TlsStream<Connection>, SocketAddr)>>,
}

impl TlsListener {
    pub(super) fn new(tcp: MockListener, acceptor: TlsAcceptor) -> Self {
        Self { tcp, acceptor, handshakes: JoinSet::new() }
    }

    fn shake_hands(&mut self, connection: Connection, addr: SocketAddr) {
        let (acceptor, app) = (self.acceptor.clone(), Arc::clone(&self.tcp.app));
        self.handshakes.spawn(async move {
            // A client that breaks off has its own error.
            let stream = acceptor.accept(connection).await.ok()?;
            let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
            let count = if resumed { &app.tls_resumed } else { &app.tls_full };
            count.fetch_add(1, Relaxed);
            Some((stream, addr))
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<Connection>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            tokio::select! {
                (connection, addr) = self.tcp.accept() => self.shake_hands(connection, addr),
                Some(done) = self.handshakes.join_next() => if let Ok(Some(ready)) = done {
                    return ready;
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        stream.io().get_ref().0.peer()
    }
}
