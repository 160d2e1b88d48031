//! One request from its arrival to its last byte.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::seed::{DrawId, Noise};
use crate::wire::{Ask, Dialect, Event, Reply};

use super::Defect;
use super::cache::{CacheOutcome, Plan};
use super::engine::{Schedule, Turn};
use super::faults::FaultKind;
use super::frames::{Frame, Frames};
use super::pacer::lock;
use super::state::{App, InFlight};

/// A request that is understood and will be answered.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) app: Arc<App>,
    pub(crate) dialect: Dialect,
    pub(crate) ask: Ask,
    pub(crate) plan: Plan,
    pub(crate) counts_writes: bool,
    pub(crate) draw: Option<DrawId>,
    pub(crate) noise: Noise,
    pub(crate) id: String,
    pub(crate) record: u64,
    pub(crate) fault: Option<FaultKind>,
    /// When the body had been received in full.
    pub(crate) received: Instant,
    /// Counts the request until it is dropped.
    pub(crate) _in_flight: InFlight,
}

/// A request that got its slot.
#[derive(Debug)]
struct Served {
    /// The origin of its schedule.
    start: Instant,
    outcome: CacheOutcome,
    schedule: Schedule,
    /// Held until the answer is over.
    _slot: Option<OwnedSemaphorePermit>,
}

impl Call {
    /// Waits for a slot, then decides the whole answer.
    async fn serve(&self) -> Served {
        let slots = Arc::clone(&self.app.deployment(self.ask.serving).slots);
        let (slot, start) = match Arc::clone(&slots).try_acquire_owned() {
            Ok(slot) => (Some(slot), self.received),
            // The semaphore is never closed, so there is always a slot in the end.
            Err(_) => (slots.acquire_owned().await.ok(), Instant::now()),
        };
        let outcome = lock(&self.app.cache).lookup(&self.plan, self.app.cache_now());
        let schedule = self.schedule(outcome);
        self.app.note_usage(self.record, schedule.usage);
        Served { start, outcome, schedule, _slot: slot }
    }

    pub(crate) fn schedule(&self, tokens: CacheOutcome) -> Schedule {
        let turn = Turn {
            id: self.id.clone(),
            tokens,
            counts_writes: self.counts_writes,
            noise: self.noise.clone(),
        };
        let mut engine = self.app.engine(&self.ask.model, self.draw.as_ref());
        if self.app.has_answered(&self.ask) {
            engine.slowdown = 0.0;
        }
        engine.schedule(&self.ask, &turn)
    }

    /// The response has begun: what this request wrote to the prompt cache is there for others.
    fn begin_response(&self, outcome: CacheOutcome) {
        lock(&self.app.cache).mark_readable(&self.plan, outcome, self.app.cache_now());
    }

    /// The whole answer at once, when its last token is ready.
    pub(crate) async fn reply(&self) -> Reply {
        let served = self.serve().await;
        let deadline = served.start + served.schedule.end();
        self.app.pacer.wait_until(deadline).await;
        self.app.pacer.record(deadline);
        self.begin_response(served.outcome);
        Reply::from_events(served.schedule.events.iter().map(|(_, event): &(_, Event)| event))
    }

    /// The answer as a body that sends each frame at its deadline.
    pub(crate) fn stream(self) -> Body {
        let playback = Playback { call: self, running: None };
        Body::from_stream(futures::stream::unfold(playback, |mut playback| async move {
            playback.next().await.map(|frame| (frame, playback))
        }))
    }
}

/// A streamed answer on its way out.
#[derive(Debug)]
struct Playback {
    call: Call,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    served: Served,
    frames: Frames,
    begun: bool,
}

/// The connection is broken on purpose.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut, as the mock was told")]
pub(crate) struct Cut;

/// Breaks a body off, once what was sent before has left.
pub(crate) async fn cut(app: &App) -> Cut {
    app.pacer.wait_until(Instant::now() + Duration::from_millis(5)).await;
    Cut
}

impl Playback {
    async fn next(&mut self) -> Option<Result<Bytes, Cut>> {
        let call = &self.call;
        if self.running.is_none() {
            let mut served = call.serve().await;
            if call.app.config.defect == Some(Defect::Buffered) {
                served.schedule.hold_back();
            }
            let events = std::mem::take(&mut served.schedule.events);
            let frames = Frames::new(events, call.dialect, call.ask.include_usage, call.fault);
            self.running = Some(Running { served, frames, begun: false });
        }
        let running = self.running.as_mut()?;
        let Frame::Send { at, bytes } = running.frames.next()? else {
            return Some(Err(cut(&call.app).await));
        };
        let deadline = running.served.start + at;
        call.app.pacer.wait_until(deadline).await;
        if !std::mem::replace(&mut running.begun, true) {
            call.begin_response(running.served.outcome);
        }
        call.app.pacer.record(deadline);
        Some(Ok(bytes))
    }
}
