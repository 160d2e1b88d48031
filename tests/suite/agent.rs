//! Tasks and the loop that does them, with every optimisation a switch.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use llmlab::catalog::Profile;
use llmlab::client::Road;
use llmlab::experiment::{Arm, Draw, Group, GroupSummary, Observation, RunError, Workload, compare};
use llmlab::metric::Metric;
use llmlab::optimization::agent::{self, Caching, How, Order, Plan, Ran, Toggle, Toggles};
use llmlab::optimization::speculation::{Bigram, Oracle, Predictor};
use llmlab::optimization::{parallelism, speculation};
use llmlab::scenario::{Call, Category, Corpus, Size, Task, task, tasks};
use llmlab::session::{Demand, Session};
use llmlab::settings::{Settings, TargetKind};
use serde_json::json;

/// A session whose engine and tools take next to no time.
async fn quick() -> Arc<Session> {
    let mut settings = Settings::simulated();
    let TargetKind::Mock(mock) = &mut settings.target else { panic!("the mock") };
    mock.profile = Profile {
        overhead: Duration::from_micros(500),
        prefill: Duration::ZERO,
        decode: Duration::from_nanos(200),
        time_scale: 0.000_1,
        ..mock.profile.clone().without_noise()
    };
    Arc::new(Session::start(settings).await.expect("it runs"))
}

fn all_tasks() -> Vec<&'static Task> {
    tasks().iter().flat_map(|file| &file.tasks).collect()
}

#[test]
fn there_are_tasks_of_every_size_in_every_category_and_their_answers_are_right() {
    let mut names = BTreeSet::new();
    for file in tasks() {
        let sizes: BTreeSet<Size> = file.tasks.iter().map(|task| task.size).collect();
        assert_eq!(sizes.len(), 3, "{}", file.name);
        assert_eq!(file.name, file.category.name());
        for task in &file.tasks {
            assert!(names.insert(&task.name), "{} twice", task.name);
            assert!(task.expected.fits(&task.answer), "{}: its own answer is not right", task.name);
            assert!(!task.expected.fits(&task.prompt), "{}: the question gives the answer away", task.name);
            assert_eq!(file.category == Category::ToolAgent, !task.turns.is_empty(), "{}", task.name);
            let called: BTreeSet<_> =
                task.turns.iter().flat_map(|turn| &turn.calls).map(|call| &call.tool).collect();
            assert_eq!(called, task.expected_tools.iter().collect(), "{}", task.name);
            assert!(called.iter().all(|name| task.tool(name).is_some()), "{}", task.name);
        }
    }
    assert!(names.len() >= 15, "{}", names.len());
    assert!(agent::REPRESENTATIVE.iter().all(|name| task(name).is_some()));
}

#[test]
fn the_retriever_finds_the_passages_that_hold_the_answer() {
    for task in all_tasks() {
        let Some(retrieval) = &task.retrieval else { continue };
        let each = retrieval.k.div_ceil(retrieval.queries.len());
        let found: Vec<_> =
            retrieval.queries.iter().flat_map(|query| Corpus::shipped().search(query, each)).collect();
        for gold in &retrieval.gold {
            assert!(found.iter().any(|passage| passage.id == *gold), "{}: {gold} is not found", task.name);
        }
    }
}

/// Runs groups of one unnamed arm after another.
async fn run_all(groups: Vec<Group>) -> Vec<GroupSummary> {
    let session = quick().await;
    let mut summaries = Vec::new();
    for group in groups {
        summaries.push(compare(&session, group, 1).await.expect("it runs"));
    }
    summaries
}

