//! The figures of an export against a server that does what is written here, and shares no code with the client.

use std::time::Duration;

use llmlab::stats::{median, sorted};
use serde_json::Value;

use super::{Lab, numbers};
use crate::support::{LAST_CHUNK, RawServer, Step, chunk, stream_head};

/// Milliseconds from the request to the head of the answer, and to the first event, which has no content.
const HEAD: u64 = 50;
const ROLE: u64 = 100;
/// To each of the ten tokens: there is half a second of silence in the middle.
const TOKENS: [u64; 10] = [200, 220, 240, 260, 280, 780, 800, 820, 840, 860];
/// How much later than the truth the best of all values may be, on a machine that does other things as well.
const LATE: f64 = 45.0;

/// The answer of a server that says `role` first, each token in its own event, and `end` with the last.
fn answer(role: &str, token: impl Fn(usize) -> String, end: &str) -> Vec<Step> {
    let mut steps = vec![pause(0, HEAD), Step::Write(stream_head())];
    steps.extend([pause(HEAD, ROLE), Step::Write(chunk(role))]);
    let mut before = ROLE;
    for (index, &at) in TOKENS.iter().enumerate() {
        steps.push(pause(before, at));
        let last = index + 1 == TOKENS.len();
        steps.push(Step::Write(
            chunk(&token(index)) + &if last { chunk(end) + LAST_CHUNK } else { String::new() },
        ));
        before = at;
    }
    steps
}

fn pause(from: u64, to: u64) -> Step {
    Step::Pause(Duration::from_millis(to - from))
}

fn openai() -> Vec<Step> {
    let delta = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let role = delta(r#"{"role":"assistant","content":""}"#, "null");
    let usage = r#"data: {"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":10,"total_tokens":19}}"#;
    let end = format!("{}{usage}\n\ndata: [DONE]\n\n", delta("{}", "\"stop\""));
    answer(&role, |index| delta(&format!("{{\"content\":\"t{index} \"}}"), "null"), &end)
}

fn anthropic() -> Vec<Step> {
    let event = |name: &str, rest: &str| format!("event: {name}\ndata: {{\"type\":\"{name}\"{rest}}}\n\n");
    let start = r#","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":9,"output_tokens":1}}"#;
    let block = r#","index":0,"content_block":{"type":"text","text":""}"#;
    let role = event("message_start", start) + &event("content_block_start", block);
    let text = |index: usize| {
        event(
            "content_block_delta",
            &format!(r#","index":0,"delta":{{"type":"text_delta","text":"t{index} "}}"#),
        )
    };
    let usage = r#","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":10}"#;
    let end = event("content_block_stop", r#","index":0"#)
        + &event("message_delta", usage)
        + &event("message_stop", "");
    answer(&role, text, &end)
}

/// Profiles a server that answers so, and holds every figure to it.
fn holds(dialect: &str, script: fn() -> Vec<Step>) {
    let server = RawServer::start(move |_| script());
    let lab = Lab::new();
    let target = format!("{dialect}+{}", server.url());
    let args = [
        "profile",
        "latency",
        "--target",
        &target,
        "--iterations",
        "6",
        "--warmup",
        "1",
        "--export",
        "l.json",
    ];
    let ran = lab.run(&args);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(server.requests().len(), 7);
    let export = lab.json("l.json");
    let measurements = &export["measurements"];
    assert_eq!(measurements.as_array().map(Vec::len), Some(6));
    // What can only be late is never early, and at its best not late
    let last = TOKENS[TOKENS.len() - 1];
    for (field, truth) in [("ttfb_ms", HEAD), ("ttft_ms", TOKENS[0]), ("total_ms", last)] {
        let values = sorted(&numbers(measurements, field));
        assert!(
            values[0] >= truth as f64 && values[0] <= truth as f64 + LATE,
            "{field} of {truth}: {values:?}"
        );
    }
    // What is a difference of two times may be off either way
    let middle = |field: &str| median(&sorted(&numbers(measurements, field))).expect("values");
    let close = |field: &str, truth: f64, off: f64| {
        assert!((middle(field) - truth).abs() <= off, "{field} of {truth}: {}", middle(field));
    };
    close("max_gap_ms", 500.0, 100.0);
    close("stream_ms", (last - HEAD) as f64, 100.0);
    close("decode_tps", 9.0 / 0.66, 2.5);
    close("e2e_tps", 10.0 / 0.86, 2.0);
    close("tokens_per_second", 10.0 / 0.86, 2.0);
    for (field, truth) in [("tokens_generated", 10.0), ("stalls", 1.0), ("input_tokens", 9.0)] {
        assert!(
            numbers(measurements, field).iter().all(|value| *value == truth),
            "{field}: {measurements:#}"
        );
    }
    for one in measurements.as_array().expect("measurements") {
        assert_eq!(
            (&one["success"], &one["error"], &one["token_source"]),
            (&true.into(), &Value::Null, &"usage".into())
        );
        assert_eq!(one["network_ms"], one["stream_ms"], "the old name");
        assert_eq!(one["connect_ms"], Value::Null, "the warm-up opened the connection");
    }
    assert_eq!(export["provenance"]["mode"], "live");
    assert_eq!(export["provenance"]["dialect"], dialect);
}

#[test]
fn every_figure_of_an_openai_stream_is_that_of_the_server() {
    holds("openai", openai);
}

#[test]
fn every_figure_of_an_anthropic_stream_is_that_of_the_server() {
    holds("anthropic", anthropic);
}
