//! Checkpoints: what does it cost an agent to keep its state, by where, when and how much of it?
//!
//! An agent takes supersteps of one short call each, after which its conversation is serialised and saved. The
//! control saves nothing. Stores are real, on this machine, but for the remote one, whose network is a wait. What is
//! kept when the process dies depends on the policy: all finished supersteps, all but the last ones, or nothing.
//!
//! Prediction, for `S` supersteps, a call `L` and a write `w`, serialising included: `S·w` where the agent waits,
//! `(S − 1)·max(0, w − L) + w` where it goes on meanwhile (the last write has no call to hide behind), and `w` for
//! one write at the end. The write is this machine's: some are measured in every round after the agent's run, apart
//! from it; that of the remote store is its round trip.

mod agent;
mod checkpointer;
mod state;
mod store;

pub use checkpointer::{Checkpointer, Policy};
pub use state::{Said, Speaker, State};
pub use store::{Kept, ROUND_TRIP, Store, StoreError, StoreKind};

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use self::agent::{Agent, CALL_TOKENS, Keeping};
use super::Speed;
use crate::experiment::{Arm, ArmSummary, Conclude, Group, Known, Needs, Predict, Prediction, Remarks};
use crate::metric::Metric;
use crate::stats::Trimmed;

/// Supersteps of the agent.
pub const SUPERSTEPS: u32 = 5;

/// Kilobytes of the usual state.
const USUAL: u64 = 35;
const NONE: &str = "none";

/// One way of keeping a state of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// Where.
    pub store: StoreKind,
    /// When.
    pub policy: Policy,
    /// How much.
    pub kilobytes: u64,
}

impl Case {
    /// The arm's name: the store's, and the policy's unless the agent waits for every write.
    fn name(&self) -> String {
        match self.policy {
            Policy::Sync => self.store.name().into(),
            policy => format!("{}_{}", self.store.name(), policy.name()),
        }
    }
}

/// The cases that answer most: every store with the usual state, other sizes where a write is durable, and the
/// other policies where a write takes longest.
pub fn cases() -> Vec<Case> {
    let case = |store, policy, kilobytes| Case { store, policy, kilobytes };
    let usual = StoreKind::all().map(|store| case(store, Policy::Sync, USUAL));
    let sizes = [
        (StoreKind::FileFsync, 4),
        (StoreKind::FileFsync, 235),
        (StoreKind::FileFsync, 1_000),
        (StoreKind::Sqlite, 4),
        (StoreKind::Sqlite, 235),
    ]
    .map(|(store, size)| case(store, Policy::Sync, size));
    let slow = [StoreKind::FileFsync, StoreKind::Remote].into_iter();
    let policies =
        slow.flat_map(|store| [Policy::Async, Policy::Exit].map(|policy| case(store, policy, USUAL)));
    let built: Vec<_> = StoreKind::all().collect();
    usual.chain(sizes).chain(policies).filter(|case| built.contains(&case.store)).collect()
}

/// No checkpoints (the control) against each case, for an agent of so many supersteps.
pub fn group(cases: &[Case], supersteps: u32) -> Group {
    let cases: Vec<_> = cases.iter().map(|case| (*case, Writes::default())).collect();
    let arm = |agent: Agent| Arm {
        needs: Needs { context_tokens: agent.context_tokens(), ..Needs::default() },
        ..Arm::new(NONE, agent)
    };
    let none = Arm { without: vec![Metric::CHECKPOINT], ..arm(Agent::new(supersteps, None)) };
    let kept = cases.iter().map(|(case, writes)| {
        let keeping = Keeping { case: *case, writes: Arc::clone(writes) };
        let arm = arm(Agent::new(supersteps, Some(keeping)));
        Arm { name: case.name(), x: Some(case.kilobytes as f64), ..arm }
    });
    Group {
        name: "topology/checkpoint".into(),
        question:
            "What does it cost an agent to keep its state after each superstep? (It waits for each write, \
                   unless its name says otherwise.)"
                .into(),
        x_label: Some("KB of state".into()),
        control: NONE.into(),
        arms: [none].into_iter().chain(kept).collect(),
        metrics: vec![Metric::MAKESPAN, Metric::CHECKPOINT],
        predict: Some(predict(cases, supersteps)),
        remarks: Some(remarks()),
        conclude: Some(conclude(supersteps)),
        ..Group::default()
    }
}

/// What a write took apart from an agent's run, round by round, in nanoseconds.
type Writes = Arc<Mutex<Vec<f64>>>;

fn predict(cases: Vec<(Case, Writes)>, supersteps: u32) -> Predict {
    Arc::new(move |known, arm, metric| {
        let (case, writes) =
            cases.iter().find(|(case, _)| case.name() == arm.name && arm.x == Some(case.kilobytes as f64))?;
        let writes = match case.store {
            StoreKind::Remote => vec![ROUND_TRIP.as_nanos() as f64; 2],
            _ => writes.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        };
        let costs = writes.into_iter().map(|write| cost(case.policy, supersteps.into(), write, call(known)));
        let cost = Trimmed::of(&costs.collect::<Option<Vec<_>>>()?)?.mean;
        (*metric == Metric::MAKESPAN).then_some(Prediction {
            saving: -cost,
            source: Cow::Borrowed("writes as measured apart from the agent; the remote one its round trip"),
        })
    })
}

