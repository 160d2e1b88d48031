//! The one door through which a workload asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::group::{Arm, CacheState, Group};
use crate::client::Watch;
use crate::metric::Metric;
use crate::seed::DrawId;
use crate::session::{AskError, Place, RequestRecord, Session};
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
    steps: AtomicU32,
    records: Mutex<Vec<RequestRecord>>,
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
            steps: AtomicU32::new(0),
            records: Mutex::default(),
        }
    }

    /// The round, from 0. Round 0 warms up: its values are no samples.
    pub fn round(&self) -> u32 {
        self.round
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
        self.ask_with(ask, None).await
    }

    /// As [`ask`](Self::ask), showing each event of the stream to `watch` as it comes; of every attempt, where an
    /// exchange is tried again. What `watch` does holds up its next event, and no stamp.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn ask_watching(&self, ask: &Ask, watch: &mut Watch<'_>) -> Result<Answer, AskError> {
        self.ask_with(ask, Some(watch)).await
    }

    async fn ask_with(&self, ask: &Ask, watch: Option<&mut Watch<'_>>) -> Result<Answer, AskError> {
        let step = self.steps.fetch_add(1, Ordering::Relaxed);
        let place = Place {
            group: self.group.name.clone(),
            arm: self.arm.name.clone(),
            x: self.arm.x,
            order: self.order,
            repeat: self.repeat,
            once: self.arm.cache == CacheState::Cold,
            draw: DrawId {
                scenario: self.group.name.clone(),
                stream: self.stream(),
                round: self.round,
                step,
            },
        };
        let asked = Box::pin(self.session.ask(self.dialect(), &place, ask, watch)).await;
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

    /// The arm, and which repeat of its turn this is.
    fn stream(&self) -> String {
        let label = self.arm.label();
        if self.repeat > 1 { format!("{label}~{}", self.repeat) } else { label }
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

    pub(super) fn into_records(self) -> Vec<RequestRecord> {
        self.records.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
