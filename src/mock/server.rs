//! A running mock: its threads, its addresses, its end.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use once_cell::sync::OnceCell;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};

use super::config::MockConfig;
use super::faults::Fault;
use super::link::Link;
use super::listener::{MockListener, Peer};
use super::log::ReceivedRequest;
use super::pacer::{Pacer, lock};
use super::state::{App, MockState};
use super::tls::{Identity, TlsListener};
use super::{MockError, PacingReport, replay, routes};

/// A running mock. It has a runtime and threads of its own, can be started and dropped inside another runtime,
/// and stops when dropped: requests in flight are cut.
#[derive(Debug)]
pub struct Mock {
    addr: SocketAddr,
    app: Arc<App>,
    tls: OnceCell<(SocketAddr, CertificateDer<'static>)>,
    handle: Handle,
    runtime: Option<Runtime>,
    clock: Option<JoinHandle<()>>,
}

/// A way into a mock.
#[derive(Debug, Clone)]
pub struct Entrance {
    /// Its base URL, without a slash at the end.
    pub url: String,
    /// The certificate to trust there; absent without TLS.
    pub certificate: Option<CertificateDer<'static>>,
}

impl Entrance {
    /// The certificate as PEM, which clients in any language take.
    pub fn certificate_pem(&self) -> Option<String> {
        let text = BASE64_STANDARD.encode(self.certificate.as_ref()?);
        let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n");
        Some(format!("-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"))
    }
}

impl Mock {
    /// Starts a mock.
    ///
    /// # Errors
    /// [`MockError`] if a setting is out of range, or the address or threads cannot be had.
    pub fn start(config: MockConfig) -> Result<Self, MockError> {
        config.check()?;
        // What can fail comes before the runtime, which must not be dropped inside another one.
        let (listener, addr) = bind(config.addr)?;
        let (pacer, clock) = Pacer::start().map_err(MockError::Threads)?;
        let runtime = runtime(config.threads).map_err(MockError::Threads)?;
        let handle = runtime.handle().clone();
        let inner = match adopt(&handle, listener, addr) {
            Ok(inner) => inner,
            Err(refused) => {
                runtime.shutdown_background();
                return Err(refused);
            }
        };
        let app = Arc::new(App::new(config, pacer));
        serve(&handle, &app, MockListener { inner, app: Arc::clone(&app) });
        let (runtime, clock) = (Some(runtime), Some(clock));
        Ok(Self { addr, app, tls: OnceCell::new(), handle, runtime, clock })
    }

    /// Opens another way in: over TLS or not, behind a link of this round-trip time, zero for none.
    ///
    /// # Errors
    /// [`MockError`] if a port cannot be had or a certificate cannot be made.
    pub fn entrance(&self, tls: bool, rtt: Duration) -> Result<Entrance, MockError> {
        self.entrance_at(SocketAddr::new(self.addr.ip(), 0), tls, rtt)
    }

    /// Opens another way in at an address of one's own; port 0 takes a free one. There is one way in without TLS
    /// and a link, the mock's own address, and one with TLS and no link, where the first was opened.
    ///
    /// # Errors
    /// [`MockError`] if the address cannot be had or a certificate cannot be made.
    pub fn entrance_at(&self, at: SocketAddr, tls: bool, rtt: Duration) -> Result<Entrance, MockError> {
        let beside = SocketAddr::new(self.addr.ip(), 0);
        let (addr, certificate) = if tls {
            let near = if rtt.is_zero() { at } else { beside };
            let (addr, certificate) = self.tls.get_or_try_init(|| self.serve_tls(near))?;
            (*addr, Some(certificate.clone()))
        } else {
            (self.addr, None)
        };
        let addr = if rtt.is_zero() { addr } else { self.link(at, addr, rtt)? };
        let scheme = if tls { "https" } else { "http" };
        Ok(Entrance { url: format!("{scheme}://{addr}"), certificate })
    }

