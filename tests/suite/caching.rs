//! The caching arms, driven without Criterion.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use llmlab::experiment::{Arm, CacheState, Draw, FromFn, Group, Observation, RunError, compare};
use llmlab::metric::Metric;
use llmlab::mock::{Mock, MockConfig};
use llmlab::optimization::{caching, streaming};
use llmlab::provenance::Truth;
use llmlab::report::table;
use llmlab::session::{Demand, Session};
use llmlab::settings::{Environment, Settings, TargetFile};
use llmlab::wire::{Ask, Block, CacheTtl};
use serde_json::Value;

async fn simulated() -> Arc<Session> {
    Arc::new(Session::start(Settings::simulated()).await.expect("the mock starts"))
}

/// A mock that keeps the bodies it receives, asked as if it were a live target.
async fn watched(dialect: &str) -> (Mock, Arc<Session>) {
    let mock =
        Mock::start(MockConfig { keep_bodies: true, ..MockConfig::default() }).expect("the mock starts");
    let target = format!("{dialect}+{}", mock.url());
    let environment = Environment::of(&[("LLMLAB_TARGET", &target), ("LLMLAB_MODEL", "claude-sonnet-4-6")]);
    let settings = Settings::new(&environment, &TargetFile::default()).expect("a target");
    (mock, Arc::new(Session::start(settings).await.expect("the mock answers")))
}

fn bodies(mock: &Mock) -> Vec<Value> {
    let bodies = mock.requests().into_iter().filter_map(|request| request.body);
    bodies.map(|body| serde_json::from_str(&body).expect("a body is JSON")).collect()
}

