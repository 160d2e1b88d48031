//! Concurrency and batching, driven without Criterion.

use std::sync::Arc;

use llmlab::catalog::Profile;
use llmlab::experiment::{ArmSummary, GroupSummary, compare};
use llmlab::metric::Metric;
use llmlab::mock::{Mock, MockConfig};
use llmlab::optimization::{batching, concurrency};
use llmlab::session::Session;
use llmlab::settings::{Environment, Settings, TargetFile};
use llmlab::verdict;

async fn simulated() -> Arc<Session> {
    Arc::new(Session::start(Settings::simulated()).await.expect("the mock starts"))
}

fn arm<'a>(summary: &'a GroupSummary, name: &str, x: f64) -> &'a ArmSummary {
    summary.arms.iter().find(|arm| arm.name == name && arm.x == Some(x)).expect("the arm")
}

fn p50(arm: &ArmSummary, metric: &Metric) -> f64 {
    arm.metrics[metric.name()].summary.p50
}

#[tokio::test(flavor = "multi_thread")]
async fn throughput_ends_at_the_slots_and_latency_goes_on() {
    // Given levels below, at and far beyond the eight slots of the engine
    let summary = compare(&simulated().await, concurrency::levels(&[2, 8, 50]), 2).await.unwrap();
    let [two, eight, fifty] = [2.0, 8.0, 50.0].map(|n| arm(&summary, "workers", n));
    // Then four times the workers are some four times as fast, and six times more gain nothing
    let gain = |a: &ArmSummary, b: &ArmSummary| {
        p50(a, &Metric::TIME_PER_REQUEST) / p50(b, &Metric::TIME_PER_REQUEST)
    };
    assert!(
        gain(two, eight) > 2.0 && gain(eight, fifty) < 1.5,
        "{} {}",
        gain(two, eight),
        gain(eight, fifty)
    );
    assert!(p50(fifty, &Metric::TOTAL) > 3.0 * p50(eight, &Metric::TOTAL));
    // And the report has a row for each, the law and the knee, if a busy machine leaves one
    let said = summary.remarks.join("\n");
    for part in ["workers     req/s   goodput", "Universal scalability law", "Little's law"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(said.contains("The knee is at 8") || said.contains("No knee up to 50"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_unknown_engine_serves_at_once_is_seen_and_predicts() {
    // Given an engine behind an address, which does not tell its speed or its eight slots
    let profile = Profile { slots: 8, ..Profile::default() };
    let mock = Mock::start(MockConfig { profile, ..MockConfig::default() }).unwrap();
    let target = format!("anthropic+{}", mock.url());
    let settings = Settings::new(&Environment::of(&[("LLMLAB_TARGET", &target)]), &TargetFile::default());
    let session = Arc::new(Session::start(settings.unwrap()).await.unwrap());
    // When half of the rounds are fitted
    let summary = compare(&session, concurrency::levels(&[2, 4, 20]), 6).await.unwrap();
    // Then they show what the slots allow, and the other half is predicted with its error
    let four = &arm(&summary, "workers", 4.0).metrics[Metric::TIME_PER_REQUEST.name()];
    let predicted = four.predicted.as_ref().unwrap();
    let words: Vec<_> = predicted.source.split(' ').collect();
    let seen: f64 = words[words.iter().position(|word| *word == "at").unwrap() - 1].parse().unwrap();
    assert!((4.0..12.0).contains(&seen), "{}", predicted.source);
    assert!(predicted.error.is_some_and(|error| error.abs() < 0.5), "{predicted:?}");
    assert!(verdict::agreement(&summary).unwrap().contains("speeds fitted to half of the rounds"));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_overload_users_of_an_open_loop_wait_longer_than_a_closed_one_shows() {
    let summary = compare(&simulated().await, concurrency::open(&[1.2]), 2).await.unwrap();
    let (closed, open) = (arm(&summary, "closed", 1.2), arm(&summary, "open", 1.2));
    assert!(p50(open, &Metric::RESPONSE_P95) > p50(closed, &Metric::RESPONSE_P95));
    assert!(summary.remarks.iter().any(|line| line.starts_with("open at 1.2 of capacity: p95")));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_prompts_at_once_are_answered_about_five_times_as_fast() {
    let batch = batching::compare(&simulated().await, 5, 3).await.unwrap();
    assert!(batch.speedup > 3.0 && batch.speedup < 5.5, "{batch:?}");
    assert!((batch.improvement_pct - (1.0 - 1.0 / batch.speedup) * 100.0).abs() < 1e-9);
    assert!((batch.sequential_ms / batch.parallel_ms - batch.speedup).abs() < 1e-9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_batches_serves_many_faster_and_lets_one_wait() {
    let summary = compare(&simulated().await, batching::server(&[1, 20]), 2).await.unwrap();
    let ratio = |x: f64, metric: &Metric| {
        p50(arm(&summary, "batch_8", x), metric) / p50(arm(&summary, "batch_1", x), metric)
    };
    assert!(ratio(20.0, &Metric::TIME_PER_REQUEST) < 0.5);
    assert!(ratio(1.0, &Metric::TOTAL) > 1.0);
    let sizes: Vec<_> = [("batch_1", 20.0), ("batch_8", 1.0)]
        .map(|(name, x)| arm(&summary, name, x).metrics["batch_size"].summary.p50)
        .into();
    assert_eq!(sizes, [1.0, 1.0]);
    assert!(arm(&summary, "batch_8", 20.0).metrics["batch_size"].summary.p50 > 3.0);
    assert!(summary.remarks[0].starts_with("A batch of b takes B(b) = "), "{:?}", summary.remarks);
}
