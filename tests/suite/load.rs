//! Schedules of many requests, and what comes of running them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use llmlab::experiment::{
    Arm, Draw, FromFn, Group, GroupSummary, Loaded, Observation, RunError, compare, under_load,
};
use llmlab::load::{Arrivals, Extent, Schedule, Slo, arrivals, responses};
use llmlab::metric::Metric;
use llmlab::mock::{FaultKind, Mock, MockConfig};
use llmlab::session::{Demand, Session};
use llmlab::settings::{Environment, Settings, TargetFile};
use llmlab::wire::Ask;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn at(kind: Arrivals, rate: f64, extent: Extent, seed: u64) -> Vec<Duration> {
    arrivals(kind, rate, extent, &mut ChaCha8Rng::seed_from_u64(seed))
}

#[test]
fn a_constant_rate_comes_evenly_from_the_start_on() {
    let ms = Duration::from_millis;
    let times = at(Arrivals::Constant, 10.0, Extent::Requests(4), 0);
    assert_eq!(times, [ms(0), ms(100), ms(200), ms(300)]);
    assert_eq!(at(Arrivals::Constant, 10.0, Extent::Time(ms(250)), 0), times[..3]);
}

#[test]
fn poisson_arrivals_keep_their_rate_and_their_gaps_vary_as_much_as_they_last() {
    let times = at(Arrivals::Poisson, 50.0, Extent::Requests(20_000), 7);
    let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    assert!((mean * 50.0 - 1.0).abs() < 0.03, "{mean}");
    assert!((variance.sqrt() / mean - 1.0).abs() < 0.05, "an exponential gap has a CV of 1");
}

#[test]
fn a_rate_of_nothing_has_no_arrivals() {
    for rate in [0.0, -1.0, f64::NAN] {
        for kind in [Arrivals::Constant, Arrivals::Poisson] {
            assert!(at(kind, rate, Extent::Requests(3), 0).is_empty(), "{kind:?} {rate}");
        }
    }
}

#[test]
fn a_queue_serves_in_order_and_only_what_it_has_servers_for() {
    let ms = Duration::from_millis;
    // Three at once on two servers, and one that comes late
    let waits = responses(&[ms(0), ms(0), ms(0), ms(100)], ms(10), 2);
    assert_eq!(waits, [ms(10), ms(10), ms(20), ms(10)]);
}

proptest! {
    #[test]
    fn arrivals_are_ordered_end_with_their_extent_and_are_the_same_for_a_seed(
        rate in 0.1..1e4_f64, seed: u64, requests in 0..200_u32, seconds in 0.0..2.0_f64,
    ) {
        for kind in [Arrivals::Constant, Arrivals::Poisson] {
            let counted = at(kind, rate, Extent::Requests(requests), seed);
            prop_assert_eq!(counted.len() as u32, requests);
            prop_assert!(counted.is_sorted());
            prop_assert_eq!(&counted, &at(kind, rate, Extent::Requests(requests), seed));
        }
        let end = Duration::from_secs_f64(seconds);
        let timed = at(Arrivals::Poisson, rate, Extent::Time(end), seed);
        prop_assert!(timed.iter().all(|time| *time < end));
    }

    #[test]
    fn nobody_is_served_faster_than_the_service(
        gaps in prop::collection::vec(0..50_u64, 1..60), service in 1..40_u64, servers in 1..10_usize,
    ) {
        let times: Vec<_> = gaps.iter().scan(0, |sum, gap| { *sum += gap; Some(Duration::from_millis(*sum)) }).collect();
        let service = Duration::from_millis(service);
        let waits = responses(&times, service, servers);
        prop_assert!(waits.iter().all(|wait| *wait >= service));
        // What one server more serves is never later
        let more = responses(&times, service, servers + 1);
        prop_assert!(more.iter().zip(&waits).all(|(more, waits)| more <= waits));
    }
}

#[test]
fn an_answer_is_good_within_both_bounds() {
    let slo = Slo { ttft: Duration::from_millis(10), tpot: Duration::from_millis(1) };
    assert!(slo.met(Some(10e6), Some(1e6)) && slo.met(Some(10e6), None));
    assert!(
        !slo.met(Some(10.1e6), Some(1e6)) && !slo.met(Some(9e6), Some(1.1e6)) && !slo.met(None, Some(1e5))
    );
    assert!(slo.scaled(2.0).met(Some(20e6), Some(2e6)));
}

