//! TLS of the client's connections.

use std::sync::Arc;

use once_cell::sync::OnceCell;
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::failure::{ErrorClass, Failure, chain};
use super::road::{HttpVersion, Road, TlsVersion};
use super::target::Origin;

/// What was agreed on when a connection was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFacts {
    /// The version.
    pub version: TlsVersion,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
}

/// The TLS settings of one road, made when its first connection needs them.
#[derive(Debug, Default)]
pub(crate) struct Settings(OnceCell<Arc<ClientConfig>>);

impl Settings {
    /// Shakes hands on `stream`.
    pub(super) async fn handshake<S>(
        &self,
        origin: &Origin,
        road: &Road,
        stream: S,
    ) -> Result<(TlsStream<S>, Option<TlsFacts>), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let failed =
            |why: String| Failure::new(ErrorClass::Tls, format!("no TLS with {}: {why}", origin.authority()));
        let name =
            ServerName::try_from(origin.bare_host().to_owned()).map_err(|error| failed(error.to_string()))?;
        let config = self.0.get_or_try_init(|| settings(origin.root.as_ref(), road));
        let config = config.map_err(|error| failed(error.to_string()))?;
        let connector = TlsConnector::from(Arc::clone(config));
        let stream = connector.connect(name, stream).await.map_err(|error| failed(chain(&error)))?;
        let facts = facts(stream.get_ref().1);
        if road.http == HttpVersion::Http2 && stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(failed("the server does not speak HTTP/2".into()));
        }
        Ok((stream, facts))
    }
}

fn facts(connection: &rustls::ClientConnection) -> Option<TlsFacts> {
    let version = match connection.protocol_version()? {
        ProtocolVersion::TLSv1_2 => TlsVersion::Tls12,
        ProtocolVersion::TLSv1_3 => TlsVersion::Tls13,
        _ => return None,
    };
    Some(TlsFacts { version, resumed: connection.handshake_kind()? == HandshakeKind::Resumed })
}

/// The settings of `road`, with `root` as the one certificate that is trusted, or the machine's own.
fn settings(root: Option<&CertificateDer<'static>>, road: &Road) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut config = match (root, road.tls) {
        (None, None) => (*tls_config()?).clone(),
        _ => of_version(root, road.tls)?,
    };
    config.resumption = if road.resumption { Resumption::default() } else { Resumption::disabled() };
    if road.http == HttpVersion::Http2 {
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    Ok(Arc::new(config))
}

fn of_version(
    root: Option<&CertificateDer<'static>>,
    version: Option<TlsVersion>,
) -> Result<ClientConfig, rustls::Error> {
    use rustls_platform_verifier::BuilderVerifierExt;
    let versions = match version {
        None => rustls::DEFAULT_VERSIONS,
        Some(TlsVersion::Tls12) => &[&rustls::version::TLS12],
        Some(TlsVersion::Tls13) => &[&rustls::version::TLS13],
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
    let builder = match root {
        None => builder.with_platform_verifier()?,
        Some(root) => {
            let mut roots = RootCertStore::empty();
            roots.add(root.clone())?;
            builder.with_root_certificates(roots)
        }
    };
    Ok(builder.with_no_client_auth())
}

/// The TLS settings with the machine's root certificates, made when the first connection needs them: reading
/// those takes longer than a mocked request.
pub(super) fn tls_config() -> Result<Arc<ClientConfig>, rustls::Error> {
    static CONFIG: OnceCell<Arc<ClientConfig>> = OnceCell::new();
    let config = CONFIG.get_or_try_init(|| of_version(None, None).map(Arc::new))?;
    Ok(Arc::clone(config))
}