/// What writes of `write` add to a run whose calls take `call`.
fn cost(policy: Policy, supersteps: f64, write: f64, call: Option<f64>) -> Option<f64> {
    Some(match policy {
        Policy::Sync => supersteps * write,
        Policy::Async => (supersteps - 1.0) * (write - call?).max(0.0) + write,
        Policy::Exit => write,
    })
}

/// The time of one superstep's call.
fn call(known: &Known<'_>) -> Option<f64> {
    Some(Speed::of(known, true)?.call(agent::prompt_tokens(), CALL_TOKENS))
}

fn remarks() -> Remarks {
    Arc::new(|known| {
        let lost = "When the process dies, sync has lost no finished superstep, async at most the last two, and exit all \
                    of them; memory loses everything, and a file without fsync what the machine had not written out, if \
                    the machine dies too."
            .to_owned();
        let place = format!(
            "The remote store's network is simulated, {} ms there and back. Files and databases are written where \
             temporary files are (TMPDIR): where that is memory, fsync costs nothing.",
            ROUND_TRIP.as_millis()
        );
        let scale = known.engine.filter(|_| known.scale < 1.0).map(|_| {
            format!(
                "Stores are as fast as this machine's and the engine is {:.0} times as fast as a real one: the \
                 milliseconds are real, their share of the makespan is not.",
                1.0 / known.scale
            )
        });
        [lost, place].into_iter().chain(scale).collect()
    })
}

/// How long each kind of agent waits, and how much of the writes the asynchronous ones hide.
fn conclude(supersteps: u32) -> Conclude {
    Arc::new(move |_, summary| {
        let arms = &summary.arms;
        let first = |(index, arm): &(usize, &ArmSummary)| {
            arms[..*index].iter().all(|earlier| earlier.name != arm.name)
        };
        let waits = arms.iter().enumerate().filter(first).filter_map(|(_, arm)| waits(arms, &arm.name));
        let hidden = arms.iter().filter_map(|arm| hidden(arms, arm, supersteps));
        waits.chain(hidden).chain(lacking(arms)).collect()
    })
}

/// The term that the prediction lacks, where it fails.
fn lacking(arms: &[ArmSummary]) -> Option<String> {
    let makespan = |arm: &ArmSummary| arm.metrics.get(Metric::MAKESPAN.name())?.predicted.clone();
    let fails = arms.iter().filter_map(makespan).any(|predicted| !predicted.agrees);
    fails.then(|| {
        "What the prediction lacks: it takes writes as they are one right after another. One that follows a wait for \
         the model finds the processor asleep and its caches cold, and is slower."
            .into()
    })
}

/// `remote waits 2.20 ms [2.18, 2.23] a superstep at 35 KB.`
fn waits(arms: &[ArmSummary], name: &str) -> Option<String> {
    let mut arms: Vec<_> = arms.iter().filter(|arm| arm.name == name).collect();
    arms.sort_by(|a, b| a.x.partial_cmp(&b.x).unwrap_or(std::cmp::Ordering::Equal));
    let show = |value: f64| Metric::CHECKPOINT.show(value);
    let places: Vec<_> = arms
        .into_iter()
        .filter_map(|arm| {
            let mean = arm.metrics.get(Metric::CHECKPOINT.name())?.summary.mean_interval?;
            let (low, high) = (show(mean.low), show(mean.high));
            Some(format!("{} [{low}, {high}] at {} KB", show(mean.estimate), arm.x?))
        })
        .collect();
    (!places.is_empty())
        .then(|| format!("{name} waits for each superstep's checkpoint (mean, 95%): {}.", places.join("; ")))
}

/// The share of the writes that an asynchronous agent does not wait for, of those that have a call to hide behind.
fn hidden(arms: &[ArmSummary], arm: &ArmSummary, supersteps: u32) -> Option<String> {
    let store = arm.name.strip_suffix("_async")?;
    let waited = |arm: &ArmSummary| Some(arm.metrics.get(Metric::CHECKPOINT.name())?.summary.p50);
    let sync = waited(arms.iter().find(|other| other.name == store && other.x == arm.x)?)?;
    let share = 1.0 - waited(arm)? / sync;
    let most = 1.0 - 1.0 / f64::from(supersteps);
    Some(format!(
        "{} hides {:.0}% of what {store} waits; {:.0}% can be hidden, as the last of {supersteps} writes has no call to \
         hide behind.",
        arm.name,
        share * 100.0,
        most * 100.0
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_costs_what_its_formula_says() {
        let cost = |policy, write| cost(policy, 5.0, write, Some(10.0)).unwrap();
        assert_eq!([2.0, 30.0].map(|write| cost(Policy::Sync, write)), [10.0, 150.0]);
        assert_eq!([2.0, 30.0].map(|write| cost(Policy::Async, write)), [2.0, 110.0]);
        assert_eq!([2.0, 30.0].map(|write| cost(Policy::Exit, write)), [2.0, 30.0]);
    }
}
