//! What a session makes of failures: attempts, records, budgets, and the journal.

use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use llmlab::client::{ErrorClass, RetryPolicy};
use llmlab::experiment::{Arm, Draw, FromFn, Group, Observation, Rounds, RunError};
use llmlab::metric::Metric;
use llmlab::session::{
    Demand, Journal, Observer, Outcome, Request as Asked, RequestRecord, Session, SessionEvent,
};
use llmlab::settings::{Environment, Settings, TargetFile};

use crate::support::{RawServer, Request, Step, openai_answer, plain, question};

const GROUP: &str = "test/retries";

fn ask_once<'a>(draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
    Box::pin(async move { Ok(Observation::of(&draw.ask(&question()).await?)) })
}

fn ask_twice<'a>(draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
    Box::pin(async move {
        draw.ask(&question()).await?;
        Ok(Observation::of(&draw.ask(&question()).await?))
    })
}

type Ask = for<'a> fn(&'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>>;

/// A group whose only arm does `ask`.
fn group(ask: Ask) -> Arc<Group> {
    Arc::new(Group {
        name: GROUP.into(),
        question: "What becomes of a failure?".into(),
        control: "only".into(),
        arms: vec![Arm::new("only", FromFn::new(ask, Demand::uncached(4, 16)))],
        metrics: vec![Metric::TTFT, Metric::TOTAL],
        ..Group::default()
    })
}

/// Keeps every record.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<RequestRecord>>>);

impl Seen {
    fn records(&self) -> Vec<RequestRecord> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Observer for Seen {
    fn on(&self, event: &SessionEvent<'_>) {
        if let SessionEvent::Exchange(record) = event {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push((*record).clone());
        }
    }
}

/// A session with `server`, whose retries do not wait long.
async fn session(server: &RawServer, variables: &[(&str, &str)]) -> Session {
    let target = format!("openai+{}", server.url());
    let variables: Vec<_> =
        [("LLMLAB_TARGET", target.as_str())].into_iter().chain(variables.iter().copied()).collect();
    let settings =
        Settings::new(&Environment::of(&variables), &TargetFile::default()).expect("the variables fit");
    let retries = RetryPolicy { attempts: 2, patience: Duration::from_secs(10) };
    Session::start(Settings { retries, ..settings }).await.expect("the server answers")
}

fn rounds(session: Session, ask: Ask) -> Rounds {
    Rounds::new(Arc::new(session), group(ask), vec![0])
}

fn limited_first(request: &Request) -> Vec<Step> {
    match request.number {
        0 => vec![Step::Write(plain(429, "retry-after: 0\r\n", "slow down"))],
        _ => openai_answer(),
    }
}

#[tokio::test]
async fn a_retry_is_an_exchange_of_its_own_and_only_its_answer_counts() {
    // Given a server that limits the first request
    let server = RawServer::start(limited_first);
    let (seen, mut session) = (Seen::default(), session(&server, &[]).await);
    session.observe(Box::new(seen.clone()));
    // When a round is asked
    let mut rounds = rounds(session, ask_once);
    let observation = rounds.next().await.unwrap().observations[0].clone().unwrap();
    // Then there are two records, each with its own stamp
    let records = seen.records();
    assert_eq!(observation.requests, records);
    let [limited, answered] = &records[..] else { panic!("two records: {records:?}") };
    assert_eq!((limited.attempt, answered.attempt), (1, 2));
    assert_eq!(limited.outcome, Outcome::Failed(ErrorClass::RateLimited));
    assert_eq!((limited.status, answered.status), (Some(429), Some(200)));
    assert!(limited.error.as_ref().is_some_and(|error| error.contains("slow down")));
    assert!(limited.sent_ns.unwrap() < answered.sent_ns.unwrap());
    assert!(
        limited.values.is_empty() && limited.cost_usd == Some(llmlab::price::Usd(0.0)),
        "a refusal costs nothing"
    );
    // And the answer's values are those of the second, from its own write on
    assert_eq!(answered.outcome, Outcome::Ok);
    assert_eq!(observation.values[&Metric::TTFT], answered.values["ttft"]);
    assert!(answered.values["total"] <= answered.elapsed_ns as f64);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn an_arm_that_fails_for_good_ends_with_its_name_and_the_class() {
    // Given a server that always fails
    let server = RawServer::start(|_| vec![Step::Write(plain(500, "retry-after: 0\r\n", "out of order"))]);
    let mut rounds = rounds(session(&server, &[]).await, ask_once);
    // When a round is asked
    let error = rounds.next().await.map(drop).unwrap_err().to_string();
    // Then the policy's two attempts were made, and the message says where and what
    assert_eq!(server.requests().len(), 2);
    for word in ["test/retries/only", "round 0", "2 attempts", "out of order", "http5xx"] {
        assert!(error.contains(word), "{word}: {error}");
    }
    assert!(rounds.so_far().is_empty(), "a failure is no observation");
}

#[tokio::test]
async fn a_refusal_is_not_tried_again() {
    // Given a server that does not know the model
    let server = RawServer::start(|_| vec![Step::Write(plain(404, "", "no such model"))]);
    let mut rounds = rounds(session(&server, &[]).await, ask_once);
    // When a round is asked
    let error = rounds.next().await.map(drop).unwrap_err().to_string();
    // Then once was enough
    assert!(error.contains("1 attempt failed") && error.contains("no such model"), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn rounds_before_a_failure_stand() {
    // Given a server that breaks after its first answer
    let broken = || vec![Step::Write(plain(400, "", "no more"))];
    let server =
        RawServer::start(move |request| if request.number == 0 { openai_answer() } else { broken() });
    let mut rounds = rounds(session(&server, &[]).await, ask_once);
    // When two rounds are asked
    let (first, second) = (rounds.next().await.is_ok(), rounds.next().await.is_ok());
    // Then the first is kept
    assert_eq!((first, second, rounds.so_far().len()), (true, false, 1));
}

#[tokio::test]
async fn a_budget_of_requests_counts_every_attempt() {
    // Given a budget of two requests and a server that limits the first
    let server = RawServer::start(limited_first);
    let session = session(&server, &[("LLMLAB_MAX_REQUESTS", "2")]).await;
    let mut rounds = rounds(session, ask_twice);
    // When an arm wants two answers
    let error = rounds.next().await.map(drop).unwrap_err().to_string();
    // Then the second question is not sent
    assert!(error.contains("LLMLAB_MAX_REQUESTS") && error.contains("test/retries/only"), "{error}");
    assert_eq!(server.requests().len(), 2);
    assert_eq!(rounds.session().budget().used().requests, 2);
}

#[tokio::test]
async fn the_journal_holds_every_attempt_as_a_line() {
    // Given a session with a journal, and a server that limits the first request
    let server = RawServer::start(limited_first);
    let directory = tempfile::tempdir().unwrap();
    let (seen, mut session) = (Seen::default(), session(&server, &[]).await);
    let journal = Journal::create(directory.path(), &session.provenance().run_id).unwrap();
    let path = journal.path().to_owned();
    session.observe(Box::new(journal));
    session.observe(Box::new(seen.clone()));
    // When a round is asked
    rounds(session, ask_once).next().await.unwrap();
    // Then every record can be read back, while the run still holds the file
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<RequestRecord> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), text.ends_with('\n')), (2, true));
    // But for what was asked, which no file has
    let without = |record| RequestRecord { request: Asked::default(), ..record };
    assert_eq!(lines, seen.records().into_iter().map(without).collect::<Vec<_>>());
    assert!(lines.iter().all(|line| (&*line.group, &*line.arm, &*line.mode) == (GROUP, "only", "live")));
}
