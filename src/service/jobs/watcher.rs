//! From what happens in a session to messages about a job.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use super::{ArmFigures, ProgressUpdate};
use crate::metric::Metric;
use crate::service::store::JobState;
use crate::session::{Observer, Outcome, RequestRecord, SessionEvent};
use crate::stats::{median, sorted};

/// An observer that sends a message for every round. Clones watch the same job.
#[derive(Debug, Clone)]
pub(super) struct Watcher {
    state: Arc<Mutex<State>>,
    messages: UnboundedSender<ProgressUpdate>,
}

#[derive(Debug)]
struct State {
    last: ProgressUpdate,
    /// The round that is under way.
    round: u32,
    /// Its requests by arm.
    arms: BTreeMap<String, Requests>,
}

#[derive(Debug, Default)]
struct Requests {
    ttft_ms: Vec<f64>,
    latency_ms: Vec<f64>,
    tokens_per_second: Vec<f64>,
    requests: u32,
    failures: u32,
}

impl Watcher {
    pub(super) fn new(job_id: &str, messages: UnboundedSender<ProgressUpdate>) -> Self {
        let last = ProgressUpdate::new(job_id, JobState::Running, "starting");
        Self { state: Arc::new(Mutex::new(State { last, round: 0, arms: BTreeMap::new() })), messages }
    }

    /// What was said last.
    pub(super) fn last(&self) -> ProgressUpdate {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).last.clone()
    }

    fn say(&self, state: &mut State, update: ProgressUpdate) {
        state.last = update.clone();
        // Nobody listens once the job is given up.
        let _ = self.messages.send(update);
    }

    /// Says that the round under way is complete, if one is.
    fn complete(&self, state: &mut State) {
        let arms = std::mem::take(&mut state.arms);
        if state.round == 0 || arms.is_empty() {
            return;
        }
        let (group, round, of) = (&state.last.current_benchmark, state.round, state.last.total_runs);
        let metrics = arms.into_iter().map(|(arm, requests)| (arm, requests.figures())).collect();
        let message = format!("{group}: run {round} of {of}");
        let update = state.last.then(JobState::Running, message);
        self.say(state, ProgressUpdate { current_run: round, metrics, ..update });
    }
}

impl Observer for Watcher {
    fn on(&self, event: &SessionEvent<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        match event {
            SessionEvent::Round { group, round, planned } => {
                self.complete(state);
                state.arms.clear();
                state.round = *round;
                if *round == 0 {
                    let update = state.last.then(JobState::Running, format!("{group}: warming up"));
                    let total_runs = planned.unwrap_or_default().saturating_sub(1);
                    let current_benchmark = (*group).to_owned();
                    self.say(
                        state,
                        ProgressUpdate { current_run: 0, total_runs, current_benchmark, ..update },
                    );
                }
            }
            SessionEvent::Exchange(record) => state.arms.entry(arm(record)).or_default().add(record),
            SessionEvent::GroupDone => {
                // A group that was given up half-way has an unfinished round.
                if state.round == state.last.total_runs {
                    self.complete(state);
                }
                state.arms.clear();
            }
            SessionEvent::Turn(_) | SessionEvent::TurnDone { .. } | SessionEvent::ToolCall(_) => {}
            SessionEvent::Notice(sentence) => {
                let update = state.last.then(JobState::Running, *sentence);
                self.say(state, update);
            }
        }
    }
}

fn arm(record: &RequestRecord) -> String {
    record.x.map_or_else(|| record.arm.clone(), |x| format!("{}/{x}", record.arm))
}

impl Requests {
    fn add(&mut self, record: &RequestRecord) {
        self.requests += 1;
        if record.outcome != Outcome::Ok {
            self.failures += 1;
            return;
        }
        let milliseconds =
            |metric: Metric| record.values.get(metric.name()).map(|nanoseconds| nanoseconds / 1e6);
        self.ttft_ms.extend(milliseconds(Metric::TTFT));
        self.latency_ms.extend(milliseconds(Metric::TOTAL));
        self.tokens_per_second.extend(record.e2e_tps);
    }

    fn figures(self) -> ArmFigures {
        ArmFigures {
            ttft_ms: median(&sorted(&self.ttft_ms)),
            latency_ms: median(&sorted(&self.latency_ms)),
            tokens_per_second: median(&sorted(&self.tokens_per_second)),
            requests: self.requests,
            failures: self.failures,
        }
    }
}
