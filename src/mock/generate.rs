//! `POST /generate`: whole answers from a cache, or from an engine that serves batches one after another.
//!
//! A batch of requests takes the longest overhead, all prefills and the longest decode: `α + β·size`, where
//! only decoding is shared. All its answers leave together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tokio::sync::{OnceCell, oneshot};

use crate::wire::Reply;

use super::batch::Joined;
use super::cache::CacheOutcome;
use super::call::Call;
use super::deployment::Deployment;
use super::engine::Schedule;
use super::pacer::lock;
use super::replies::ReplyCache;
use super::state::App;

/// What an answer says beside its text: requests in its batch.
pub const BATCH_SIZE: &str = "batch_size";

/// What `/generate` did so far.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct GenerateCounts {
    /// Answers kept.
    pub entries: usize,
    /// Requests answered from the cache.
    pub hits: u64,
    /// Requests that the cache could have answered but did not.
    pub misses: u64,
    /// Requests that waited for an answer that another one was getting.
    #[serde(default)]
    pub joined: u64,
    /// Requests that must not be cached: above temperature 0.
    pub bypasses: u64,
    /// Batches served.
    pub batches: u64,
    /// Requests in them.
    pub batched: u64,
}

/// Answers on their way, for which others may wait, by their key in the cache.
pub(crate) type Flights = Mutex<HashMap<u128, Arc<OnceCell<Reply>>>>;

/// A request in a batch: its times, and whom to tell when the batch is done.
#[derive(Debug)]
pub(crate) struct BatchMember {
    schedule: Schedule,
    done: oneshot::Sender<Served>,
}

/// When a batch was done, and how many requests it held.
#[derive(Debug)]
struct Served {
    deadline: Instant,
    size: usize,
}

/// Answers a request of `/generate`.
pub(crate) async fn reply(call: &Call) -> Reply {
    let app = &call.app;
    let key = ReplyCache::key(&call.ask);
    let kept = key.and_then(|key| lock(&app.replies).get(key, app.cache_now()));
    let reply = match (kept, key) {
        (Some(kept), _) => {
            lock(&app.generated).hits += 1;
            Reply { cached: Some(true), ..(*kept).clone() }
        }
        (None, Some(key)) if app.config.generate.single_flight => joined(call, key).await,
        (None, key) => computed(call, key).await,
    };
    finish(reply, call)
}

/// The answer of a request like this one that is on its way, or else its own.
async fn joined(call: &Call, key: u128) -> Reply {
    let flights = &call.app.flights;
    let flight = Arc::clone(lock(flights).entry(key).or_default());
    let mut own = false;
    let compute = async || {
        own = true;
        computed(call, Some(key)).await
    };
    let mut reply = flight.get_or_init(compute).await.clone();
    // Whoever comes later finds it in the cache.
    lock(flights).retain(|_, other| !Arc::ptr_eq(other, &flight));
    if !own {
        lock(&call.app.generated).joined += 1;
        reply.cached = Some(true);
        reply.extra.remove(BATCH_SIZE);
    }
    reply
}

/// The answer as the engine makes it, kept under its key if it has one.
async fn computed(call: &Call, key: Option<u128>) -> Reply {
    let app = &call.app;
    {
        let mut counts = lock(&app.generated);
        *if key.is_some() { &mut counts.misses } else { &mut counts.bypasses } += 1;
    }
    let schedule = call.schedule(CacheOutcome::uncached(call.plan.input()));
    app.note_usage(call.record, schedule.usage);
    let mut reply =
        Reply { cached: Some(false), ..Reply::from_events(schedule.events.iter().map(|(_, event)| event)) };
    let batch_size = batched(call, schedule).await;
    if let Some(key) = key {
        lock(&app.replies).put(key, Arc::new(reply.clone()), app.cache_now(), &app.config.generate);
    }
    reply.extra.insert(BATCH_SIZE.to_owned(), batch_size.into());
    reply
}

fn finish(mut reply: Reply, call: &Call) -> Reply {
    let latency_ms = call.received.elapsed().as_micros() as f64 / 1e3;
    reply.extra.insert("latency_ms".to_owned(), latency_ms.into());
    reply
}

/// Waits until the batch that the request joins is done, and says how many requests it held.
async fn batched(call: &Call, schedule: Schedule) -> usize {
    let app = &call.app;
    let deployment = app.deployment(call.ask.serving);
    let (done, waiting) = oneshot::channel();
    let joined = lock(&deployment.batcher).join(BatchMember { schedule, done }, app.real_now());
    match joined {
        Joined::Full(batch) => drop(tokio::spawn(serve(Arc::clone(app), deployment, batch))),
        Joined::Opened { number, due } => {
            drop(tokio::spawn(close(Arc::clone(app), deployment, number, app.at(due))));
        }
        Joined::Waiting => {}
    }
    let Ok(served) = waiting.await else { return 0 };
    app.pacer.record(served.deadline);
    served.size
}

async fn close(app: Arc<App>, deployment: Arc<Deployment>, number: u64, due: Instant) {
    app.pacer.wait_until(due).await;
    let batch = lock(&deployment.batcher).close(number);
    if let Some(batch) = batch {
        serve(app, deployment, batch).await;
    }
}

async fn serve(app: Arc<App>, deployment: Arc<Deployment>, batch: Vec<BatchMember>) {
    // The semaphore is never closed, so the engine is free in the end.
    let _engine = deployment.batch_engine.acquire().await;
    let start = Instant::now();
    {
        let mut counts = lock(&app.generated);
        counts.batches += 1;
        counts.batched += batch.len() as u64;
    }
    let times = || batch.iter().map(|member| &member.schedule);
    let overhead = times().map(|times| times.overhead).max().unwrap_or_default();
    let decode = times().map(|times| times.decode).max().unwrap_or_default();
    let deadline =
        start + overhead + times().map(|times| times.prefill).sum::<std::time::Duration>() + decode;
    app.pacer.wait_until(deadline).await;
    let size = batch.len();
    for member in batch {
        // A client that hung up waits no more.
        let _gone = member.done.send(Served { deadline, size });
    }
}
