//! The one door through which a workload asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;

use super::group::{Arm, CacheState, Group};
use crate::client::{Road, Watch};
use crate::instrument::precisely;
use crate::metric::Metric;
use crate::seed::DrawId;
use crate::session::{AskError, CallEnd, Place, RequestRecord, Session, SessionEvent, ToolCall};
use crate::timeline::{Timeline, TokenCount};
use crate::wire::{Ask, Dialect, Reply};

/// One arm's turn in one round.
#[derive(Debug)]
pub struct Draw<'a> {
    session: &'a Session,
    group: &'a Group,
    arm: &'a Arm,
    round: u32,
    order: u32,
    repeat: u32,
    branch: String,
    steps: AtomicU32,
    records: Arc<Mutex<Vec<RequestRecord>>>,
}

/// An answer with its metrics.
#[derive(Debug, Clone)]
pub struct Answer {
    /// When each event came.
    pub timeline: Timeline,
    /// The answer, put together.
    pub reply: Reply,
    /// Every metric that is defined for it, in the metric's unit.
    pub values: BTreeMap<Metric, f64>,
}

impl<'a> Draw<'a> {
    pub(super) fn new(
        session: &'a Session,
        group: &'a Group,
        arm: &'a Arm,
        round: u32,
        order: u32,
        repeat: u32,
    ) -> Self {
        Self {
            session,
            group,
            arm,
            round,
            order,
            repeat,
            branch: String::new(),
            steps: AtomicU32::new(0),
            records: Arc::default(),
        }
    }

