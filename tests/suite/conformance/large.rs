//! Events of a megabyte, made here rather than kept in files.

use llmlab::wire::{Dialect, StopReason};
use serde_json::{Value, json};

use super::all_conform;
use super::carrier::Carrier;
use super::corpus::{Fixture, ends_of_events};
use super::stated::{Figures, Stated};

/// Characters of two bytes in the large event, so that reads cut some of them in two.
const CHARACTERS: usize = 512 * 1024;

fn openai() -> (Vec<String>, Value) {
    let large = "é".repeat(CHARACTERS);
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let chunk = json!({"id": "c1", "model": "m", "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let usage = json!({"id": "c1", "model": "m", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3}});
    let events = vec![
        chunk(json!({"role": "assistant", "content": ""}), Value::Null),
        chunk(json!({"content": large}), Value::Null),
        chunk(json!({"content": "!"}), Value::Null),
        chunk(json!({}), json!("stop")),
        format!("data: {usage}\n\n"),
        "data: [DONE]\n\n".into(),
    ];
    let expected = json!({
        "id": "c1", "model": "m", "stop": "end_turn", "usage": {"input": 9, "output": 3},
        "content": [{"text": large.clone() + "!"}],
        "events": ["start", "block 0 text", format!("+ 0 Text {large:?}"), "+ 0 Text \"!\"", "stop 0",
            "finish \"end_turn\"", "usage {\"input\":9,\"output\":3}", "done"],
    });
    (events, expected)
}

fn anthropic() -> (Vec<String>, Value) {
    let large = "é".repeat(CHARACTERS);
    let event = |kind: &str, rest: Value| {
        let mut body = rest;
        body["type"] = kind.into();
        format!("event: {kind}\ndata: {body}\n\n")
    };
    let delta = |text: &str| {
        event("content_block_delta", json!({"index": 0, "delta": {"type": "text_delta", "text": text}}))
    };
    let message = json!({"id": "m1", "model": "m", "usage": {"input_tokens": 9, "output_tokens": 1}});
    let block = json!({"index": 0, "content_block": {"type": "text", "text": ""}});
    let stop = json!({"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}});
    let events = vec![
        event("message_start", json!({"message": message})) + &event("content_block_start", block),
        delta(&large),
        delta("!"),
        event("content_block_stop", json!({"index": 0})),
        event("message_delta", stop),
        event("message_stop", json!({})),
    ];
    let expected = json!({
        "id": "m1", "model": "m", "stop": "end_turn", "usage": {"input": 9, "output": 3},
        "content": [{"text": large.clone() + "!"}],
        "events": ["start", "usage {\"input\":9,\"output\":1}", "block 0 text", format!("+ 0 Text {large:?}"),
            "+ 0 Text \"!\"", "stop 0", "usage {\"input\":9,\"output\":3}", "finish \"end_turn\"", "done"],
    });
    (events, expected)
}

/// A case whose second event comes in four pieces, the last of which is small.
fn case(dialect: Dialect, (events, expected): (Vec<String>, Value)) -> Fixture {
    let body = events.concat().into_bytes();
    let (first, second) = (events[0].len(), events[1].len());
    let within = [first, first + 400_001, first + 800_003, first + second - 100];
    let after = ends_of_events(&body).into_iter().filter(|&end| end >= first + second);
    let cuts: Vec<_> = within.into_iter().chain(after).collect();
    let figures = Figures {
        content: vec![5, 6],
        ttfb: 0,
        ttft: Some(5),
        ttfot: Some(5),
        ttf_tool: None,
        ttst: Some([5, 6]),
        total: Some(6),
        max_gap: Some([5, 6]),
        tpot: Some(super::stated::Rate { from: 5, to: 6, tokens: 2 }),
        gaps: 1,
        coalesced: 0,
        stalls: 0,
        single_read: false,
        reasoning_hidden: false,
        tokens: Some(3),
        token_source: Some(llmlab::timeline::TokenSource::Usage),
        cached_share: None,
        stop: Some(StopReason::EndTurn),
    };
    let pieces = cuts.len();
    let stated = Stated { cuts: Some(cuts), stall_before: None, pieces, error: None, answer: Some(figures) };
    Fixture { name: format!("{dialect:?}-megabyte"), dialect, streamed: true, body, expected, stated }
}

#[tokio::test]
async fn an_event_of_a_megabyte_is_stamped_when_it_is_complete() {
    let carriers = [
        Carrier::Chunked,
        Carrier::Length,
        Carrier::Close,
        Carrier::Trailers,
        Carrier::Informational,
        Carrier::Tls,
        Carrier::Http2,
    ];
    for carrier in carriers {
        let cases = vec![case(Dialect::OpenAi, openai()), case(Dialect::Anthropic, anthropic())];
        all_conform(cases, carrier).await;
    }
}

#[tokio::test]
async fn an_event_of_a_megabyte_that_came_compressed_is_stamped_when_it_is_complete() {
    let cases = vec![case(Dialect::OpenAi, openai()), case(Dialect::Anthropic, anthropic())];
    all_conform(cases, Carrier::Gzip).await;
}
