//! Streamed answers: framing, decoding, and writing what was decoded.

use std::convert::Infallible;

use eventsource_stream::Eventsource;
use futures::{FutureExt, StreamExt, stream};
use llmlab::wire::sse::{Decoder, Frame};
use llmlab::wire::{BlockKind, ContentKind, Dialect, Event, Reply, Usage, WireError};

use crate::pieces::{self, Numbers};

/// Event types of Anthropic that mean something, so that what is called so is not unknown.
const KNOWN: [&str; 9] = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "ping",
    "error",
    "",
];

/// The longest body that the reference reads: it moves what is left of it after each event.
const MOST_FOR_REFERENCE: usize = 8192;

/// Everything that was understood before the end, or before the error.
#[derive(Debug, PartialEq)]
struct Understood {
    events: Vec<Event>,
    frames: Vec<(String, String, u64)>,
    error: Option<WireError>,
}

fn understand<'a>(dialect: Dialect, pieces: impl IntoIterator<Item = &'a [u8]>) -> Understood {
    let (mut events, mut frames) = (Vec::new(), Vec::new());
    let (mut sse, mut decoder) = (Decoder::new(), dialect.event_decoder());
    let mut sink = |frame: Frame<'_>| {
        frames.push((frame.event.to_owned(), frame.data.to_owned(), frame.end));
        decoder.decode(frame.event, frame.data, &mut events)
    };
    let read = pieces
        .into_iter()
        .try_for_each(|piece| sse.push(piece, &mut sink))
        .and_then(|()| sse.finish(&mut sink))
        .and_then(|()| decoder.finish());
    Understood { events, frames, error: read.err() }
}

/// The body of a streamed answer of Anthropic Messages.
pub fn anthropic(body: &[u8]) {
    let understood = framed(Dialect::Anthropic, body);
    if understood.error.is_none() {
        anthropic_again(&understood.events);
    }
}

/// The body of a streamed answer of OpenAI's chat completions, or of its older completions.
pub fn openai(body: &[u8]) {
    let understood = framed(Dialect::OpenAi, body);
    assert_eq!(understood, understand(Dialect::Completions, [body]), "one decoder serves both dialects");
    if understood.error.is_none() {
        openai_again(&understood.events);
        completions_again(&understood.events);
    }
}

/// What a body means, which no way of cutting it changes.
fn framed(dialect: Dialect, body: &[u8]) -> Understood {
    let whole = understand(dialect, [body]);
    let numbers = &mut Numbers::of(body);
    for pieces in [body.chunks(1).collect(), pieces::some(body, numbers), pieces::small(body, numbers)] {
        let again = understand(dialect, pieces.iter().copied());
        assert_eq!(whole, again, "the body means something else in the pieces {pieces:?}");
    }
    let ends: Vec<_> = whole.frames.iter().map(|frame| frame.2).collect();
    assert!(ends.is_sorted_by(|one, other| one < other) || whole.error.is_some(), "events end at {ends:?}");
    assert!(ends.iter().all(|end| *end <= body.len() as u64), "an event ends beyond the body");
    agrees_with_reference(body);
    // Whatever the events, they can be put together.
    let _ = Reply::from_events(&whole.events);
    whole
}

/// The reference decoder finds the same events. It is wrong about a byte order mark and about an event without its
/// blank line, so the first is left out and the second completed.
fn agrees_with_reference(body: &[u8]) {
    let Ok(text) = std::str::from_utf8(body) else { return };
    if text.contains('\u{feff}') || text.len() > MOST_FOR_REFERENCE {
        return;
    }
    let text = format!("{text}\n\n:the end\n");
    let theirs = stream::iter([Ok::<_, Infallible>(text.as_bytes())])
        .eventsource()
        .map(|event| event.map(|event| (event.event, event.data)))
        .collect::<Vec<_>>()
        .now_or_never()
        .expect("a stream of known pieces never waits");
    let theirs: Vec<_> = theirs.into_iter().collect::<Result<_, _>>().expect("the text is UTF-8");
    let mut ours = Vec::new();
    let mut sink = |frame: Frame<'_>| {
        let name = if frame.event.is_empty() { "message" } else { frame.event };
        ours.push((name.to_owned(), frame.data.to_owned()));
        Ok(())
    };
    Decoder::new().push(text.as_bytes(), &mut sink).expect("the text is UTF-8");
    assert_eq!(ours, theirs, "ours (left) and eventsource-stream's (right)");
}

/// Writes events and reads them again.
fn again(dialect: Dialect, include_usage: bool, events: &[Event]) -> Vec<Event> {
    let mut encoder = dialect.event_encoder(include_usage);
    // What waits for a later event is written before the last one, which says nothing.
    let text: String = events.iter().chain([&Event::Ping]).map(|event| encoder.encode(event)).collect();
    let read = understand(dialect, [text.as_bytes()]);
    assert_eq!(read.error, None, "what {dialect} wrote cannot be read: {text}");
    read.events
}

fn anthropic_again(events: &[Event]) {
    let is_known = |event: &Event| matches!(event, Event::Unknown(kind) if KNOWN.contains(&&**kind));
    if events.iter().any(is_known) {
        return;
    }
    let mut read = again(Dialect::Anthropic, true, events);
    assert_eq!(read.pop(), Some(Event::Ping), "the last event was not read");
    assert_eq!(events, read, "the stream (left) is another once written and read");
}

fn openai_again(events: &[Event]) {
    // A name that comes in pieces is written with the block, when only its first piece is known.
    let mut names = events.iter().filter_map(|event| match event {
        Event::Delta { index, kind: ContentKind::ToolName, text } => Some((index, text.as_str())),
        _ => None,
    });
    let is_named = |index: &usize, said: &str| {
        events.iter().any(|event| matches!(event, Event::BlockStart { index: at, block: BlockKind::Tool { name, .. } } if at == index && name == said))
    };
    if !names.all(|(index, said)| is_named(index, said)) {
        return;
    }
    for include_usage in [true, false] {
        let read = again(Dialect::OpenAi, include_usage, events);
        assert_eq!(without_usage(events), without_usage(&read), "the stream (left) is another once written");
        let is_finished = events.iter().any(|event| matches!(event, Event::Finish(_)));
        let expected = last_usage(events).filter(|_| include_usage && is_finished);
        assert_eq!(last_usage(&read), expected, "the usage (right) is another once written");
    }
}

/// The events but for those of usage, and with the reasons to stop that OpenAI can say.
fn without_usage(events: &[Event]) -> Vec<Event> {
    let said = |event: &Event| match event {
        Event::Finish(llmlab::wire::StopReason::StopSequence) => {
            Event::Finish(llmlab::wire::StopReason::EndTurn)
        }
        event => event.clone(),
    };
    events.iter().filter(|event| !matches!(event, Event::Usage(_))).map(said).collect()
}

fn last_usage(events: &[Event]) -> Option<Usage> {
    events.iter().rev().find_map(|event| if let Event::Usage(usage) = event { Some(**usage) } else { None })
}

/// Completions can say text alone, and say all of it.
fn completions_again(events: &[Event]) {
    let read = again(Dialect::Completions, true, events);
    assert_eq!(text(events), text(&read), "the text (left) is another once written");
}

fn text(events: &[Event]) -> String {
    let pieces = events.iter().filter_map(|event| match event {
        Event::Delta { kind: ContentKind::Text | ContentKind::Refusal, text, .. } => Some(text.as_str()),
        _ => None,
    });
    pieces.collect()
}
