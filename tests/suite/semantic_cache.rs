//! The caches of answers, and what it costs to be wrong.

use std::sync::Arc;

use llmlab::embedding::dot;
use llmlab::experiment::{ArmSummary, Group, GroupSummary, compare};
use llmlab::metric::Metric;
use llmlab::mock::{Mock, MockConfig};
use llmlab::optimization::semantic_cache::{self, Cosines, Embedder, Endpoint, Evaluation, Lexical};
use llmlab::report::table;
use llmlab::session::Session;
use llmlab::settings::{Environment, Settings, TargetFile};

async fn run(group: Group, samples: u32, environment: &[(&str, &str)]) -> (Arc<Session>, GroupSummary) {
    let settings = Settings::new(&Environment::of(environment), &TargetFile::default()).expect("settings");
    let session = Arc::new(Session::start(settings).await.expect("the mock starts"));
    let summary = compare(&session, group, samples).await.expect("every arm answers");
    (session, summary)
}

fn arm<'a>(summary: &'a GroupSummary, name: &str, x: f64) -> &'a ArmSummary {
    summary.arms.iter().find(|arm| arm.name == name && arm.x == Some(x)).expect("the arm ran")
}

fn counted(arm: &ArmSummary, tally: &str) -> (u64, Option<u64>) {
    let tally = arm.tallies.get(tally).unwrap_or_else(|| panic!("no {tally} of {}", arm.name));
    (tally.count, tally.of)
}

#[tokio::test(flavor = "multi_thread")]
async fn paraphrases_hit_the_semantic_cache_and_miss_the_exact_one() {
    // Given questions that were all asked before, half of them in other words, and a low threshold
    let (_, summary) = run(semantic_cache::at_threshold(0.6, &[100]), 4, &[]).await;
    // Then the exact cache finds the repeats and nothing else
    let (exact, semantic) = (arm(&summary, "exact", 100.0), arm(&summary, "semantic", 100.0));
    assert_eq!(counted(exact, "hits"), (4 * 5, Some(4 * 10)));
    assert_eq!(counted(exact, "wrong answers").0, 0);
    // And the semantic one some paraphrases as well
    let (found, of) = counted(semantic, "paraphrases found");
    assert!(found > 0 && of == Some(4 * 5), "{found} of {of:?}");
    // And what it finds is no request
    let (off, hits) = (5 * 10, |arm| counted(arm, "hits").0);
    let saved = hits(exact) + hits(semantic);
    let warm_up_at_most = 10 * 2;
    let sent = summary.requests;
    let most = off + 2 * off - saved;
    assert!((most - warm_up_at_most..=most).contains(&sent), "{sent} of {most}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_threshold_that_is_too_low_is_unsafe_and_the_report_says_so() {
    // Given questions of which half look like one that was asked before
    let (session, summary) = run(semantic_cache::at_threshold(0.7, &[0]), 4, &[]).await;
    // When the cache takes alike for the same
    let semantic = arm(&summary, "semantic", 0.0);
    let (wrong, near) = counted(semantic, "false hits");
    assert_eq!(near, Some(4 * 5));
    assert!(wrong > 10, "{wrong}");
    assert!(counted(semantic, "wrong answers").0 >= wrong);
    // Then the report says what that costs
    let text = table::group(&summary, session.provenance());
    assert!(
        text.contains("semantic at 0 is UNSAFE: it answers a question with another one's answer"),
        "{text}"
    );
    // And the exact cache, which is never wrong, is not warned of
    assert!(!text.contains("exact at 0 is"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_labelled_pair_counts_once_however_many_rounds_there_are() {
    let (_, summary) = run(semantic_cache::stream(&[0]), 20, &[("LLMLAB_MOCK_SLOWDOWN", "0.05")]).await;
    let held_out = semantic_cache::pairs().near_misses.len() as u64 / 2;
    // Given five near misses in each of 20 rounds
    assert!(held_out < 20 * 5);
    assert_eq!(counted(arm(&summary, "semantic", 0.0), "false hits").1, Some(held_out));
}

#[tokio::test]
async fn the_lexical_embedder_is_unsafe_at_every_useful_threshold() {
    let cosines = Cosines::of(&Lexical).await.unwrap();
    let evaluation = Evaluation::of(Lexical.name(), &cosines).unwrap();
    assert!(!evaluation.is_safe());
    let report = evaluation.report().join("\n");
    assert!(report.contains("lexical") && report.contains("UNSAFE: no threshold"), "{report}");
    // Higher thresholds find less and are wrong less often
    for rates in evaluation.roc.windows(2) {
        assert!(rates[0].recall.estimate >= rates[1].recall.estimate);
        assert!(rates[0].false_hits.estimate >= rates[1].false_hits.estimate);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_embeds_over_http() {
    // Given an OpenAI-compatible endpoint
    let mock = Mock::start(MockConfig::default()).unwrap();
    let named = format!("{}/v1#some-model", mock.url());
    let environment = Environment::of(&[("LLMLAB_EMBEDDINGS", &named), ("LLMLAB_EMBEDDINGS_KEY", "k")]);
    let settings = Settings::new(&environment, &TargetFile::default()).unwrap();
    let endpoint = Endpoint::new(settings.embeddings.as_ref().unwrap()).unwrap();
    assert_eq!(endpoint.name(), "endpoint some-model");
    // When it is asked for several texts
    let texts = ["reset my password", "cancel my order", "reset my password"];
    let vectors = endpoint.embed(&texts).await.unwrap();
    // Then their unit vectors come back in their order
    let near = |a: usize, b: usize| dot(&vectors[a], &vectors[b]);
    assert!((near(0, 2) - 1.0).abs() < 1e-5 && near(0, 1) < 0.5);
    // And one that does not answer is named
    drop(mock);
    let error = endpoint.embed(&texts).await.unwrap_err().to_string();
    assert!(error.contains("LLMLAB_EMBEDDINGS"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_semantic_arm_uses_the_endpoint_that_the_settings_name() {
    let mock = Mock::start(MockConfig::default()).unwrap();
    let named = format!("{}#some-model", mock.url());
    let (_, summary) = run(semantic_cache::stream(&[80]), 1, &[("LLMLAB_EMBEDDINGS", &named)]).await;
    assert!(summary.remarks[0].starts_with("Embedder: endpoint some-model"), "{:?}", summary.remarks);
    // Its time is part of the lookup: an engine's overhead, each time
    let time = |name| arm(&summary, name, 80.0).metrics[Metric::ANSWER_TIME.name()].summary.mean;
    assert!(time("semantic") > 12e6, "{}", time("semantic"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lookups_ask_no_model() {
    let (_, summary) = run(semantic_cache::lookup(&[10, 10_000]), 5, &[]).await;
    assert_eq!(summary.requests, 0);
    let time = |x| arm(&summary, "semantic", x).metrics[Metric::LOOKUP.name()].summary.p50;
    // A scan over a thousand times as many entries takes longer
    assert!(time(10_000.0) > 3.0 * time(10.0));
}
