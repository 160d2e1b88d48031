//! What an observer notes: a copy of each event with its time, in a queue that never makes it wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::session::{CallEnd, Observer, RequestRecord, Session, SessionEvent, ToolCall, Turn};

/// The most events that wait. The queue is looked at several times a second, so that this is far from usual.
const ROOM: usize = 8_192;

/// An event of a session that spans are made of.
#[derive(Debug)]
pub(super) enum Noted {
    Round { group: String, round: u32 },
    Turn(Place),
    TurnDone(Place, Option<String>),
    Exchange(Box<RequestRecord>),
    ToolCall { place: Place, branch: String, tool: String, took_ns: u64, ended: CallEnd },
    GroupDone,
}

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    pub(super) group: String,
    pub(super) arm: String,
    pub(super) x: Option<f64>,
    pub(super) round: u32,
    pub(super) order: u32,
}

/// Times of events in nanoseconds since the session's start, as its records have them.
#[derive(Debug, Clone, Copy)]
struct Clock {
    at: Instant,
    offset_ns: u64,
}

/// Who notes. Clones note into the same queue.
#[derive(Debug, Clone)]
pub(super) struct Watcher {
    clock: Clock,
    queue: Sender<(u64, Noted)>,
    lost: Arc<AtomicU64>,
}

impl Watcher {
    /// A watcher of `session`, and the queue that it notes into.
    pub(super) fn new(session: &Session) -> (Self, Receiver<(u64, Noted)>) {
        let (queue, noted) = channel(ROOM);
        let at = Instant::now();
        let clock = Clock { at, offset_ns: session.since_start(at) };
        (Self { clock, queue, lost: Arc::default() }, noted)
    }

    /// Nanoseconds since the session's start.
    pub(super) fn now(&self) -> u64 {
        let passed = u64::try_from(self.clock.at.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.clock.offset_ns.saturating_add(passed)
    }

    /// Events that found no room.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Observer for Watcher {
    fn on(&self, event: &SessionEvent<'_>) {
        let Some(noted) = Noted::of(event) else { return };
        if self.queue.try_send((self.now(), noted)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Noted {
    fn of(event: &SessionEvent<'_>) -> Option<Self> {
        Some(match event {
            SessionEvent::Round { group, round, .. } => Self::Round { group: (*group).into(), round: *round },
            SessionEvent::Turn(turn) => Self::Turn(Place::of(turn)),
            SessionEvent::TurnDone { turn, error } => {
                Self::TurnDone(Place::of(turn), error.map(str::to_owned))
            }
            SessionEvent::Exchange(record) => Self::Exchange(Box::new((*record).clone())),
            SessionEvent::ToolCall(ToolCall { turn, branch, tool, took, ended }) => Self::ToolCall {
                place: Place::of(turn),
                branch: (*branch).into(),
                tool: (*tool).into(),
                took_ns: u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
                ended: *ended,
            },
            SessionEvent::GroupDone => Self::GroupDone,
            SessionEvent::Notice(_) => return None,
        })
    }
}

impl Place {
    fn of(turn: &Turn<'_>) -> Self {
        Self {
            group: turn.group.into(),
            arm: turn.arm.into(),
            x: turn.x,
            round: turn.round,
            order: turn.order,
        }
    }
}
