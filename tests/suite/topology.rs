//! Agents that share a task, and the states that they keep.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use llmlab::experiment::{Group, compare};
use llmlab::mock::{Mock, MockConfig};
use llmlab::optimization::topology::checkpoint::{
    self, Case, Checkpointer, Kept, Policy, State, Store, StoreError, StoreKind,
};
use llmlab::optimization::topology::{Topology, complexity, context, specialists, topologies};
use llmlab::session::Session;
use llmlab::settings::{Environment, Settings, TargetFile};
use proptest::prelude::*;
use serde_json::Value;

async fn simulated() -> Arc<Session> {
    Arc::new(Session::start(Settings::simulated()).await.expect("the mock starts"))
}

/// The group with this arm alone.
fn only(arm: &str, mut group: Group) -> Group {
    group.arms.retain(|known| known.name == arm);
    group
}

/// What the mock is asked in one round of `group`, in the order of arrival.
async fn bodies(group: Group) -> Vec<Value> {
    let mock =
        Mock::start(MockConfig { keep_bodies: true, ..MockConfig::default() }).expect("the mock starts");
    let target = format!("anthropic+{}", mock.url());
    let environment = Environment::of(&[("LLMLAB_TARGET", &target), ("LLMLAB_MODEL", "claude-sonnet-4-6")]);
    let settings = Settings::new(&environment, &TargetFile::default()).expect("a target");
    let session = Arc::new(Session::start(settings).await.expect("the mock answers"));
    compare(&session, group, 0).await.expect("every arm answers");
    let bodies = mock.requests().into_iter().filter_map(|request| request.body);
    bodies.map(|body| serde_json::from_str(&body).expect("a body is JSON")).collect()
}

