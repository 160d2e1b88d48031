//! What a client gains that works on chunks as they come.

use std::sync::Arc;
use std::time::Duration;

use llmlab::catalog::Profile;
use llmlab::experiment::compare;
use llmlab::metric::Metric;
use llmlab::optimization::streaming;
use llmlab::session::Session;
use llmlab::settings::{Settings, TargetKind};

/// Chunks of the answer.
const CHUNKS: u32 = 100;

#[tokio::test(flavor = "multi_thread")]
async fn work_on_chunks_is_done_while_the_next_is_on_its_way() {
    // Given an engine that takes longer for a chunk than the client works on one
    let mut settings = Settings::simulated();
    let TargetKind::Mock(mock) = &mut settings.target else { panic!("the mock") };
    mock.profile = Profile { decode: Duration::from_millis(8), burst_tokens: 1, ..mock.profile.clone() };
    let session = Arc::new(Session::start(settings).await.unwrap());
    // When a client works 5 ms on each
    let work = Duration::from_millis(5);
    let summary = compare(&session, streaming::chunked(&[work]), 3).await.unwrap();
    // Then at least 80% of the work costs no time
    let processed = |arm: usize| summary.arms[arm].metrics[Metric::PROCESSED.name()].summary.p50;
    let (saved, all) = (processed(0) - processed(1), (work * CHUNKS).as_nanos() as f64);
    assert!(saved >= 0.8 * all, "{saved} of {all}");
    // And the stamps are those of the socket all the same
    let total = |arm: usize| summary.arms[arm].metrics[Metric::TOTAL.name()].summary.p50;
    assert!(total(1) < 1.5 * total(0), "{} against {}", total(1), total(0));
}
