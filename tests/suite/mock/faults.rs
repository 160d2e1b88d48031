//! Failures that stay: how they are written, and whom they hit.

use llmlab::mock::{FaultKind, MockConfig, StandingFault};
use llmlab::seed::DRAW_HEADER;
use llmlab::wire::{Ask, Dialect};
use serde_json::json;

use super::http::{Fixture, question};

fn fault(text: &str) -> StandingFault {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn failing(seed: u64, faults: &[&str]) -> Fixture {
    let faults = faults.iter().map(|text| fault(text)).collect();
    Fixture::new(MockConfig { seed, faults, ..MockConfig::default() })
}

/// The statuses of requests numbered from 0, each asked `times` times.
async fn statuses(fixture: &Fixture, requests: usize, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for number in 0..requests * times {
        let ask = Ask { max_tokens: Some(1), ..Ask::question(format!("Question {}", number / times), 1) };
        statuses.push(fixture.ask(Dialect::OpenAi, &Ask { stream: false, ..ask }).await.status().as_u16());
    }
    statuses
}

#[test]
fn a_fault_reads_back_as_it_is_written() {
    for text in [
        "status=529,retry-after=2,share=0.05",
        "cut,after=3,share=0.01",
        "error,after=5",
        "garbage,after=5",
        "stall=2s,after=5",
        "slow-headers=500ms,share=0.5",
        "close",
    ] {
        assert_eq!(fault(text).to_string(), text);
        assert_eq!(json!(fault(text)), json!(text));
    }
    assert_eq!(fault(" status=503 , share=2.5% ").to_string(), "status=503,share=0.025");
    assert_eq!(fault("cut").what, FaultKind::Cut { after_events: 5 });
}

#[test]
fn what_is_no_fault_is_refused_with_what_would_be_one() {
    for (text, sentence) in [
        ("", "`` is no fault: one of status=CODE"),
        ("cut=3", "`cut=3` is no fault"),
        ("status=200", "expected an HTTP error, 400 to 599"),
        ("status=529,retry-after=soon", "expected a number of seconds"),
        ("stall", "`stall=`: expected a time such as 500ms or 2s"),
        ("stall=-2s", "expected a time"),
        ("stall=9000000000000000000s", "expected a time"),
        ("close,after=3", "`after` is no setting of a close fault: it has share=5%"),
        ("cut,share=0", "expected a share above 0 and up to 100%"),
        ("cut,share=120%", "expected a share above 0 and up to 100%"),
        ("cut,retry-after=1", "`retry-after` is no setting of a cut fault: it has share=5% and after=EVENTS"),
    ] {
        let error = text.parse::<StandingFault>().unwrap_err().to_string();
        assert!(error.contains(sentence), "{text}: {error}");
    }
    let both = vec![fault("close,share=60%"), fault("cut,share=50%")];
    let refused = llmlab::mock::Mock::start(MockConfig { faults: both, ..MockConfig::default() });
    assert!(refused.unwrap_err().to_string().contains("add up to more than 100%"));
}

#[tokio::test]
async fn each_fault_hits_its_share_and_no_request_meets_two() {
    let fixture = failing(7, &["status=529,share=20%", "status=503,share=10%"]);
    let statuses = statuses(&fixture, 300, 1).await;
    let share = |status| statuses.iter().filter(|&&other| other == status).count();
    let (overloaded, unavailable) = (share(529), share(503));
    // Four standard deviations of 300 draws: the seed is fixed, so that this holds or does not
    assert!((32..=88).contains(&overloaded), "{overloaded} of 300 where 60 are expected");
    assert!((9..=51).contains(&unavailable), "{unavailable} of 300 where 30 are expected");
    assert_eq!(share(200) + overloaded + unavailable, 300);
    assert_eq!(fixture.mock.state().failed, (overloaded + unavailable) as u64);
}

#[tokio::test]
async fn a_fate_is_a_function_of_seed_request_and_repetition() {
    let faults = ["status=529,share=50%"];
    let first = statuses(&failing(3, &faults), 10, 4).await;
    assert_eq!(statuses(&failing(3, &faults), 10, 4).await, first);
    assert_ne!(statuses(&failing(4, &faults), 10, 4).await, first);
    // A request that failed may succeed when it is sent again, and the other way round
    assert!(first.chunks(4).any(|same| same[0] == 529 && same.contains(&200)), "{first:?}");
    // And whatever else is asked between changes nothing
    let alone = failing(3, &faults);
    let ask = Ask { stream: false, ..Ask::question("Question 9", 1) };
    let mut last = Vec::new();
    for _ in 0..4 {
        last.push(alone.ask(Dialect::OpenAi, &ask).await.status().as_u16());
    }
    assert_eq!(last, first[36..]);
}

#[tokio::test]
async fn a_draw_decides_where_a_request_says_which_it_is() {
    let fixture = failing(3, &["status=529,share=50%"]);
    let body = Dialect::OpenAi.encode_request(&Ask { stream: false, ..question() });
    let mut statuses = Vec::new();
    for round in 0..32 {
        let request = fixture.client.post(format!("{}/v1/chat/completions", fixture.mock.url()));
        let request = request.body(body.clone()).header(DRAW_HEADER, format!("s/a/{round}/0"));
        statuses.push(request.send().await.unwrap().status().as_u16());
    }
    assert!(statuses.contains(&200) && statuses.contains(&529), "{statuses:?}");
}

#[tokio::test]
async fn what_waits_for_a_request_comes_before_what_stays() {
    let fixture = failing(0, &["status=529"]);
    fixture.mock.inject([FaultKind::Status { status: 503, retry_after_s: None }]);
    assert_eq!(statuses(&fixture, 3, 1).await, [503, 529, 529]);
}