    /// The same turn for one of several things that it does at once: what a branch asks has noise of its own,
    /// whatever the others do meanwhile. Branches of one turn need names of their own.
    #[must_use]
    pub fn branch(&self, name: impl std::fmt::Display) -> Draw<'a> {
        Draw {
            branch: format!("{}#{name}", self.branch),
            steps: AtomicU32::new(0),
            records: Arc::clone(&self.records),
            ..*self
        }
    }

    /// The session.
    pub fn session(&self) -> &'a Session {
        self.session
    }

    /// A generator for one `purpose` of the round, the same for all its arms: what they have in common, such as
    /// the time that a tool takes, is no difference between them.
    pub fn shared_rng(&self, purpose: &str) -> ChaCha8Rng {
        let scenario = self.group.name.clone();
        let draw = DrawId {
            scenario,
            stream: format!("{}#", self.arm.x.unwrap_or_default()),
            round: self.round,
            step: 0,
        };
        self.session.seed().rng(&draw, purpose)
    }

    /// Waits for as long as something that takes `time` in the real world: on the simulator as much shorter as its
    /// engine is faster than a real one. The timer's own millisecond is not added to it.
    pub async fn pass(&self, time: Duration) {
        precisely(Instant::now() + time.mul_f64(self.session.scale())).await;
    }

    /// The round, from 0. Round 0 warms up: its values are no samples.
    pub fn round(&self) -> u32 {
        self.round
    }

    /// Whether the simulator answers.
    pub fn is_simulated(&self) -> bool {
        self.session.is_simulated()
    }

    /// The dialect in which the target is asked.
    pub fn dialect(&self) -> Dialect {
        self.session.dialect(self.group.dialect)
    }

    /// Asks. A failed exchange is tried again as one of its own, within the plan's patience; every attempt
    /// is recorded, and only an answer is returned.
    ///
    /// # Errors
    /// When the last attempt failed, or the budget is spent.
    pub async fn ask(&self, ask: &Ask) -> Result<Answer, AskError> {
        self.ask_with(&Road::default(), ask, Instant::now(), None).await
    }

    /// As [`ask`](Self::ask), for a request that was meant to start at `intended`: response time and send lag run
    /// from there.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn ask_since(&self, ask: &Ask, intended: Instant) -> Result<Answer, AskError> {
        self.ask_with(&Road::default(), ask, intended, None).await
    }

    /// As [`ask`](Self::ask), over a road of one's own. What is waited for a connection is in
    /// [`Metric::RESPONSE_TIME`] and [`Metric::TTFT_RESPONSE`], which run from the decision to ask.
    ///
    /// # Errors
    /// As [`ask`](Self::ask), and when the target has no such road: only the simulator has more than whether
    /// connections are reused.
    pub async fn ask_over(&self, road: &Road, ask: &Ask) -> Result<Answer, AskError> {
        self.ask_with(road, ask, Instant::now(), None).await
    }

    /// Opens a connection of `road` before it is needed: the next question over it takes it.
    ///
    /// # Errors
    /// When it cannot be opened, or the target has no such road.
    pub async fn connect(&self, road: &Road) -> Result<(), AskError> {
        self.session.connect(self.dialect(), road).await
    }

    /// As [`ask`](Self::ask), showing each event of the stream to `watch` as it comes; of every attempt, where an
    /// exchange is tried again. What `watch` does holds up its next event, and no stamp.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn ask_watching(&self, ask: &Ask, watch: &mut Watch<'_>) -> Result<Answer, AskError> {
        self.ask_with(&Road::default(), ask, Instant::now(), Some(watch)).await
    }

    async fn ask_with(
        &self,
        road: &Road,
        ask: &Ask,
        intended: Instant,
        watch: Option<&mut Watch<'_>>,
    ) -> Result<Answer, AskError> {
        let step = self.steps.fetch_add(1, Ordering::Relaxed);
        let place = Place {
            group: self.group.name.clone(),
            arm: self.arm.name.clone(),
            x: self.arm.x,
            order: self.order,
            repeat: self.repeat,
            branch: self.branch.trim_start_matches('#').to_owned(),
            once: self.arm.cache == CacheState::Cold,
            held: Duration::ZERO,
            road: *road,
            draw: DrawId {
                scenario: self.group.name.clone(),
                stream: self.stream(),
                round: self.round,
                step,
            },
        };
        let asked = Box::pin(self.session.ask(self.dialect(), &place, ask, intended, watch)).await;
        let (answer, records) = match asked {
            Ok((answer, records)) => (Ok(answer), records),
            Err((error, records)) => (Err(error), records),
        };
        self.records.lock().unwrap_or_else(PoisonError::into_inner).extend(records);
        let answer = answer?;
        let values = answer.timeline.values(&TokenCount::of(&answer.reply.usage, &answer.timeline));
        Ok(Answer { timeline: answer.timeline, reply: answer.reply, values })
    }

    /// Text that no other arm, round or repeat sends: at the start of a prompt it keeps every prefix cache
    /// cold.
    pub fn fresh(&self, purpose: &str) -> String {
        self.session.nonce(&format!("{}/{}/{}/{purpose}", self.group.name, self.stream(), self.round))
    }

    /// The arm and its branch, and which repeat of its turn this is.
    fn stream(&self) -> String {
        let stream = format!("{}{}", self.arm.label(), self.branch);
        if self.repeat > 1 { format!("{stream}~{}", self.repeat) } else { stream }
    }

    /// Text of the same length that is the same in every round of this arm: the prompt it starts is the
    /// arm's own, and stays cached.
    pub fn stable(&self, purpose: &str) -> String {
        self.session.nonce(&format!("{}/{}/{purpose}", self.group.name, self.arm.label()))
    }

    /// Lets time pass for the caches of the simulator, without waiting.
    ///
    /// # Errors
    /// When the mock cannot be told, or the target is none.
    pub async fn pass_time(&self, time: Duration) -> Result<(), AskError> {
        self.session.pass_time(self.dialect(), time).await
    }

    /// Tells those who watch that a call of a tool is over that began at `began`.
    pub(crate) fn called(&self, tool: &str, began: Instant, ended: CallEnd) {
        let turn = self.arm.turn(&self.group.name, self.round, self.order);
        let branch = self.branch.trim_start_matches('#');
        let call = ToolCall { turn, branch, tool, took: began.elapsed(), ended };
        self.session.publish(&SessionEvent::ToolCall(call));
    }

    pub(super) fn into_records(self) -> Vec<RequestRecord> {
        std::mem::take(&mut *self.records.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
