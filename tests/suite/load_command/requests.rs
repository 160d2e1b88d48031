//! What a load sends.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use llmlab::mock::Mock;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{MockServer, ResponseTemplate};

use super::{Lab, generate, mock, openai, serving};
use crate::support::Ran;

#[test]
fn the_warm_up_is_sent_beside_what_is_measured() {
    for compat in [&[][..], &["--compat"]] {
        let (lab, mock) = (Lab::new(), mock());
        let args = [&["--requests", "7", "--warmup", "4", "--raw", "raw.jsonl"], compat].concat();
        let found = lab.found(&generate(&mock), &args);
        assert_eq!((&found["total_requests"], mock.state().requests["generate"]), (&json!(7), 11));
        // And each request that is measured has a record
        let numbers: BTreeSet<_> =
            lab.lines("raw.jsonl").iter().map(|record| record["step"].as_u64()).collect();
        assert_eq!(numbers, (0..7).map(Some).collect());
    }
}

#[test]
fn no_more_requests_are_under_way_than_were_allowed() {
    let most = |endpoint: &dyn Fn(&Mock) -> String, args: &[&str]| {
        let mock = serving(64, 30);
        let found = Lab::new().found(&endpoint(&mock), args);
        assert_eq!(found["successful_requests"], found["total_requests"]);
        mock.state().in_flight_max
    };
    let closed = ["--concurrency", "20", "--requests", "200", "--max-tokens", "4"];
    assert_eq!(most(&generate, &closed), 20);
    let open = ["--concurrency", "8", "--rate", "1000", "--requests", "60", "--max-tokens", "4"];
    assert_eq!(most(&openai, &open), 8);
}

#[test]
fn the_compatible_order_hits_an_ideal_cache_as_often_as_it_can() {
    let mock = mock();
    let found =
        Lab::new().found(&generate(&mock), &["--compat", "--repeat-ratio", "0.5", "--requests", "100"]);
    // Of what can hit, only what is asked twice at once may miss
    assert_eq!(found["cache"]["ideal_hit_rate"], 0.5);
    let rate = found["cache_hit_rate"].as_f64().unwrap();
    assert!((0.48..=0.50).contains(&rate), "{rate}");
}

