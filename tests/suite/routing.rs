//! Routing: who gets the question, when that pays, and what it costs to be wrong.

use std::sync::Arc;
use std::time::Duration;

use llmlab::catalog::Profile;
use llmlab::experiment::{ArmSummary, GroupSummary, compare};
use llmlab::metric::Metric;
use llmlab::mock::{Mock, MockConfig};
use llmlab::optimization::routing::{self, Complexity, Confusion, Strategy};
use llmlab::report::table;
use llmlab::session::Session;
use llmlab::settings::{Environment, Settings, TargetFile, TargetKind};

use crate::support;

async fn simulated() -> Arc<Session> {
    Arc::new(Session::start(Settings::simulated()).await.expect("the mock starts"))
}

fn arm(summary: &GroupSummary, strategy: Strategy, x: f64) -> &ArmSummary {
    let found = summary.arms.iter().find(|arm| arm.name == strategy.name() && arm.x == Some(x));
    found.expect("the arm ran")
}

#[tokio::test(flavor = "multi_thread")]
async fn hard_questions_that_the_small_model_answers_are_counted_and_called_unsafe() {
    let session = simulated().await;
    // Given two rounds, which ask both prompts of each class
    let summary = compare(&session, routing::by_complexity(), 2).await.unwrap();
    // When everything goes to one model, or where the labels say
    let count = |strategy, x, tally: &str| {
        arm(&summary, strategy, x).tallies.get(tally).map(|tally| (tally.count, tally.of))
    };
    // Then the small model does all the hard work, and the large one all the easy
    assert_eq!(count(Strategy::DirectSmall, 3.0, "misrouted down"), Some((2, Some(2))));
    assert_eq!(count(Strategy::DirectLarge, 1.0, "misrouted up"), Some((2, Some(2))));
    // And nothing is counted where nothing can go wrong
    assert_eq!(count(Strategy::DirectLarge, 3.0, "misrouted down"), None);
    assert_eq!(count(Strategy::Oracle, 3.0, "misrouted down"), None);
    assert_eq!(count(Strategy::Oracle, 3.0, "sent to small"), Some((0, Some(2))));
    // And the report says what that costs
    let text = table::group(&summary, session.provenance());
    assert!(
        text.contains("direct_small at 3 is UNSAFE: hard questions are answered by the small model"),
        "{text}"
    );
    assert!(text.contains("routed answers simple ") && text.contains("complex "), "{text}");
    assert!(text.contains("Measured: p* = T_cls / (T_large - T_small) ="), "{text}");
    assert!(text.contains("Cost at 3, in times the control's") && text.contains("direct_small 0."), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_strategy_asks_as_often_as_it_says() {
    // Given one round of each class
    let mock = Mock::start(MockConfig { keep_bodies: true, ..MockConfig::default() }).unwrap();
    let target = format!("anthropic+{}", mock.url());
    let environment = Environment::of(&[
        ("LLMLAB_TARGET", target.as_str()),
        ("LLMLAB_MODEL", "claude-sonnet-4-6"),
        ("LLMLAB_SMALL_MODEL", "claude-haiku-4-5"),
    ]);
    let settings = Settings::new(&environment, &TargetFile::default()).unwrap();
    let session = Arc::new(Session::start(settings).await.unwrap());
    compare(&session, routing::by_complexity(), 0).await.unwrap();
    // Then a classifier that says nothing readable has everything answered by the large model
    let asked = |model: &str| mock.requests().iter().filter(|request| request.model == model).count();
    // Three classes: direct_large, routed, cascade and hedged always, heuristic and oracle where they say so
    let large = asked("claude-sonnet-4-6");
    assert!((12 + 1..=12 + 1 + 3).contains(&large), "{large}");
    let small = asked("claude-haiku-4-5");
    // direct_small, the classifier of routed and hedged, the first try of the cascade; and what the rules send there
    assert!((12 + 2..=12 + 2 + 3).contains(&small), "{small}");
    assert_eq!(large + small, 7 * 3 + 3 * 3);
}

#[tokio::test]
async fn without_a_small_model_there_is_nothing_to_route_to() {
    let mock = Mock::start(MockConfig::default()).unwrap();
    let target = format!("openai+{}", mock.url());
    let settings =
        Settings::new(&Environment::of(&[("LLMLAB_TARGET", &target)]), &TargetFile::default()).unwrap();
    let session = Arc::new(Session::start(settings).await.unwrap());
    let dialect = session.dialect(None);
    for arm in routing::by_complexity().arms {
        let obstacle = arm.obstacle(&session, dialect);
        assert_eq!(obstacle.is_none(), arm.name == Strategy::DirectLarge.name(), "{obstacle:?}");
    }
    let error = routing::accuracy(&session, &routing::smoke()).await.unwrap_err().to_string();
    assert!(error.contains("LLMLAB_SMALL_MODEL"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn accuracy_is_a_matrix_with_its_interval_and_says_that_it_is_assumed() {
    let prompts = routing::prompts();
    let accuracy = routing::accuracy(&simulated().await, prompts).await.unwrap();
    let (model, confusion) = &accuracy.classifier;
    assert_eq!(model, "claude-haiku-4-5");
    let all: u64 = Complexity::ALL
        .iter()
        .flat_map(|&label| Complexity::ALL.map(|said| confusion.count(label, said)))
        .sum();
    assert_eq!(all, prompts.len() as u64);
    assert!(confusion.accuracy().unwrap().contains(routing::ASSUMED_ACCURACY), "{confusion:?}");
    assert_eq!(accuracy.heuristic, Confusion::of(prompts, routing::heuristic));
    let report = accuracy.report().join("\n");
    assert!(report.contains("is simulated") && report.contains("Misrouted down:"), "{report}");
}

#[test]
fn the_rules_are_right_more_often_than_chance_and_not_always() {
    let confusion = Confusion::of(routing::prompts(), routing::heuristic);
    let accuracy = confusion.accuracy().unwrap();
    assert!(accuracy.low > 1.0 / 3.0 && accuracy.estimate < 1.0, "{accuracy:?}");
}

/// Engines of which the large one takes 300 ms for an answer, the small one 120, and 60 to classify: a fifth of
/// 1.5 s, 0.6 s and 0.3 s.
fn engines(settings: &mut Settings) {
    let TargetKind::Mock(mock) = &mut settings.target else { panic!("the mock") };
    let plain = Profile { prefill: Duration::ZERO, ..mock.profile.clone().without_noise() };
    // An answer has 48 tokens, a classification 16.
    let decode = Duration::from_secs_f64((0.120 - 0.060) / 32.0);
    let overhead = Duration::from_secs_f64(0.120) - decode * 47;
    mock.small = Profile { overhead, decode, ..plain.clone() };
    mock.profile = Profile { overhead: Duration::from_millis(300), decode: Duration::ZERO, ..plain };
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sign_changes_where_the_break_even_says() {
    // Given a classifier of 300 ms before models of 600 and 1,500, all five times as fast
    let mut settings = Settings::simulated();
    engines(&mut settings);
    let session = Arc::new(Session::start(settings).await.unwrap());
    // When the share of simple prompts is varied
    let summary = compare(&session, routing::share(&[0, 50, 100]), 2).await.unwrap();
    // Then the savings change their sign at a third, within 5 points on a machine that does nothing else
    let saving = |x| {
        let metric = &arm(&summary, Strategy::Routed, x).metrics[Metric::ANSWER_TIME.name()];
        metric.versus_control.unwrap().difference.estimate
    };
    assert!(saving(0.0) < 0.0 && saving(50.0) > 0.0 && saving(100.0) > 0.0);
    let crossing = 100.0 * -saving(0.0) / (saving(100.0) - saving(0.0));
    let tolerance = if support::is_strict() { 5.0 } else { 15.0 };
    assert!((crossing - 33.3).abs() < tolerance, "{crossing}%");
    // And both are said
    let said = summary.remarks.join("\n");
    assert!(said.contains("By the engines: p* =") && said.contains("ms = 3"), "{said}");
    assert!(said.contains("Measured: routing pays from "), "{said}");
}