fn count(summary: &GroupSummary, arm: usize, name: &str) -> Option<u64> {
    summary.arms[arm].tallies.get(name).map(|tally| tally.count)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_task_is_done_right_under_every_toggle() {
    let mut combinations = vec![Toggles::default()];
    combinations.extend(Toggle::ALL.map(|toggle| Toggles::of([toggle]).unwrap()));
    combinations.push(Toggles::of(Toggle::ALL.into_iter().filter(|one| *one != Toggle::ExactCache)).unwrap());
    for summary in run_all(agent::scenarios("task", &all_tasks(), &combinations, Road::default())).await {
        assert_eq!(summary.arms.len(), combinations.len());
        for (arm, toggles) in combinations.iter().enumerate() {
            assert_eq!(count(&summary, arm, "right answers"), Some(1), "{} {toggles}", summary.name);
            assert!(summary.arms[arm].metrics.contains_key("makespan"), "{} {toggles}", summary.name);
            for all in ["right tools", "gold passages found"] {
                let Some(tally) = summary.arms[arm].tallies.get(all) else { continue };
                assert_eq!(Some(tally.count), tally.of, "{} {toggles}: {all}", summary.name);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_task_calls_model_and_tools_again_and_again() {
    let names: Vec<_> = all_tasks().iter().map(|task| task.name.as_str()).collect();
    for summary in run_all(agent::baseline(&names)).await {
        let is_agent = summary.name.ends_with("tool_agent");
        for arm in 0..summary.arms.len() {
            let (model, tools) = (count(&summary, arm, "model calls"), count(&summary, arm, "tool calls"));
            assert_eq!(is_agent, model >= Some(2) && tools >= Some(2), "{model:?} {tools:?}");
        }
    }
}

/// What one run of a plan did, with that predictor.
async fn ran(name: &'static str, predictor: impl Predictor + 'static) -> Ran {
    struct One<P>(&'static str, P, Arc<Mutex<Option<Ran>>>);
    impl<P: Predictor> Workload for One<P> {
        fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
            async move {
                let plan = Plan::of(task(self.0).expect("it runs"));
                let order = Order::Together { at_most: 5 };
                let predictor: Option<&dyn Predictor> = Some(&self.1);
                let how = How {
                    order,
                    stream: true,
                    caching: Caching::On,
                    model: "",
                    road: Road::default(),
                    predictor,
                };
                *self.2.lock().expect("it runs") = Some(plan.run(draw, how).await?);
                Ok(Observation::value(Metric::MAKESPAN, 1.0))
            }
            .boxed()
        }
        fn demand(&self, _round: u32) -> Demand {
            Demand { requests: 20, ..Demand::default() }
        }
    }
    let kept = Arc::new(Mutex::new(None));
    let arms = vec![Arm::new("only", One(name, predictor, Arc::clone(&kept)))];
    let group = Group {
        name: "test".into(),
        control: "only".into(),
        arms,
        metrics: vec![Metric::MAKESPAN],
        ..Group::default()
    };
    compare(&quick().await, group, 1).await.expect("it runs");
    let ran = kept.lock().expect("it runs").take();
    ran.expect("it runs")
}

/// Guesses everything that the task's model will ever call, at every step.
#[derive(Debug)]
struct Everything(Vec<Call>);

impl Predictor for Everything {
    fn guess(&self, _history: &[Call]) -> Vec<Call> {
        self.0.clone()
    }
    fn learn(&self, _history: &[Call], _made: &[Call]) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_with_side_effects_is_never_called_on_suspicion_nor_twice() {
    // Given a predictor that suspects everything, a refund among it
    let support = task("tool_support").unwrap();
    let calls: Vec<Call> = support.turns.iter().flat_map(|turn| turn.calls.clone()).collect();
    let changing = |call: &&Call| support.tool(&call.tool).unwrap().side_effects;
    let changes = calls.iter().filter(changing).count();
    assert!(changes > 0);
    // When the task is done
    let ran = ran("tool_support", Everything(calls.clone())).await;
    // Then only the others were guessed, and each change was made once
    assert_eq!(ran.guessed as usize, (calls.len() - changes) * support.turns.len());
    assert_eq!(ran.guessed_right as usize, calls.len() - changes);
    assert_eq!(ran.tool_calls, calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_that_were_learnt_from_an_earlier_run_are_right_in_the_next() {
    let predictor = Bigram::new(1);
    let support = task("tool_support").unwrap();
    let calls: Vec<Call> = support.turns.iter().flat_map(|turn| turn.calls.clone()).collect();
    for step in 0..calls.len() {
        predictor.learn(&calls[..step], &calls[step..=step]);
    }
    let ran = ran("tool_support", predictor).await;
    assert!(ran.guessed_right > 0 && ran.guessed_right == ran.guessed, "{ran:?}");
}

#[test]
fn an_oracle_is_right_in_exactly_its_share_of_the_steps() {
    for steps in 1..12 {
        let call = |step| Call { tool: "look_up".into(), input: json!({ "query": format!("step {step}") }) };
        let calls: Vec<_> = (0..steps).map(call).collect();
        for right in 0..=steps {
            let oracle = Oracle::new(calls.clone(), right, 2);
            assert_eq!((0..steps).filter(|&step| oracle.is_right(step)).count(), right);
            for step in 0..steps {
                let guesses = oracle.guess(&calls[..step]);
                assert_eq!((guesses.len(), guesses.contains(&calls[step])), (2, oracle.is_right(step)));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_four_tools_of_the_plan_save_what_the_plan_says() {
    let session = Arc::new(Session::start(Settings::simulated()).await.unwrap());
    let results = parallelism::compare(&session, 5).await.unwrap();
    let makespan = |arm: &llmlab::experiment::ArmSummary| arm.metrics["makespan"].summary.p50;
    // 1.475 s and 0.55 s in the real world: 62.7% less. A busy machine may take some of that.
    let saved = 1.0 - makespan(&results.parallel) / makespan(&results.sequential);
    assert!((0.45..0.7).contains(&saved), "{saved}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_fails_is_counted_and_stops_no_other() {
    let session = quick().await;
    let summary = compare(&session, parallelism::failing(), 2).await.unwrap();
    for arm in &summary.arms {
        let failed = &arm.tallies["failed tools"];
        assert_eq!((failed.count, failed.of), (2, Some(8)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_counted_with_those_that_were_wasted() {
    let summary = compare(&quick().await, speculation::accuracy(), 2).await.unwrap();
    let at = |x: f64| summary.arms.iter().find(|arm| arm.x == Some(x)).unwrap();
    let shares = |x: f64| ["steps guessed right", "wasted calls"].map(|name| at(x).tallies[name].count);
    // Five steps, two rounds, one guess a step
    assert_eq!((shares(0.0), shares(40.0), shares(100.0)), ([0, 10], [4, 6], [10, 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_reuse_every_request_of_a_task_opens_a_connection_a_classification_too() {
    // Given a question unoptimised, and one that is routed
    let session = quick().await;
    let toggles = [Toggles::default(), Toggles::of([Toggle::Routing]).unwrap()];
    let group =
        agent::scenarios("task", &[task("simple_factual").unwrap()], &toggles, Road::default()).remove(0);
    // When each is asked in two rounds
    let summary = compare(&session, group, 1).await.unwrap();
    // Then one request and two took three connections a round
    assert_eq!((summary.requests, session.connections()), (6, 6));
}
