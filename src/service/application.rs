//! A service from its settings to its end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::access::{KeysError, Limits};
use super::cache::{Cache, CacheError};
use super::imports::Imports;
use super::jobs::Runner;
use super::metrics::Metrics;
use super::rankings::Rankings;
use super::store::{Store, StoreError};
use super::{App, ServiceSettings, api, process_name, schedule};

/// How long the last replies may take once the service is to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The keys do not fit the address.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The database cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The cache cannot be opened.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The address is taken, or not this machine's.
    #[error("could not listen on {address}: {source}; {flag} names another")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The flag that sets it.
        flag: &'static str,
        /// What happened.
        source: io::Error,
    },
    /// It stopped serving.
    #[error("could not serve: {0}")]
    Serve(#[from] io::Error),
}

/// A service that is ready to run.
#[derive(Debug)]
pub struct Application {
    app: Arc<App>,
    listeners: Vec<TcpListener>,
    key: Option<String>,
}

impl Application {
    /// Opens what `settings` name, and listens.
    ///
    /// # Errors
    /// When a key is missing, the database or Redis is not there, or a port is taken.
    pub async fn build(mut settings: ServiceSettings) -> Result<Self, ServeError> {
        let (keys, key) = settings.keys()?;
        let listeners = listen(&settings).await?;
        let store = Store::open(&settings.database_url).await?;
        let cache = Arc::new(match &settings.redis_url {
            None => Cache::in_memory(),
            Some(url) => Cache::in_redis(url, &settings.database_url).await?,
        });
        let cache_name = cache.name();
        let rankings = Arc::new(Rankings::new(store.clone(), cache));
        let metrics = Arc::new(Metrics::default());
        let name = process_name();
        let runner = Runner::new(
            store.clone(),
            Arc::clone(&rankings),
            Arc::clone(&metrics),
            settings.environment,
            &settings.output_dir,
            settings.capacity.clone(),
            &name,
        );
        let imports = Imports::new(store.clone(), Arc::clone(&rankings), &settings.output_dir);
        let app = App {
            store,
            runner: Arc::new(runner),
            rankings,
            metrics,
            imports,
            keys,
            limits: Limits::new(settings.rate),
            schedule: settings.schedule,
            cache_name,
            criterion_dir: settings.criterion_dir,
            compat: settings.compat,
            lease: settings.capacity.lease,
            name,
            stop: CancellationToken::new(),
        };
        let app = Arc::new(app);
        // Whoever reads the address finds something ranked.
        schedule::first(&app).await?;
        Ok(Self { app, listeners, key })
    }

    /// Where it listens, the port of everything first.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// The key that was made up, where none was configured.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// What it keeps its things in, for people.
    pub fn backends(&self) -> String {
        format!("{} and {}", self.app.store.backend(), self.app.cache_name)
    }

    /// Serves until `stopped`; then jobs under way are put back into the queue, and the last replies are sent.
    ///
    /// # Errors
    /// When a listener fails.
    pub async fn run_until_stopped(self, stopped: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self { app, listeners, .. } = self;
        let stop = app.stop.clone();
        let serve = |listener: TcpListener| {
            let router = api::router(&app).into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned()).into_future()
        };
        let servers = join_all(listeners.into_iter().map(serve));
        let background = async {
            let runner = tokio::spawn(Arc::clone(&app.runner).run(stop.clone()));
            tokio::join!(schedule::run(Arc::clone(&app), stop.clone()), app.imports.run(stop.clone()));
            // A panic in it has been said already.
            let _ = runner.await;
        };
        let all = async { tokio::join!(servers, background) };
        tokio::pin!(all, stopped);
        let done = tokio::select! {
            done = &mut all => Some(done),
            () = &mut stopped => None,
        };
        let done = match done {
            Some(done) => Some(done),
            None => {
                stop.cancel();
                tokio::time::timeout(PATIENCE, all).await.ok()
            }
        };
        app.store.close().await;
        let served = done.map_or_else(Vec::new, |(served, ())| served);
        served.into_iter().collect::<Result<(), _>>().map_err(ServeError::from)
    }
}

async fn listen(settings: &ServiceSettings) -> Result<Vec<TcpListener>, ServeError> {
    let ports =
        [Some((settings.port, "--port")), settings.rankings_port.map(|port| (port, "--rankings-port"))];
    let mut listeners = Vec::new();
    for (port, flag) in ports.into_iter().flatten() {
        let address = SocketAddr::new(settings.host, port);
        let listener = TcpListener::bind(address).await;
        listeners.push(listener.map_err(|source| ServeError::Listen { address, flag, source })?);
    }
    Ok(listeners)
}
