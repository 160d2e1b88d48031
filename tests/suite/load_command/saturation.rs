//! What a load says of a target that is offered more than it serves.

use llmlab::mock::FaultKind;
use serde_json::{Value, json};

use super::{Lab, openai, serving};

#[test]
fn at_twice_the_capacity_the_wait_grows_the_service_does_not_and_both_are_named() {
    // Given a target that serves 80 requests a second, eight at once
    let mock = serving(8, 100);
    // When twice as many come
    let open = ["--rate", "160", "--concurrency", "8", "--duration", "2.5s", "--arrivals", "constant"];
    let found = Lab::new().found(&openai(&mock), &open);
    // Then what a user waits grows from third to third, and what the target takes does not
    let third = |at: usize, key: &str| found["thirds"][at][key].as_f64().unwrap();
    let grew = |key: &str| third(2, key) / third(0, key);
    assert!(
        grew("response_p50_ms") >= 2.0 && (0.8..1.2).contains(&grew("service_p50_ms")),
        "{}",
        found["thirds"]
    );
    // And the report says which is which, and why
    let saturation = &found["saturation"];
    assert!(saturation["limits"].as_array().unwrap().contains(&json!("target")), "{saturation}");
    let said = saturation["sentences"][0].as_str().unwrap();
    for word in [
        "The target is saturated at 8 requests at once",
        "160.",
        "median response time",
        "once sent",
        "median service time",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    // And a closed loop of the same size shows none of it
    let closed = Lab::new().found(&openai(&mock), &["--concurrency", "8", "--duration", "1s"]);
    let p99 = |found: &Value| found["latencies_ms"]["response_time"]["p99"].as_f64().unwrap();
    assert!(p99(&found) > 2.0 * p99(&closed), "{} {}", p99(&found), p99(&closed));
    assert_eq!(closed["saturation"]["judged"], false);
}

#[test]
fn a_rate_below_the_capacity_saturates_no_target() {
    let mock = serving(8, 50);
    let args = ["--rate", "40", "--requests", "60", "--arrivals", "constant"];
    let found = Lab::new().found(&openai(&mock), &args);
    let saturation = &found["saturation"];
    assert_eq!(saturation["judged"], true);
    assert!(!saturation["limits"].as_array().unwrap().contains(&json!("target")), "{saturation}");
}

#[test]
fn workers_that_join_show_from_when_on_they_bring_nothing() {
    // Given a target that serves four at once
    let mock = serving(4, 50);
    let args = ["--concurrency", "24", "--ramp", "1.5s", "--duration", "3s"];
    let found = Lab::new().found(&openai(&mock), &args);
    assert!(
        found["saturation"]["limits"].as_array().unwrap().contains(&json!("workers")),
        "{}",
        found["saturation"]
    );
    // And one that serves them all
    let mock = serving(64, 50);
    let found = Lab::new().found(&openai(&mock), &args);
    assert!(
        !found["saturation"]["limits"].as_array().unwrap().contains(&json!("workers")),
        "{}",
        found["saturation"]
    );
}

#[test]
fn a_target_that_refuses_does_not_serve_what_it_is_offered() {
    // Given a target that refuses a third of the requests, and answers the others as quickly as ever
    let mock = serving(64, 20);
    let refusal = || FaultKind::Status { status: 429, retry_after_s: None };
    mock.inject((0..20).map(|_| refusal()));
    let found = Lab::new().found(&openai(&mock), &["--rate", "100", "--requests", "60", "--warmup", "0"]);
    let saturation = &found["saturation"];
    assert!(saturation["limits"].as_array().unwrap().contains(&json!("target")), "{saturation}");
    let said = saturation["sentences"][0].as_str().unwrap();
    assert!(said.contains("20 of 60 requests failed"), "{said}");
}