    fn serve_tls(&self, at: SocketAddr) -> Result<(SocketAddr, CertificateDer<'static>), MockError> {
        let identity = Identity::new()?;
        let (inner, addr) = listen(&self.handle, at)?;
        let tcp = MockListener { inner, app: Arc::clone(&self.app) };
        serve(&self.handle, &self.app, TlsListener::new(tcp, identity.acceptor));
        Ok((addr, identity.certificate))
    }

    fn link(&self, at: SocketAddr, to: SocketAddr, rtt: Duration) -> Result<SocketAddr, MockError> {
        let (listener, addr) = listen(&self.handle, at)?;
        self.handle.spawn(Link { listener, to, rtt, pacer: self.app.pacer.clone() }.run());
        Ok(addr)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its base URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// What it was started with.
    pub fn config(&self) -> &MockConfig {
        &self.app.config
    }

    /// Its own pacing error so far.
    pub fn report(&self) -> PacingReport {
        self.app.pacer.report()
    }

    /// What it has seen and done so far.
    pub fn state(&self) -> MockState {
        self.app.state()
    }

    /// The last 256 requests, oldest first.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        lock(&self.app.log).last()
    }

    /// Queues faults for the next requests that they fit.
    pub fn inject(&self, faults: impl IntoIterator<Item = impl Into<Fault>>) {
        lock(&self.app.faults).push(faults.into_iter().map(Into::into).collect());
    }

    /// Moves the clock of the caches and the rate limits, and no other, forward.
    pub fn advance(&self, by: Duration) {
        self.app.advance(by);
    }

    /// Forgets all cached prompts and answers.
    pub fn clear_caches(&self) {
        self.app.clear_caches();
    }

    /// Changes the seed for the requests that follow.
    pub fn set_seed(&self, seed: u64) {
        self.app.set_seed(seed);
    }

    /// Back to the state of a fresh start, with the seed it was started with.
    pub fn reset(&self) {
        self.app.reset();
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.app.pacer.stop();
        if let Some(runtime) = self.runtime.take() {
            // Waiting for it would panic inside another runtime.
            runtime.shutdown_background();
        }
        if let Some(clock) = self.clock.take() {
            // It ends at once, and a panic in it has been reported already.
            let _panicked = clock.join();
        }
    }
}

/// A listener at `wanted` with its address, not yet served by any runtime.
fn bind(wanted: SocketAddr) -> Result<(StdListener, SocketAddr), MockError> {
    let refused = |source| MockError::Listen { addr: wanted, source };
    let listener = StdListener::bind(wanted).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    let addr = listener.local_addr().map_err(refused)?;
    Ok((listener, addr))
}

/// A listener at `wanted` on a runtime, with its address.
fn listen(handle: &Handle, wanted: SocketAddr) -> Result<(TcpListener, SocketAddr), MockError> {
    let (listener, addr) = bind(wanted)?;
    Ok((adopt(handle, listener, addr)?, addr))
}

fn adopt(handle: &Handle, listener: StdListener, addr: SocketAddr) -> Result<TcpListener, MockError> {
    let _entered = handle.enter();
    TcpListener::from_std(listener).map_err(|source| MockError::Listen { addr, source })
}

/// Answers whoever comes through `listener`.
fn serve<L>(handle: &Handle, app: &Arc<App>, listener: L)
where
    L: Listener<Addr = SocketAddr>,
    Peer: for<'a> Connected<IncomingStream<'a, L>>,
{
    let router = match &app.config.replay {
        Some(replay) => replay::router(Arc::clone(app), replay.clone()),
        None => routes::router(Arc::clone(app)),
    };
    let router = router.into_make_service_with_connect_info::<Peer>();
    handle.spawn(async move { axum::serve(listener, router).await });
}

fn runtime(threads: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(threads).thread_name("llmlab-mock").enable_all().build()
}