/// Takes the toggle out of a request: breakpoints, and the 32 characters that make a prompt new.
fn without_toggle(mut body: Value) -> Value {
    let unmark = |text: &mut Value| *text = text.as_str().expect("text")[32..].to_owned().into();
    if let Some(block) = body.pointer_mut("/system/0") {
        block.as_object_mut().expect("a block").remove("cache_control");
        unmark(&mut block["text"]);
    } else {
        unmark(&mut body["messages"][0]["content"]);
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn off_and_on_differ_in_the_toggle_alone() {
    for dialect in ["anthropic", "openai"] {
        // Given one round of the two arms at one length
        let (mock, session) = watched(dialect).await;
        let group = caching::prefix(&[1_500]);
        // When both have asked
        compare(&session, group, 0).await.unwrap();
        // Then their bodies differ, and are the same without the toggle
        let bodies = bodies(&mock);
        assert_eq!(bodies.len(), 2, "{dialect}");
        assert_ne!(bodies[0], bodies[1]);
        assert_eq!(without_toggle(bodies[0].clone()), without_toggle(bodies[1].clone()), "{dialect}");
        let marked = bodies.iter().filter(|body| body.to_string().contains("cache_control")).count();
        assert_eq!(marked, usize::from(dialect == "anthropic"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streaming_off_and_on_differ_in_stream_alone() {
    let (mock, session) = watched("anthropic").await;
    compare(&session, streaming::of("Why is the sky blue?", &[20]), 0).await.unwrap();
    let mut bodies = bodies(&mock);
    assert_ne!(bodies[0], bodies[1]);
    for body in &mut bodies {
        body.as_object_mut().expect("an object").remove("stream");
    }
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cached_arm_reads_its_prefix_from_the_minimum_on() {
    let summary = compare(&simulated().await, caching::prefix(&[512, 1_500]), 3).await.unwrap();
    let share = |name: &str, x: f64| {
        let arm = summary.arms.iter().find(|arm| arm.name == name && arm.x == Some(x)).unwrap();
        arm.cache.unwrap().hit_share
    };
    assert_eq!(
        (share("uncached", 1_500.0), share("uncached", 512.0), share("cached", 512.0)),
        (0.0, 0.0, 0.0)
    );
    assert!(share("cached", 1_500.0) > 0.98);
    // One exchange for each arm and round, for all metrics together
    assert_eq!((summary.requests, summary.rounds), (4 * 4, 3));
    assert!(summary.remarks[0].starts_with("512 prefix tokens: below the minimum"), "{:?}", summary.remarks);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_warm_up_pattern_finds_what_the_rules_say() {
    let summary = compare(&simulated().await, caching::warm_up(), 1).await.unwrap();
    let shares: Vec<_> = summary
        .arms
        .iter()
        .map(|arm| (arm.name.as_str(), (arm.cache.unwrap().hit_share * 100.0).round() as u32))
        .collect();
    let expected = [
        ("request_1", 0),
        ("request_2", 100),
        ("request_3", 100),
        ("request_4", 100),
        ("request_5", 100),
        ("prewarmed", 100),
        ("burst_4", 0),
        ("idle_6m", 0),
        ("idle_2x4m", 100),
        ("idle_6m_ttl_1h", 100),
        ("changed_1_mark", 0),
        ("changed_4_marks", 50),
    ];
    assert_eq!(shares, expected);
    let burst = summary.arms.iter().find(|arm| arm.name == "burst_4").unwrap().cache.unwrap();
    assert!(burst.written_tokens > 4.0 * 5_900.0, "each of the four writes: {burst:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn automatic_caching_reads_whole_steps() {
    let summary = compare(&simulated().await, caching::automatic(&[1_500]), 2).await.unwrap();
    let cached = summary.arms.iter().find(|arm| arm.name == "cached").unwrap().cache.unwrap();
    assert_eq!(cached.read_tokens, f64::from(1_500 / 128 * 128));
}

/// A group of one arm that asks a long prompt with this mark in front, cached.
fn one_arm(cache: CacheState, mark: for<'a> fn(&'a Draw<'a>) -> String) -> Group {
    fn asks<'a>(
        draw: &'a Draw<'a>,
        mark: for<'b> fn(&'b Draw<'b>) -> String,
    ) -> BoxFuture<'a, Result<Observation, RunError>> {
        async move {
            let text = mark(draw) + &"word ".repeat(2_000);
            let ask = Ask {
                system: vec![Block::text(text).cached(CacheTtl::FiveMinutes)],
                ..Ask::question("?", 4)
            };
            Ok(Observation::of(&draw.ask(&ask).await?))
        }
        .boxed()
    }
    struct Marked(for<'a> fn(&'a Draw<'a>) -> String);
    impl llmlab::experiment::Workload for Marked {
        fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
            asks(draw, self.0)
        }
        fn demand(&self, _round: u32) -> Demand {
            Demand::uncached(2_500, 4)
        }
    }
    Group {
        name: "test".into(),
        question: "Does the check see it?".into(),
        control: "control".into(),
        arms: vec![Arm { cache, ..Arm::new("arm", Marked(mark)) }],
        metrics: vec![Metric::TTFT],
        ..Group::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_off_arm_that_reads_the_cache_is_invalid() {
    let error =
        compare(&simulated().await, one_arm(CacheState::Cold, |draw| draw.stable("x")), 2).await.unwrap_err();
    let RunError::Invalid { arm, round, reason } = error else { panic!("{error}") };
    assert_eq!((arm.as_str(), round), ("test/arm", 1));
    assert!(reason.contains("cold") && reason.contains("tokens"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_on_arm_that_missed_says_so() {
    let session = simulated().await;
    let summary = compare(&session, one_arm(CacheState::Warm, |draw| draw.fresh("x")), 3).await.unwrap();
    assert_eq!(summary.arms[0].cache.unwrap().missed, 3);
    let text = table::group(&summary, session.provenance());
    assert!(text.contains("arm MISSED the cache in 3 of 3 rounds"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mock_behind_a_url_is_still_called_simulated() {
    let (_mock, session) = watched("anthropic").await;
    assert!(matches!(&session.provenance().truth, Truth::Simulated { profile, .. } if profile == "fast"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bench_of_ones_own_may_bring_values_of_its_own() {
    fn counts<'a>(_: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        let calls = Metric::new("calls", llmlab::metric::Unit::Count);
        async move { Ok(Observation::value(calls, 3.0)) }.boxed()
    }
    let mut group = one_arm(CacheState::Any, |_| String::new());
    group.arms = vec![Arm::new("control", FromFn::new(counts, Demand::default()))];
    let summary = compare(&simulated().await, group, 3).await.unwrap();
    assert_eq!((summary.arms[0].metrics["calls"].summary.p50, summary.requests), (3.0, 0));
}
