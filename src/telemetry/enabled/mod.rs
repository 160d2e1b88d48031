//! Traces, from what was asked for to what became of them.

mod destination;
mod noted;
mod request;
mod tree;
mod worker;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use destination::Destination;
use noted::Watcher;
use tree::Tree;
use worker::{Running, Worker};

use super::{Summary, TracingConfig, TracingError};
use crate::session::Session;
use crate::settings::{Environment, Settings};

/// How long the end of a run waits for a collector.
const PATIENCE: Duration = Duration::from_secs(3);

/// What [`init_tracing`] was told.
static CONFIG: Mutex<Option<TracingConfig>> = Mutex::new(None);

/// Traces every run of this process that begins from here on, as `config` says; what that leaves open of Langfuse and of
/// the service's name is read from the environment. Settings that ask for traces themselves go before it.
///
/// # Errors
/// When a collector's address or a header does not fit.
///
/// ```
/// use llmlab::settings::Settings;
/// use llmlab::telemetry::{Tracing, TracingConfig, init_tracing};
///
/// init_tracing(TracingConfig { service_name: "my-benchmark".into(), ..TracingConfig::default() })?;
/// // What runs from here on is traced: `run::run`, benches, and any session that a `Tracing` watches.
/// assert_eq!(Tracing::of(&Settings::simulated())?.notices(), ["traces go to standard error"]);
/// # Ok::<(), llmlab::telemetry::TracingError>(())
/// ```
pub fn init_tracing(config: TracingConfig) -> Result<(), TracingError> {
    let config = config.completed(&Environment::of_process());
    Destination::all(&config)?;
    *locked(&CONFIG) = Some(config);
    Ok(())
}

/// The traces of one run, or none. Clones are of the same run.
#[derive(Debug, Clone)]
pub struct Tracing {
    config: Option<TracingConfig>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    destinations: Vec<Destination>,
    running: Option<Running>,
}

impl Tracing {
    /// What `settings` ask for, or else [`init_tracing`]; nothing is sent yet.
    ///
    /// # Errors
    /// When a collector's address or a header does not fit.
    pub fn of(settings: &Settings) -> Result<Self, TracingError> {
        let config = settings.tracing.clone().or_else(|| locked(&CONFIG).clone());
        config.map_or(Ok(Self { config: None, state: Arc::default() }), |config| Self::with(&config))
    }

    /// What `config` asks for; nothing is sent yet.
    ///
    /// # Errors
    /// When a collector's address or a header does not fit.
    pub fn with(config: &TracingConfig) -> Result<Self, TracingError> {
        let destinations = Destination::all(config)?;
        let state = State { destinations, running: None };
        Ok(Self { config: Some(config.clone()), state: Arc::new(Mutex::new(state)) })
    }

    /// What a person should know before the run: where its traces go. What is missing for Langfuse is said once in a
    /// process.
    pub fn notices(&self) -> Vec<String> {
        static WARNED: AtomicBool = AtomicBool::new(false);
        const KEYLESS: &str =
            "WARNING: no traces go to Langfuse: LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY are not both set";
        let is_keyless = |config: &TracingConfig| config.enable_langfuse && !destination::has_keys(config);
        let is_new = self.config.as_ref().is_some_and(is_keyless) && !WARNED.swap(true, Ordering::Relaxed);
        let names: Vec<_> = locked(&self.state).destinations.iter().map(Destination::name).collect();
        let to = (!names.is_empty()).then(|| format!("traces go to {}", names.join(", ")));
        is_new.then(|| KEYLESS.to_owned()).into_iter().chain(to).collect()
    }

    /// Watches `session` from here on, whose root span is called `name`. Once for each value.
    ///
    /// # Errors
    /// When the thread that hands spans on cannot start.
    pub fn attach(&self, session: &mut Session, name: &str) -> Result<(), TracingError> {
        let mut state = locked(&self.state);
        let destinations = std::mem::take(&mut state.destinations);
        let Some(config) = self.config.as_ref().filter(|_| !destinations.is_empty()) else { return Ok(()) };
        let (watcher, queue) = Watcher::new(session);
        let tree = Tree::new(session, &watcher, name);
        let worker = Worker::new(queue, tree, destinations, &config.service_name);
        state.running = Some(Running::start(worker, watcher.clone())?);
        session.observe(Box::new(watcher));
        Ok(())
    }

    /// Ends the run's span and waits a few seconds until all are handed on; what became of them. Absent where nothing was
    /// traced, and from the second time on.
    pub fn finish(&self) -> Option<Summary> {
        let running = locked(&self.state).running.take()?;
        Some(running.finish(PATIENCE))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
