//! Every fault of a server or of the way to it ends in its class, within its bound; none hangs, none counts as an
//! answer, and the next request on the same client is answered.
//!
//! [`table`] lists what a server does that takes the connection; [`places`] has what goes wrong before, and [`doors`]
//! leads some of it through `llmlab load` and `llmlab run`.

mod connections;
#[cfg(feature = "cli")]
mod doors;
mod http2;
mod places;
mod refusals;
mod table;

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use llmlab::client::{Client, Exchange};
use llmlab::wire::Dialect;

use self::table::{Bound, Fault, SHORT, faults, misencoded};
use crate::support::{RawServer, client_within, openai_answer, send};

/// Far above every bound of these tests, so that only a bound that is not kept fails them.
const SOON: Duration = Duration::from_secs(3);

/// After this, what still runs is taken to hang.
const HUNG: Duration = Duration::from_secs(40);

/// Runs `work` on a runtime of its own, and fails if it hangs, even where it leaves the runtime no time to notice.
#[track_caller]
fn within<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let (done, result) = channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        // Nobody listens any more if it took too long.
        let _ = done.send(runtime.expect("a runtime").block_on(work));
    });
    result.recv_timeout(HUNG).expect("it ends, and does not panic")
}

/// What is wrong with an exchange that met this fault.
fn complaint(fault: &Fault, exchange: &Exchange) -> Option<String> {
    let took = exchange.ended - exchange.intended;
    let failure = match &exchange.outcome {
        Ok(answer) => return Some(format!("counts as an answer, {:?}", answer.reply.text())),
        Err(failure) => failure,
    };
    let bounded = fault.bound != Bound::None;
    if failure.class != fault.class || !failure.message.contains(fault.bound.phase()) {
        return Some(format!("is {failure}, not {}", fault.class.name()));
    }
    if took > SOON || (bounded && took < SHORT) {
        return Some(format!("took {took:?}"));
    }
    if exchange.sent.is_none() || failure.message.len() > 1_000 {
        return Some(format!("has no time of sending or too long a message: {failure}"));
    }
    None
}

/// The text of an answer, or what there is instead.
async fn next(client: &Client) -> String {
    match send(client).await.outcome {
        Ok(answer) => answer.reply.text(),
        Err(failure) => failure.to_string(),
    }
}

/// Meets `fault` after `before` answers on the same client; returns all that is wrong.
async fn meet(fault: &Fault, before: usize) -> Vec<String> {
    let steps = fault.steps.clone();
    let server = RawServer::start(
        move |request| {
            if request.number == before { steps.clone() } else { openai_answer() }
        },
    );
    let client = client_within(Dialect::OpenAi, &server.url(), fault.bound.timeouts());
    let mut wrong = Vec::new();
    let named = |what: String| format!("{} (after {before}): {what}", fault.name);
    for _ in 0..before {
        let text = next(&client).await;
        wrong.extend((text != "Hello").then(|| named(format!("before it came {text}"))));
    }
    let exchange = tokio::time::timeout(HUNG / 2, send(&client)).await;
    match exchange {
        Ok(exchange) => wrong.extend(complaint(fault, &exchange).map(named)),
        Err(_) => wrong.push(named("hangs".into())),
    }
    let text = next(&client).await;
    wrong.extend((text != "Hello").then(|| named(format!("the next is harmed: {text}"))));
    let requests = server.requests();
    let alike = requests.iter().all(|request| request.body == requests[0].body);
    let right = requests.len() == before + 2 && alike;
    wrong.extend((!right).then(|| named(format!("these requests were sent: {requests:?}"))));
    wrong
}

#[track_caller]
fn all_end_in_their_class(faults: Vec<Fault>, before: usize) {
    let meetings = faults
        .into_iter()
        .map(|fault| thread::spawn(move || within(async move { meet(&fault, before).await })));
    // All at once: most of them wait.
    let meetings: Vec<_> = meetings.collect();
    let wrong: Vec<_> = meetings
        .into_iter()
        .flat_map(|meeting| meeting.join().unwrap_or_else(|_| vec!["something hangs".into()]))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_fault_of_a_server_ends_in_its_class_on_a_new_connection() {
    all_end_in_their_class(faults(), 0);
}

#[test]
fn every_fault_of_a_server_ends_in_its_class_on_a_connection_that_had_served() {
    all_end_in_their_class(faults(), 1);
}

#[test]
fn a_body_that_is_not_encoded_as_its_head_says_is_not_understood() {
    all_end_in_their_class(misencoded(), 0);
    all_end_in_their_class(misencoded(), 1);
}
