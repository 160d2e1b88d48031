//! What a scripted model says.

use http::{HeaderMap, HeaderValue};
use llmlab::mock::{Mock, MockConfig};
use llmlab::wire::{Ask, Content, Dialect, SCRIPT_HEADER, Script, ScriptedCall, StopReason};
use serde_json::json;

use crate::support;

/// The reply to a question that goes with a script.
async fn said(dialect: Dialect, script: &Script, stream: bool, max_tokens: u32) -> llmlab::wire::Reply {
    let mock = Mock::start(MockConfig::default()).expect("the mock starts");
    let ask = Ask { stream, ..Ask::question("Go on", max_tokens) };
    let headers = HeaderMap::from_iter([(
        SCRIPT_HEADER.parse().expect("a name"),
        HeaderValue::try_from(script.to_header()).expect("ASCII"),
    )]);
    let client = support::client(dialect, &mock.url());
    let exchange = client.send(&ask, std::time::Instant::now(), &headers).await;
    exchange.outcome.expect("an answer").reply
}

#[tokio::test]
async fn a_scripted_model_calls_several_tools_in_one_turn() {
    let call = |name: &str| ScriptedCall { name: name.into(), input: json!({ "q": name }) };
    let script =
        Script { text: "Let me look.".into(), calls: vec![call("a"), call("b")], ..Script::default() };
    for dialect in [Dialect::Anthropic, Dialect::OpenAi] {
        for stream in [true, false] {
            let reply = said(dialect, &script, stream, 200).await;
            let calls: Vec<_> = reply
                .content
                .iter()
                .filter_map(|content| match content {
                    Content::ToolUse { name, input, .. } => {
                        Some((name.as_str(), input["q"].as_str().unwrap()))
                    }
                    _ => None,
                })
                .collect();
            assert_eq!(calls, [("a", "a"), ("b", "b")], "{dialect} {stream}");
            assert_eq!(reply.text(), "Let me look.");
            assert_eq!(reply.stop, Some(StopReason::ToolUse));
        }
    }
}

#[tokio::test]
async fn a_scripted_text_is_filled_up_to_its_tokens_and_cut_at_the_limit() {
    let script = Script { thinking: 10, ..Script::text("The answer is 36.", 40) };
    let reply = said(Dialect::Anthropic, &script, true, 200).await;
    assert!(reply.text().starts_with("The answer is 36. "), "{}", reply.text());
    assert_eq!((reply.usage.output, reply.stop), (Some(50), Some(StopReason::EndTurn)));
    let cut = said(Dialect::Anthropic, &script, true, 12).await;
    assert_eq!((cut.text().as_str(), cut.usage.output), ("The answ", Some(12)));
    assert_eq!(cut.stop, Some(StopReason::MaxTokens));
}

#[tokio::test]
async fn a_script_that_is_none_is_refused() {
    let mock = Mock::start(MockConfig::default()).unwrap();
    let headers = HeaderMap::from_iter([(SCRIPT_HEADER.parse().unwrap(), HeaderValue::from_static("{"))]);
    let client = support::client(Dialect::OpenAi, &mock.url());
    let exchange = client.send(&support::question(), std::time::Instant::now(), &headers).await;
    assert_eq!(exchange.status, Some(400));
}