fn group(
    run: impl for<'a> Fn(&'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> + Send + Sync + 'static,
) -> Group {
    Group {
        name: "test".into(),
        control: "load".into(),
        arms: vec![Arm::new("load", FromFn::new(run, Demand::default()))],
        metrics: vec![Metric::TIME_PER_REQUEST],
        ..Group::default()
    }
}

fn closed<'a>(draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
    async move {
        let loaded = under_load(draw, &Schedule::closed(3, 10), &|_, _| Ask::question("?", 3)).await?;
        Ok(loaded.observation(Some(Slo::INTERACTIVE)))
    }
    .boxed()
}

fn open<'a>(draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
    async move {
        let times = (0..10).map(|n| Duration::from_millis(5 * n)).collect();
        let loaded = under_load(draw, &Schedule::Open(times), &|_, _| Ask::question("?", 3)).await?;
        Ok(loaded.observation(Some(Slo::INTERACTIVE)))
    }
    .boxed()
}

/// A mock that can be looked into, asked as a live target is.
async fn watched() -> (Mock, Arc<Session>) {
    let mock = Mock::start(MockConfig::default()).expect("the mock starts");
    let target = format!("openai+{}", mock.url());
    let environment = Environment::of(&[("LLMLAB_TARGET", &target)]);
    let settings = Settings::new(&environment, &TargetFile::default()).expect("a target");
    let session = Arc::new(Session::start(settings).await.expect("the mock answers"));
    (mock, session)
}

fn share(summary: &GroupSummary, name: &str) -> Option<(u64, Option<u64>)> {
    summary.arms[0].tallies.get(name).map(|tally| (tally.count, tally.of))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_loop_never_has_more_under_way_than_workers() {
    let (mock, session) = watched().await;
    let summary = compare(&session, group(closed), 1).await.unwrap();
    let state = mock.state();
    assert_eq!((state.in_flight_max, summary.requests), (3, 20));
    assert_eq!(share(&summary, Loaded::FAILED), Some((0, Some(10))));
    assert_eq!(share(&summary, Loaded::SENT_LATE), None, "nothing has a time to keep");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_loop_that_ends_by_time_waits_for_what_it_sent() {
    fn for_a_while<'a>(draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        async move {
            let extent = Extent::Time(Duration::from_millis(100));
            let schedule = Schedule::Closed { workers: 2, extent };
            let loaded = under_load(draw, &schedule, &|_, _| Ask::question("?", 3)).await?;
            assert!(loaded.makespan >= Duration::from_millis(100));
            Ok(loaded.observation(Some(Slo::INTERACTIVE)))
        }
        .boxed()
    }
    let (mock, session) = watched().await;
    let summary = compare(&session, group(for_a_while), 0).await.unwrap();
    assert!(summary.requests >= 2 && mock.state().in_flight_max <= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_fail_are_counted_and_are_no_latencies() {
    // Given three refusals in the second round
    let (mock, session) = watched().await;
    let group = group(move |draw| {
        if draw.round() == 1 {
            mock.inject([FaultKind::Status { status: 400, retry_after_s: None }; 3]);
        }
        closed(draw)
    });
    // When that round is a sample
    let summary = compare(&session, group, 1).await.unwrap();
    // Then seven of ten were answered, and the load says so
    assert_eq!(share(&summary, Loaded::FAILED), Some((3, Some(10))));
    assert_eq!(summary.failures.values().sum::<u64>(), 3);
    let value = |metric: &Metric| summary.arms[0].metrics[metric.name()].summary.p50;
    let per_request = value(&Metric::MAKESPAN) / value(&Metric::TIME_PER_REQUEST);
    assert!((per_request - 7.0).abs() < 1e-6, "{per_request} answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_loop_measures_from_the_intended_start_and_every_request_is_a_branch() {
    let (_mock, session) = watched().await;
    let group = Arc::new(group(open));
    let mut rounds = llmlab::experiment::Rounds::new(session, group, vec![0]);
    let round = rounds.get(0).await.unwrap();
    let observation = round.observations[0].as_ref().unwrap();
    assert!(observation.values[&Metric::RESPONSE_P95] >= observation.values[&Metric::TOTAL_P95]);
    assert_eq!(observation.tallies[Loaded::SENT_LATE].of, Some(10));
    let branches: BTreeSet<_> = observation.requests.iter().map(|record| record.branch.clone()).collect();
    assert_eq!(branches.len(), 10);
}
