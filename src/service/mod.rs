//! `llmlab serve`: benchmarks for a team.
//!
//! One process serves jobs, results, rankings and pages; several may share a database and a Redis. Every figure that it
//! shows was made by the floors below: the service computes no statistic of its own.

mod access;
mod api;
mod application;
mod cache;
mod dashboard;
mod error;
mod imports;
pub mod jobs;
mod metrics;
pub mod rankings;
mod schedule;
mod settings;
pub mod store;
mod time;

pub use access::{Keys, KeysError};
pub use application::{Application, ServeError};
pub use cache::{Cache, CacheError};
pub use jobs::Capacity;
pub use schedule::{Schedule, Task};
pub use settings::ServiceSettings;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::ranking::Simulation;
use access::Limits;
use imports::Imports;
use jobs::Runner;
use metrics::Metrics;
use rankings::Rankings;
use store::{Lease, Store, StoreError};

/// How long a process may simulate that does nothing else.
const ONCE: Duration = Duration::from_secs(30);

/// What all handlers share.
#[derive(Debug)]
pub(crate) struct App {
    store: Store,
    runner: Arc<Runner>,
    rankings: Arc<Rankings>,
    metrics: Arc<Metrics>,
    imports: Imports,
    keys: Keys,
    limits: Limits,
    schedule: Schedule,
    cache_name: &'static str,
    criterion_dir: PathBuf,
    compat: bool,
    lease: Duration,
    /// Who this process is, in leases and claims.
    name: String,
    stop: CancellationToken,
}

/// Simulates values into a database, and ranks models by them, once: for a scheduler of one's own.
///
/// # Errors
/// When the database fails, or a service is at it for longer than a minute.
pub async fn simulate_once(database_url: &str, simulation: &Simulation) -> Result<(), StoreError> {
    let store = Store::open(database_url).await?;
    let rankings = Rankings::new(store.clone(), Arc::new(Cache::in_memory()));
    let name = process_name();
    let lease = async {
        loop {
            match store.lease(schedule::LEASE, &name, ONCE).await? {
                Some(lease) => return Ok(lease),
                None => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    };
    let lease = tokio::time::timeout(2 * ONCE, lease).await;
    let lease: Lease = lease.unwrap_or_else(|_| Err(StoreError::Fenced(schedule::LEASE.into())))?;
    rankings.simulate(&lease, simulation).await?;
    store.release(&lease).await?;
    store.close().await;
    Ok(())
}

/// Who this process is, in leases and claims.
fn process_name() -> String {
    format!("{}-{:08x}", std::process::id(), rand::random::<u32>())
}
