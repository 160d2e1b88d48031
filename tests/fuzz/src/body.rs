//! Whole bodies: answers, errors and requests, in every dialect.

use llmlab::seed::DrawId;
use llmlab::wire::sse::Decoder;
use llmlab::wire::{
    ApiError, Ask, Block, Content, Dialect, Message, Reply, Script, Serving, StopReason, WireError,
};

/// The body of an answer that is not streamed, or of an HTTP error.
pub fn reply(body: &[u8]) {
    for dialect in Dialect::ALL {
        if let Ok(read) = dialect.decode_reply(body) {
            reply_again(dialect, &read);
        }
    }
    if let Some(error) = Dialect::OpenAi.decode_error(body) {
        error_again(&error);
    }
}

fn reply_again(dialect: Dialect, read: &Reply) {
    let written = dialect.encode_reply(read);
    let shown = || String::from_utf8_lossy(&written).into_owned();
    let again = dialect.decode_reply(&written);
    let again = again.unwrap_or_else(|error| panic!("{dialect} cannot be read again: {error}: {}", shown()));
    let expected = match dialect {
        Dialect::Anthropic | Dialect::Generate => read.clone(),
        Dialect::OpenAi => as_openai(read),
        Dialect::Completions => Reply { stop: read.stop.clone().map(as_openai_says), ..read.clone() },
    };
    assert_eq!(expected, again, "the {dialect} answer (left) is another once written: {}", shown());
}

/// An answer in OpenAI's words, which have one text and no stop sequence.
fn as_openai(read: &Reply) -> Reply {
    let is =
        |wanted: fn(&Content) -> bool| read.content.iter().filter(move |content| wanted(content)).cloned();
    let text = read.text();
    let text = (!text.is_empty()).then(|| Content::Text(text.into()));
    let thinking = is(|content| matches!(content, Content::Thinking { .. }));
    let calls = is(|content| matches!(content, Content::ToolUse { .. }));
    Reply {
        content: thinking.chain(text).chain(calls).collect(),
        stop: read.stop.clone().map(as_openai_says),
        ..read.clone()
    }
}

fn as_openai_says(stop: StopReason) -> StopReason {
    if stop == StopReason::StopSequence { StopReason::EndTurn } else { stop }
}

/// An error is the same whoever writes it and whoever reads it, in a body and in the middle of a stream.
fn error_again(error: &ApiError) {
    for dialect in Dialect::ALL {
        let written = dialect.encode_error(error, "req_1");
        for reader in Dialect::ALL {
            assert_eq!(reader.decode_error(&written).as_ref(), Some(error), "{dialect} read by {reader}");
        }
    }
    for dialect in [Dialect::Anthropic, Dialect::OpenAi, Dialect::Completions] {
        let (mut decoder, mut events) = (dialect.event_decoder(), Vec::new());
        let text = dialect.encode_stream_error(error);
        let read = Decoder::new()
            .push(text.as_bytes(), &mut |frame| decoder.decode(frame.event, frame.data, &mut events));
        assert_eq!(read, Err(WireError::MidStream(error.clone())), "{dialect}: {text}");
    }
}

/// The body of a request, or the value of one of the headers that stand beside it.
pub fn request(body: &[u8]) {
    for dialect in Dialect::ALL {
        if let Ok(ask) = dialect.decode_request(body) {
            request_again(dialect, &ask);
        }
    }
    let Ok(text) = std::str::from_utf8(body) else { return };
    if let Ok(script) = Script::from_header(text) {
        let header = script.to_header();
        assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "no header can carry {header}");
        assert_eq!(Script::from_header(&header).ok(), Some(script), "{header}");
    }
    if let Ok(serving) = Serving::from_header(text) {
        assert_eq!(Serving::from_header(&serving.to_header()).ok(), Some(serving));
    }
    if let Ok(draw) = text.parse::<DrawId>() {
        let header = draw.to_string();
        assert!(header.bytes().all(|byte| byte.is_ascii_graphic()), "no header can carry {header}");
        assert_eq!(header.parse(), Ok(draw), "{header}");
    }
}

fn request_again(dialect: Dialect, ask: &Ask) {
    let written = dialect.encode_request(ask);
    let shown = || String::from_utf8_lossy(&written).into_owned();
    let again = dialect.decode_request(&written);
    let again = again.unwrap_or_else(|error| panic!("{dialect} cannot be read again: {error}: {}", shown()));
    let mut expected = ask.clone();
    match dialect {
        Dialect::Anthropic => {}
        Dialect::OpenAi | Dialect::Completions => expected.include_usage &= ask.stream,
        // What has no temperature has the least.
        Dialect::Generate => expected.temperature = ask.temperature.or(Some(0.0)),
    }
    if dialect == Dialect::OpenAi {
        expected.system = joined(&ask.system);
        expected.messages = with_results_together(expected.messages);
    }
    assert_eq!(expected, again, "the {dialect} request (left) is another once written: {}", shown());
}

/// A system prompt is written as one text.
fn joined(system: &[Block]) -> Vec<Block> {
    let text = |block: &Block| match &block.content {
        Content::Text(text) => text.to_string(),
        other => unreachable!("a system prompt of {other:?}"),
    };
    let texts: Vec<_> = system.iter().map(text).collect();
    if texts.is_empty() { Vec::new() } else { vec![Block::text(texts.join("\n\n"))] }
}

/// The results of tools that follow each other, once no system prompt stands between them, are one turn.
fn with_results_together(messages: Vec<Message>) -> Vec<Message> {
    let is_result = |block: &Block| matches!(block.content, Content::ToolResult { .. });
    let holds_results = |turn: &Message| !turn.content.is_empty() && turn.content.iter().all(is_result);
    let mut together: Vec<Message> = Vec::new();
    for turn in messages {
        match together.last_mut() {
            Some(last) if holds_results(last) && holds_results(&turn) => last.content.extend(turn.content),
            _ => together.push(turn),
        }
    }
    together
}
