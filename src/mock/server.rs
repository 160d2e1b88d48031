//! A running mock: its threads, its address, its end.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::config::MockConfig;
use super::faults::Fault;
use super::listener::{MockListener, Peer};
use super::log::ReceivedRequest;
use super::pacer::{Pacer, lock};
use super::state::{App, MockState};
use super::{MockError, PacingReport, routes};

/// A running mock. It has a runtime and threads of its own, can be started and dropped inside another runtime,
/// and stops when dropped: requests in flight are cut.
#[derive(Debug)]
pub struct Mock {
    addr: SocketAddr,
    app: Arc<App>,
    runtime: Option<Runtime>,
    clock: Option<JoinHandle<()>>,
}

impl Mock {
    /// Starts a mock.
    ///
    /// # Errors
    /// [`MockError`] if a setting is out of range, or the address or threads cannot be had.
    pub fn start(config: MockConfig) -> Result<Self, MockError> {
        config.check()?;
        let wanted = config.addr;
        let refused = |source| MockError::Listen { addr: wanted, source };
        let listener = TcpListener::bind(wanted).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let addr = listener.local_addr().map_err(refused)?;
        let runtime = runtime(config.threads).map_err(MockError::Threads)?;
        let inner = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(refused)?
        };
        let (pacer, clock) = Pacer::start().map_err(MockError::Threads)?;
        let app = Arc::new(App::new(config, pacer));
        let router = routes::router(Arc::clone(&app)).into_make_service_with_connect_info::<Peer>();
        let listener = MockListener { inner, app: Arc::clone(&app) };
        runtime.spawn(async move { axum::serve(listener, router).await });
        Ok(Self { addr, app, runtime: Some(runtime), clock: Some(clock) })
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

    /// Moves the clock of the caches, and no other, forward.
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

fn runtime(threads: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(threads).thread_name("llmlab-mock").enable_all().build()
}