/// The texts of a body's only message.
fn texts(body: &Value) -> Vec<&str> {
    match &body["messages"][0]["content"] {
        Value::String(text) => vec![text.as_str()],
        Value::Array(blocks) => blocks.iter().filter_map(|block| block["text"].as_str()).collect(),
        other => panic!("no content: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_topology_makes_its_own_number_of_calls() {
    let expected = [
        ("flat_single", 1),
        ("flat_parallel", 3),
        ("flat_parallel_join", 4),
        ("hier_seq", 5),
        ("hier_par", 5),
    ];
    assert_eq!(expected.len(), Topology::ALL.len());
    for (arm, calls) in expected {
        assert_eq!(bodies(only(arm, topologies())).await.len(), calls, "{arm}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_generalist_is_told_to_do_it_all() {
    let bodies = bodies(only("flat_single", topologies())).await;
    let system = bodies[0]["system"].to_string();
    assert!(system.contains("You are a capable generalist. Handle all aspects of the task."), "{system}");
    assert!(texts(&bodies[0])[0].contains("impact of climate change on agriculture"), "{:?}", bodies[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_after_another_each_agent_hears_all_who_spoke_before() {
    let bodies = bodies(only("hier_seq", topologies())).await;
    let heard = |body: usize| -> Vec<String> {
        let said = texts(&bodies[body]).into_iter().skip(1);
        said.map(|text| text.split(": ").next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(heard(0), [""; 0]);
    assert_eq!(heard(1), ["planner"]);
    assert_eq!(heard(3), ["planner", "researcher", "analyst"]);
    assert_eq!(heard(4), ["planner", "researcher", "analyst", "writer"]);
    // What is handed on is what was answered: the same words in every later prompt
    assert_eq!(texts(&bodies[4])[2], texts(&bodies[2])[2]);
    assert!(texts(&bodies[4])[2].len() > "researcher: ".len() + 40, "{:?}", texts(&bodies[4]));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_once_each_specialist_hears_the_plan_alone_and_the_synthesis_all() {
    let bodies = bodies(only("hier_par", topologies())).await;
    let heard: Vec<_> = bodies.iter().map(|body| texts(body).len() - 1).collect();
    assert_eq!(heard, [0, 1, 1, 1, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_handed_on_with_the_answers_or_not_at_all() {
    // Given specialists with documents, one after another
    let tokens = async |arm: &str| {
        let bodies = bodies(only(arm, context(&[500]))).await;
        bodies.iter().map(|body| texts(body).concat().len() / 4 / 500).collect::<Vec<_>>()
    };
    // Then each prompt holds the agent's own, and those of who was heard if everything is handed on
    assert_eq!(tokens("answers").await, [0, 1, 1, 1, 0]);
    assert_eq!(tokens("everything").await, [0, 1, 2, 3, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_level_of_complexity_has_a_task_of_its_own() {
    let bodies = bodies(only("flat_single", complexity())).await;
    let mut tasks: Vec<_> =
        bodies.iter().map(|body| texts(body)[0].split("] ").nth(1).unwrap().to_owned()).collect();
    tasks.sort();
    assert!(tasks[0].contains("REST and GraphQL"), "{tasks:?}");
    assert!(tasks[1].contains("collaborative text editor"), "{tasks:?}");
    assert!(tasks[2].contains("capital of France"), "{tasks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_says_what_the_supervisor_takes_and_what_was_called() {
    // When two rounds of the two hierarchies are made
    let mut group = topologies();
    group.arms.retain(|arm| arm.name.starts_with("hier"));
    let summary = compare(&simulated().await, group, 2).await.unwrap();
    // Then each has a sentence with its share
    let said = summary.remarks.join("\n");
    for arm in ["hier_seq", "hier_par"] {
        assert!(said.contains(&format!("{arm}: the supervisor takes ")), "{said}");
    }
    assert!(said.contains("% of the makespan"), "{said}");
    // And its calls and tokens are counted over all rounds
    for arm in &summary.arms {
        assert_eq!((arm.tallies["agent calls"].runs, arm.tallies["agent calls"].per_run), (2, 5.0));
        assert!(arm.tallies["tokens"].per_run > 5.0 * 30.0);
        // And nothing is longer than what it is a part of
        let p50 = |metric: &str| arm.metrics[metric].summary.p50;
        assert!(p50("supervisor_overhead") < p50("critical_path"));
        assert!(p50("critical_path") < p50("makespan"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn working_at_once_takes_a_larger_part_of_the_time_away_the_more_specialists_there_are() {
    let summary = compare(&simulated().await, specialists(&[2, 8]), 3).await.unwrap();
    let ratio = |x: f64| {
        let arm = summary.arms.iter().find(|arm| arm.name == "hier_par" && arm.x == Some(x)).unwrap();
        arm.metrics["makespan"].versus_control.unwrap().ratio.estimate
    };
    // 3 calls of 4, and 3 of 10
    assert!(ratio(8.0) < ratio(2.0) && ratio(2.0) < 1.0, "{} {}", ratio(8.0), ratio(2.0));
}

/// A store whose writes take their time, which may be that of a paused clock.
#[derive(Debug)]
struct Slow {
    write: Duration,
    states: Mutex<BTreeMap<u32, Vec<u8>>>,
    writes: Mutex<u32>,
}

impl Slow {
    fn new(write: Duration) -> Arc<Self> {
        Arc::new(Self { write, states: Mutex::default(), writes: Mutex::default() })
    }
}

impl Store for Slow {
    fn save(&self, superstep: u32, state: Vec<u8>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            tokio::time::sleep(self.write).await;
            self.states.lock().expect("nobody panics").insert(superstep, state);
            *self.writes.lock().expect("nobody panics") += 1;
            Ok(())
        })
    }

    fn latest(&self) -> BoxFuture<'_, Result<Option<Kept>, StoreError>> {
        Box::pin(async { Ok(self.states.lock().expect("nobody panics").clone().pop_last()) })
    }
}

/// Runs so many supersteps of 100 ms each; how long the agent waited for its checkpoints.
async fn waited(store: &Arc<Slow>, policy: Policy, supersteps: u32) -> Duration {
    let mut checkpointer = Checkpointer::new(Arc::clone(store) as Arc<dyn Store>, policy);
    let mut state = State::of_kilobytes(1);
    for _ in 0..supersteps {
        tokio::time::sleep(Duration::from_millis(100)).await;
        state.answered("done");
        checkpointer.superstep(&state).await.expect("memory is kept");
    }
    checkpointer.finish(&state).await.expect("memory is kept")
}

#[tokio::test(start_paused = true)]
async fn writes_while_the_next_call_runs_cost_a_tenth_at_most() {
    // Given writes that take less than a call
    let store = || Slow::new(Duration::from_millis(90));
    // When 20 supersteps are kept
    let (sync, asynchronous) =
        (waited(&store(), Policy::Sync, 20).await, waited(&store(), Policy::Async, 20).await);
    // Then all but the last are hidden
    assert!(sync >= Duration::from_millis(20 * 90), "{sync:?}");
    assert!(asynchronous * 10 <= sync, "{asynchronous:?} of {sync:?}");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_takes_longer_than_a_call_holds_up_the_next_one() {
    let store = Slow::new(Duration::from_millis(250));
    let waited = waited(&store, Policy::Async, 11).await;
    // (S − 1)·(write − call) + write, and the timer's milliseconds
    let expected = Duration::from_millis(10 * 150 + 250);
    assert!(waited >= expected && waited < expected + Duration::from_millis(50), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn each_policy_writes_as_often_as_it_says_and_the_last_state_is_kept() {
    for (policy, writes) in [(Policy::Sync, 7), (Policy::Async, 7), (Policy::Exit, 1)] {
        let store = Slow::new(Duration::from_millis(10));
        waited(&store, policy, 7).await;
        assert_eq!(*store.writes.lock().unwrap(), writes, "{policy:?}");
        let (superstep, bytes) = store.latest().await.unwrap().unwrap();
        assert_eq!((superstep, State::of_bytes(&bytes).unwrap().messages.len()), (7, 8));
    }
}

#[tokio::test]
async fn a_write_that_fails_in_the_background_fails_the_run() {
    // Given a directory that is gone
    let home = tempfile::tempdir().unwrap();
    let store = StoreKind::File.open(&home.path().join("gone")).unwrap();
    let mut checkpointer = Checkpointer::new(store, Policy::Async);
    // When a state is to be kept there meanwhile
    checkpointer.superstep(&State::of_kilobytes(1)).await.unwrap();
    // Then the run does not end well
    let failed = checkpointer.finish(&State::of_kilobytes(1)).await;
    assert!(matches!(failed, Err(StoreError::File(_))), "{failed:?}");
}

#[test]
fn a_state_has_the_size_it_is_said_to_have() {
    for kilobytes in [4, 35, 235, 1_000] {
        let bytes = State::of_kilobytes(kilobytes).to_bytes().unwrap().len() as f64;
        let wanted = kilobytes as f64 * 1e3;
        assert!((bytes / wanted - 1.0).abs() < 0.05, "{kilobytes} KB: {bytes} bytes");
    }
}

/// What is found in a store that is opened again after these were saved.
fn saved_and_reopened(kind: StoreKind, home: &Path, states: &[Kept]) -> Option<Kept> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let store = kind.open(home).expect("it opens");
        for (superstep, state) in states {
            store.save(*superstep, state.clone()).await.expect("it is kept");
        }
        let durable = !matches!(kind, StoreKind::Memory | StoreKind::Remote);
        let store = if durable { kind.open(home).expect("it opens") } else { store };
        store.latest().await.expect("it is read")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_store_gives_back_the_latest_state_as_it_was_saved(
        states in proptest::collection::btree_map(0_u32..20, proptest::collection::vec(any::<u8>(), 0..2_000), 0..4)
    ) {
        let states: Vec<Kept> = states.into_iter().collect();
        for kind in StoreKind::all() {
            let home = tempfile::tempdir().unwrap();
            prop_assert_eq!(saved_and_reopened(kind, home.path(), &states), states.last().cloned(), "{:?}", kind);
        }
    }

    #[test]
    fn a_state_reads_back_as_it_was(answers in proptest::collection::vec(".{0,40}", 0..5)) {
        let mut state = State::of_kilobytes(2);
        answers.iter().for_each(|answer| state.answered(answer));
        prop_assert_eq!(State::of_bytes(&state.to_bytes().unwrap()).unwrap(), state);
    }
}

#[test]
fn a_file_that_is_only_half_written_is_no_state() {
    let home = tempfile::tempdir().unwrap();
    let kept = (3, b"whole".to_vec());
    std::fs::write(home.path().join("4.partial"), b"ha").unwrap();
    assert_eq!(
        saved_and_reopened(StoreKind::FileFsync, home.path(), std::slice::from_ref(&kept)),
        Some(kept)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_waits_for_the_network_of_a_remote_store_in_every_superstep() {
    // Given a remote store under each policy
    let cases: Vec<_> =
        Policy::ALL.map(|policy| Case { store: StoreKind::Remote, policy, kilobytes: 4 }).into();
    // When an agent takes three supersteps
    let summary = compare(&simulated().await, checkpoint::group(&cases, 3), 2).await.unwrap();
    let arm = |name: &str| summary.arms.iter().find(|arm| arm.name == name).unwrap();
    // Then it waits at least a round trip a superstep, or a third of one for a single write
    let waited = |name: &str| arm(name).metrics["checkpoint"].summary.min;
    let round_trip = checkpoint::ROUND_TRIP.as_nanos() as f64;
    assert!(waited("remote") >= round_trip);
    assert!(waited("remote_exit") >= round_trip / 3.0);
    // And each writes as often as it says
    let writes = ["remote", "remote_async", "remote_exit"].map(|name| arm(name).tallies["writes"].per_run);
    assert_eq!(writes, [3.0, 3.0, 1.0]);
    // And the report says what is lost, and what is hidden
    let said = summary.remarks.join("\n");
    assert!(said.contains("When the process dies") && said.contains("remote_async hides"), "{said}");
    assert!(!arm("none").metrics.contains_key("checkpoint"));
}