#[test]
fn a_warmed_cache_knows_every_prompt_that_repeats() {
    let mock = mock();
    let args = ["--warm-cache", "--repeat-ratio", "0.4", "--requests", "20", "--warmup", "0"];
    let found = Lab::new().found(&generate(&mock), &args);
    assert_eq!((&found["cache_hit_rate"], &found["cache"]["ideal_hit_rate"]), (&json!(0.4), &json!(0.4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_is_the_documents_and_what_an_answer_lacks_is_no_error() {
    // Given a server that says nothing but a text
    let server = MockServer::start().await;
    let says = ResponseTemplate::new(200).set_body_json(json!({"text": "Hello there."}));
    wiremock::Mock::given(method("POST")).and(path("/generate")).respond_with(says).mount(&server).await;
    // When it is asked twice over
    let url = format!("{}/generate", server.uri());
    let mut prompts = Vec::new();
    for _ in 0..2 {
        let found = Lab::new().found(&url, &["--requests", "9", "--concurrency", "1", "--max-tokens", "40"]);
        assert_eq!((&found["cache_hit_rate"], &found["output_tokens"]), (&json!(0.0), &json!(27)));
        assert_eq!(found["provenance"]["mode"], "live");
        let received = server.received_requests().await.unwrap();
        let bodies: Vec<Value> = received
            .iter()
            .filter(|request| request.method.as_str() == "POST")
            .map(|request| serde_json::from_slice(&request.body).unwrap())
            .collect();
        // Then each body holds the three keys and no others
        for body in &bodies {
            assert_eq!(*body, json!({"prompt": body["prompt"], "max_tokens": 40, "temperature": 0.0}));
        }
        prompts.push(bodies.into_iter().map(|body| body["prompt"].clone()).collect::<Vec<_>>());
        server.reset().await;
        let says = ResponseTemplate::new(200).set_body_json(json!({"text": "Hello there."}));
        wiremock::Mock::given(method("POST")).and(path("/generate")).respond_with(says).mount(&server).await;
    }
    // And two runs ask the same in the same order
    assert_eq!(prompts[0], prompts[1]);
    assert_eq!(prompts[0].len(), 14);
}

#[test]
fn prompts_of_a_file_are_asked_in_turn_each_with_its_own_length() {
    let (lab, mock) = (Lab::new(), mock());
    lab.write(
        "prompts.jsonl",
        "{\"prompt\": \"One?\", \"max_tokens\": 3, \"id\": 7}\n\n{\"prompt\": \"Two?\"}\n",
    );
    let args = ["--prompts", "prompts.jsonl", "--requests", "4", "--concurrency", "1", "--warmup", "0"];
    let found = lab.found(&openai(&mock), &args);
    assert_eq!((&found["cache"]["ideal_hit_rate"], &found["total_requests"]), (&json!(0.5), &json!(4)));
    let asked: Vec<_> = mock.requests().iter().map(|request| request.max_tokens).collect();
    assert_eq!(asked, [Some(3), Some(100), Some(3), Some(100)]);
}

#[test]
fn a_trace_is_sent_with_its_lengths_at_its_times() {
    let traces = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/traces");
    let cases = [
        ("mooncake.jsonl", vec![(1100, 20), (1200, 8), (600, 12), (1030, 4)], 400.0),
        ("azure.csv", vec![(374, 44), (396, 10), (879, 5)], 251.0),
        ("burstgpt.csv", vec![(472, 18), (1087, 30), (136, 6)], 500.0),
    ];
    for (name, lengths, last) in cases {
        let mock = mock();
        let trace = traces.join(name);
        let args = ["--trace", trace.to_str().unwrap(), "--time-scale", "2", "--warmup", "0"];
        let found = Lab::new().found(&openai(&mock), &args);
        let of = |request: &llmlab::mock::ReceivedRequest| {
            (request.usage.unwrap().input.unwrap(), request.max_tokens.unwrap())
        };
        let mut asked: Vec<_> = mock.requests().iter().map(of).collect();
        asked.sort_unstable();
        let mut expected = lengths.clone();
        expected.sort_unstable();
        for ((input, output), (wanted, most)) in asked.iter().zip(&expected) {
            assert!(
                (*wanted..wanted + 20).contains(input) && output == most,
                "{name}: {asked:?} for {expected:?}"
            );
        }
        // A rate of so many in the doubled time, the last of which ends no earlier than it begins
        let offered = (lengths.len() - 1) as f64 / (2.0 * last / 1e3);
        assert!((found["offered_requests_per_sec"].as_f64().unwrap() / offered - 1.0).abs() < 0.01, "{name}");
        assert!(found["total_time_sec"].as_f64().unwrap() >= 2.0 * last / 1e3, "{name}");
    }
}

#[test]
fn the_endpoint_may_be_a_target_and_its_path_any() {
    // Given the session's own mock
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
    command.args(["load", "--target", "mock", "--dialect", "openai", "--requests", "5", "--json"]);
    let ran = Ran::of(command.output().unwrap());
    let found: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr));
    assert_eq!((&found["dialect"], &found["provenance"]["model"]), (&json!("openai"), &json!("gpt-4o")));
    // Given a path of its own: what is posted goes there, and nowhere else
    let mock = mock();
    let elsewhere = format!("{}/api/infer", mock.url());
    let ran = Lab::new().load(&elsewhere, &["--dialect", "generate", "--requests", "2", "--warmup", "0"]);
    assert!(
        ran.code == Some(2) && ran.stdout.contains("HTTP 404") && ran.stdout.contains("--dialect"),
        "{}\n{}",
        ran.stdout,
        ran.stderr
    );
}
