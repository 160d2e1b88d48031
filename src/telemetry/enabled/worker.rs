//! The thread that makes spans of what was noted, and hands them on.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc as threads;
use std::time::Duration;

use futures::future::join_all;
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use super::super::{Sent, Summary, TracingError};
use super::destination::Destination;
use super::noted::{Noted, Watcher};
use super::tree::Tree;

/// How often the queue is emptied. Nobody is woken by what comes into it: that would cost whoever measures a system call.
const EVERY: Duration = Duration::from_millis(100);
/// Spans of one request to a collector.
const BATCH: usize = 512;
/// The most spans that wait to be handed on.
const ROOM: usize = 32_768;
/// How much longer whoever waits for the thread waits than the thread does for a collector.
const GRACE: Duration = Duration::from_millis(500);

/// What each destination made of one batch: how many it refused, or why it took none.
type Taken = Vec<Result<u64, String>>;

/// A batch on its way, and how many spans it has.
type UnderWay = (u64, Pin<Box<dyn Future<Output = Taken> + Send>>);

/// What the thread works with.
pub(super) struct Worker {
    queue: Receiver<(u64, Noted)>,
    tree: Tree,
    destinations: Arc<[Destination]>,
    resource: Arc<Resource>,
    waiting: Vec<SpanData>,
    sent: Vec<Sent>,
    dropped: u64,
}

/// The thread, for whoever ends it.
#[derive(Debug)]
pub(super) struct Running {
    watcher: Watcher,
    /// The end of the run in nanoseconds since the session's start, and how long to wait from there.
    end: oneshot::Sender<(u64, Duration)>,
    summary: threads::Receiver<Summary>,
    names: Vec<String>,
}

impl Running {
    /// Starts it.
    pub(super) fn start(worker: Worker, watcher: Watcher) -> Result<Self, TracingError> {
        let (end, ends) = oneshot::channel();
        let (tell, summary) = threads::sync_channel(1);
        let names = worker.sent.iter().map(|sent| sent.to.clone()).collect();
        std::thread::Builder::new().name("llmlab-traces".into()).spawn(move || {
            // Made here, since none may be dropped where another one runs.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let summary = runtime.map(|runtime| runtime.block_on(worker.work(ends)));
            let _nobody_waits = summary.map(|summary| tell.send(summary));
        })?;
        Ok(Self { watcher, end, summary, names })
    }

    /// Ends it, once all is handed on or `patience` is at its end.
    pub(super) fn finish(self, patience: Duration) -> Summary {
        let _it_may_be_gone = self.end.send((self.watcher.now(), patience));
        let summary = self.summary.recv_timeout(patience + GRACE).unwrap_or_else(|_| {
            let unknown =
                |to| Sent { to, reason: Some("its thread did not end in time".into()), ..Sent::default() };
            Summary { sent: self.names.into_iter().map(unknown).collect(), dropped: 0 }
        });
        Summary { dropped: summary.dropped + self.watcher.lost(), ..summary }
    }
}

impl Worker {
    /// A worker that has handed nothing on yet.
    pub(super) fn new(
        queue: Receiver<(u64, Noted)>,
        tree: Tree,
        destinations: Vec<Destination>,
        service: &str,
    ) -> Self {
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource =
            Resource::builder_empty().with_service_name(service.to_owned()).with_attribute(version);
        let sent = |to: &Destination| Sent { to: to.name(), ..Sent::default() };
        Self {
            queue,
            tree,
            sent: destinations.iter().map(sent).collect(),
            destinations: destinations.into(),
            resource: Arc::new(resource.build()),
            waiting: Vec::new(),
            dropped: 0,
        }
    }

    async fn work(mut self, mut ends: oneshot::Receiver<(u64, Duration)>) -> Summary {
        let mut tick = interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut under_way: Option<UnderWay> = None;
        let (end, patience) = loop {
            tokio::select! {
                _ = tick.tick() => self.empty_queue(),
                taken = arrival(&mut under_way) => self.note(taken),
                // Whoever drops the run without ending it waits for nobody.
                end = &mut ends => break end.unwrap_or((0, Duration::ZERO)),
            }
            if under_way.is_none() && !self.waiting.is_empty() {
                under_way = Some(self.send());
            }
        };
        self.queue.close();
        self.empty_queue();
        self.tree.finish(end);
        self.waiting.extend(self.tree.over());
        let deadline = Instant::now() + patience;
        loop {
            if under_way.is_none() {
                if self.waiting.is_empty() {
                    break;
                }
                under_way = Some(self.send());
            }
            match timeout_at(deadline, arrival(&mut under_way)).await {
                Ok(taken) => self.note(taken),
                Err(_) => break,
            }
        }
        self.give_up(under_way.map_or(0, |(spans, _)| spans), patience);
        Summary { sent: self.sent, dropped: self.dropped }
    }

    /// Makes spans of what was noted.
    fn empty_queue(&mut self) {
        while let Ok((at, noted)) = self.queue.try_recv() {
            self.tree.take(at, noted);
        }
        self.waiting.extend(self.tree.over());
        self.dropped += self.waiting.len().saturating_sub(ROOM) as u64;
        self.waiting.truncate(ROOM);
    }

    /// The next batch on its way to every destination.
    fn send(&mut self) -> UnderWay {
        let batch: Vec<_> = self.waiting.drain(..self.waiting.len().min(BATCH)).collect();
        let spans = batch.len() as u64;
        let (destinations, resource) = (Arc::clone(&self.destinations), Arc::clone(&self.resource));
        let taken = async move {
            let export = |to| Destination::export(to, &resource, batch.clone());
            join_all(destinations.iter().map(export)).await
        };
        (spans, Box::pin(taken))
    }

    fn note(&mut self, (spans, taken): (u64, Taken)) {
        for (sent, taken) in self.sent.iter_mut().zip(taken) {
            let (refused, reason) = match taken {
                Ok(0) => (0, None),
                Ok(refused) => (refused.min(spans), Some("it refused them".to_owned())),
                Err(reason) => (spans, Some(reason)),
            };
            sent.exported += spans - refused;
            sent.failed += refused;
            sent.reason = sent.reason.take().or(reason);
        }
    }

    /// Counts what was not handed on in time.
    fn give_up(&mut self, under_way: u64, patience: Duration) {
        let late = under_way + self.waiting.len() as u64;
        for sent in self.sent.iter_mut().filter(|_| late > 0) {
            sent.failed += late;
            let reason = || format!("not all were taken within {} s", patience.as_secs());
            sent.reason.get_or_insert_with(reason);
        }
    }
}

/// Waits for the batch that is under way; for ever if none is.
async fn arrival(under_way: &mut Option<UnderWay>) -> (u64, Taken) {
    let Some((spans, taken)) = under_way else { return pending().await };
    let (spans, taken) = (*spans, taken.await);
    *under_way = None;
    (spans, taken)
}
