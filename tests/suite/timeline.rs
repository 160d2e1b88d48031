//! What a timeline's stamps say: every metric's edge rule, from stamps that are made up and never slept for.

use std::time::{Duration, Instant};

use llmlab::metric::Metric;
use llmlab::timeline::{Stamped, Timeline, TokenCount, TokenSource};
use llmlab::wire::{BlockKind, ContentKind, Event, StopReason, Usage};
use proptest::prelude::*;

/// An exchange under construction. Times are milliseconds from the first written byte.
struct Exchange(Timeline);

impl Exchange {
    /// A streamed answer whose headers came at 5 ms, and whose start was intended 2 ms before it was sent.
    fn streamed() -> Self {
        let intended = Instant::now();
        let send = intended + Duration::from_millis(2);
        Self(Timeline {
            intended,
            send,
            headers: Some(send + Duration::from_millis(5)),
            first_byte: Some(send + Duration::from_millis(6)),
            events: Vec::new(),
            end: send + Duration::from_millis(6),
            streamed: true,
        })
    }

    /// The same answer as one body, complete at `ms`.
    fn unstreamed(ms: u64) -> Timeline {
        Self::streamed().end(ms).tap(|timeline| timeline.streamed = false)
    }

    /// An event that completed at `ms`, in a read of its own.
    fn at(self, ms: u64, event: Event) -> Self {
        let read = self.0.events.last().map_or(0, |stamped| stamped.read + 1);
        self.in_read(read, ms, event)
    }

    /// An event that came with the one before it.
    fn along(self, event: Event) -> Self {
        let last = self.0.events.last().expect("an event to come along with");
        let (read, ms) = (last.read, last.at.duration_since(self.0.send).as_millis() as u64);
        self.in_read(read, ms, event)
    }

    fn in_read(mut self, read: u32, ms: u64, event: Event) -> Self {
        let at = self.0.send + Duration::from_millis(ms);
        self.0.events.push(Stamped { at, read, event });
        self.0.end = at;
        self
    }

    /// Closes the stream at `ms`.
    fn end(mut self, ms: u64) -> Timeline {
        self.0.end = self.0.send + Duration::from_millis(ms);
        self.0
    }

    /// Closes the stream with its last event.
    fn done(self) -> Timeline {
        self.along(Event::Done).0
    }
}

trait Tap: Sized {
    fn tap(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Tap for Timeline {}

fn start() -> Event {
    Event::Start { id: "msg_1".into(), model: "m".into() }
}

fn delta(kind: ContentKind, text: &str) -> Event {
    Event::Delta { index: 0, kind, text: text.into() }
}

fn text(text: &str) -> Event {
    delta(ContentKind::Text, text)
}

fn thinking(text: &str) -> Event {
    delta(ContentKind::Thinking, text)
}

fn usage(output: u64, reasoning: Option<u64>) -> Usage {
    Usage { output: Some(output), reasoning, ..Usage::default() }
}

fn tokens(output: u64) -> TokenCount {
    TokenCount { output: Some(output), source: Some(TokenSource::Usage) }
}

/// The value of a time in milliseconds.
fn ms(timeline: &Timeline, metric: Metric) -> Option<f64> {
    timeline.values(&tokens(11)).get(&metric).map(|nanoseconds| nanoseconds / 1e6)
}

/// Three pieces of text at 200, 300 and 700 ms; the terminal event at 720 ms.
fn three_pieces() -> Timeline {
    Exchange::streamed()
        .at(10, start())
        .at(200, text("a"))
        .at(300, text("b"))
        .at(700, text("c"))
        .at(720, Event::Done)
        .end(730)
}

#[test]
fn ttft_is_the_first_text_not_message_start_or_ping() {
    let timeline = Exchange::streamed()
        .at(10, start())
        .at(30, Event::Ping)
        .at(200, text("Hello"))
        .at(210, text("!"))
        .done();
    assert_eq!(ms(&timeline, Metric::TTFT), Some(200.0));
}

#[test]
fn role_empty_signature_and_block_events_are_not_content() {
    let timeline = Exchange::streamed()
        .at(10, start())
        .at(20, text(""))
        .at(30, Event::BlockStart { index: 0, block: BlockKind::Text })
        .at(40, Event::Signature { index: 0, signature: "c2ln".into() })
        .at(50, Event::Unknown("vendor_extra".into()))
        .at(200, text("Hello"))
        .at(300, Event::BlockStop { index: 0 })
        .at(310, Event::Finish(StopReason::EndTurn))
        .at(320, Event::Usage(Box::new(usage(2, None))))
        .done();
    assert_eq!(ms(&timeline, Metric::TTFT), Some(200.0));
    assert_eq!(ms(&timeline, Metric::TOTAL), Some(200.0));
    assert_eq!(timeline.gaps(), [0.0; 0]);
}

#[test]
fn ttft_is_absent_without_content_never_zero() {
    let timeline = Exchange::streamed().at(10, start()).at(20, Event::Finish(StopReason::EndTurn)).done();
    let values = timeline.values(&tokens(0));
    let present: Vec<&str> = values.keys().map(Metric::name).collect();
    assert_eq!(present, ["send_lag", "stream_close", "ttfb"]);
}

#[test]
fn ttfb_is_the_headers_and_absent_without_them() {
    assert_eq!(ms(&three_pieces(), Metric::TTFB), Some(5.0));
    assert_eq!(ms(&three_pieces().tap(|timeline| timeline.headers = None), Metric::TTFB), None);
}

#[test]
fn ttfot_skips_thinking() {
    let timeline = Exchange::streamed().at(100, thinking("Hm")).at(400, text("Yes")).done();
    assert_eq!(ms(&timeline, Metric::TTFT), Some(100.0));
    assert_eq!(ms(&timeline, Metric::TTFOT), Some(400.0));
    assert_eq!(ms(&timeline, Metric::PERCEIVED), Some(400.0));
    assert!(!timeline.reasoning_hidden());
}

#[test]
fn a_tool_call_and_a_refusal_are_visible_output() {
    for kind in [ContentKind::ToolName, ContentKind::ToolArguments, ContentKind::Refusal] {
        let timeline = Exchange::streamed().at(100, thinking("Hm")).at(150, delta(kind, "x")).done();
        assert_eq!(ms(&timeline, Metric::TTFOT), Some(150.0), "{kind:?}");
    }
}

#[test]
fn hidden_thinking_is_noticed_and_ttft_equals_ttfot() {
    let hints = [
        Event::BlockStart { index: 0, block: BlockKind::Thinking },
        Event::Signature { index: 0, signature: "c2ln".into() },
        Event::Usage(Box::new(usage(50, Some(40)))),
    ];
    for hint in hints {
        let timeline = Exchange::streamed().at(20, hint).at(900, text("Yes")).done();
        assert!(timeline.reasoning_hidden());
        assert_eq!(ms(&timeline, Metric::TTFT), Some(900.0));
        assert_eq!(ms(&timeline, Metric::TTFOT), Some(900.0));
    }
    assert!(!three_pieces().reasoning_hidden());
}

#[test]
fn ttf_tool_is_the_end_of_the_first_tool_block() {
    let tool = BlockKind::Tool { id: "call_1".into(), name: "search".into() };
    let arguments =
        |text: &str| Event::Delta { index: 1, kind: ContentKind::ToolArguments, text: text.into() };
    let timeline = Exchange::streamed()
        .at(100, text("Let me look"))
        .at(110, Event::BlockStop { index: 0 })
        .at(120, Event::BlockStart { index: 1, block: tool })
        .at(200, arguments("{"))
        .at(300, arguments("}"))
        .at(310, Event::BlockStop { index: 1 })
        .done();
    assert_eq!(ms(&timeline, Metric::TTF_TOOL), Some(310.0));
    assert_eq!(ms(&three_pieces(), Metric::TTF_TOOL), None);
}

#[test]
fn ttf_tool_does_not_need_a_block_start() {
    let timeline = Exchange::streamed()
        .at(100, delta(ContentKind::ToolName, "search"))
        .at(200, Event::BlockStop { index: 0 })
        .done();
    assert_eq!(ms(&timeline, Metric::TTF_TOOL), Some(200.0));
}

#[test]
fn ttst_needs_two_content_events() {
    assert_eq!(ms(&three_pieces(), Metric::TTST), Some(100.0));
    assert_eq!(ms(&Exchange::streamed().at(200, text("a")).done(), Metric::TTST), None);
}

#[test]
fn total_ends_with_the_last_content_and_stream_close_with_the_last_read() {
    assert_eq!(ms(&three_pieces(), Metric::TOTAL), Some(700.0));
    assert_eq!(ms(&three_pieces(), Metric::STREAM_CLOSE), Some(730.0));
}

#[test]
fn response_times_run_from_the_intended_start() {
    let timeline = three_pieces();
    assert_eq!(ms(&timeline, Metric::RESPONSE_TIME), Some(702.0));
    assert_eq!(ms(&timeline, Metric::TTFT_RESPONSE), Some(202.0));
    assert_eq!(ms(&timeline, Metric::SEND_LAG), Some(2.0));
}

#[test]
fn an_unstreamed_answer_has_a_total_and_no_first_token() {
    let timeline = Exchange::unstreamed(800);
    for metric in [Metric::TOTAL, Metric::PERCEIVED, Metric::STREAM_CLOSE] {
        assert_eq!(ms(&timeline, metric), Some(800.0));
    }
    assert_eq!(ms(&timeline, Metric::RESPONSE_TIME), Some(802.0));
    let absent = [
        Metric::TTFT,
        Metric::TTFOT,
        Metric::TTFT_RESPONSE,
        Metric::TTST,
        Metric::TTF_TOOL,
        Metric::TPOT,
        Metric::MAX_GAP,
    ];
    for metric in absent {
        assert_eq!(ms(&timeline, metric.clone()), None, "{metric}");
    }
    assert_eq!(timeline.decode_tps(&tokens(40)), None);
    assert_eq!(timeline.e2e_tps(&tokens(40)), Some(50.0));
}

#[test]
fn tpot_spreads_the_time_after_the_first_token_over_the_others() {
    let timeline = three_pieces();
    assert_eq!(ms(&timeline, Metric::TPOT), Some(50.0));
    assert_eq!(timeline.decode_tps(&tokens(11)), Some(20.0));
    assert_eq!(timeline.e2e_tps(&tokens(14)), Some(20.0));
}

#[test]
fn tpot_is_absent_for_one_token_for_none_and_for_an_unknown_number() {
    let timeline = three_pieces();
    for count in [tokens(1), tokens(0), TokenCount::default()] {
        assert!(!timeline.values(&count).contains_key(&Metric::TPOT));
        assert_eq!(timeline.decode_tps(&count), None);
    }
    assert_eq!(timeline.e2e_tps(&tokens(0)), None);
}

#[test]
fn content_of_one_read_has_no_decode_speed() {
    let timeline =
        Exchange::streamed().at(10, start()).at(800, text("a")).along(text("b")).along(text("c")).done();
    assert!(timeline.single_read());
    assert_eq!(timeline.coalesced(), 2);
    assert_eq!(ms(&timeline, Metric::TPOT), None);
    assert_eq!(timeline.decode_tps(&tokens(11)), None);
    assert_eq!(timeline.e2e_tps(&tokens(8)), Some(10.0));
    assert_eq!((ms(&timeline, Metric::TTST), ms(&timeline, Metric::MAX_GAP)), (Some(0.0), Some(0.0)));
}

#[test]
fn only_content_that_shares_a_read_with_content_is_coalesced() {
    let timeline = Exchange::streamed()
        .at(100, start())
        .along(text("a"))
        .at(200, text("b"))
        .along(Event::Ping)
        .along(text("c"))
        .done();
    assert_eq!(timeline.coalesced(), 1);
    assert!(!timeline.single_read());
    assert!(!Exchange::streamed().at(10, start()).done().single_read(), "no content, no read of it");
}

#[test]
fn a_stall_shows_in_the_longest_gap_and_is_counted() {
    let mut exchange = Exchange::streamed();
    for at in [200, 220, 240, 740, 760, 780] {
        exchange = exchange.at(at, text("x"));
    }
    let timeline = exchange.done();
    assert_eq!(ms(&timeline, Metric::MAX_GAP), Some(500.0));
    assert_eq!(timeline.stalls(), 1);
}

#[test]
fn a_gap_is_no_stall_below_a_quarter_second_or_ten_medians() {
    // 240 ms is twelve times the median of 20 ms, but nobody notices it.
    let brisk = [200, 220, 240, 480, 500, 520];
    // 900 ms is noticed, but usual for an answer that comes every 100 ms.
    let slow = [200, 300, 400, 500, 1_400, 1_500];
    for stamps in [brisk, slow] {
        let timeline = stamps.into_iter().fold(Exchange::streamed(), |e, at| e.at(at, text("x"))).done();
        assert_eq!(timeline.stalls(), 0, "{stamps:?}");
    }
}

#[test]
fn a_stamp_before_its_start_gives_no_value() {
    let timeline =
        three_pieces().tap(|timeline| timeline.intended = timeline.send + Duration::from_millis(1));
    assert_eq!(ms(&timeline, Metric::SEND_LAG), None);
}

#[test]
fn the_servers_usage_counts_before_the_events() {
    let count = TokenCount::of(&usage(42, None), &three_pieces());
    assert_eq!(count, tokens(42));
    let count = TokenCount::of(&Usage::default(), &three_pieces());
    assert_eq!(count, TokenCount { output: Some(3), source: Some(TokenSource::Events) });
}

#[test]
fn a_cut_stream_has_no_token_count() {
    let timeline =
        Exchange::streamed().at(10, Event::Usage(Box::new(usage(1, None)))).at(200, text("Hel")).end(210);
    assert!(!timeline.finished());
    assert_eq!(TokenCount::of(&usage(1, None), &timeline), TokenCount::default());
}

#[test]
fn hidden_reasoning_tokens_are_not_delivered_tokens() {
    let hidden = Exchange::streamed()
        .at(20, Event::BlockStart { index: 0, block: BlockKind::Thinking })
        .at(900, text("Y"))
        .at(950, text("es"))
        .done();
    assert_eq!(TokenCount::of(&usage(50, Some(40)), &hidden), tokens(10));
    let unsaid = TokenCount::of(&usage(50, None), &hidden);
    assert_eq!(unsaid, TokenCount { output: Some(2), source: Some(TokenSource::Events) });
    // Where nothing hints at it in the stream, the usage does.
    assert_eq!(TokenCount::of(&usage(50, Some(40)), &three_pieces()), tokens(10));
    // Thinking that was shown was delivered.
    let shown = Exchange::streamed().at(20, thinking("Hm")).at(900, text("Yes")).done();
    assert_eq!(TokenCount::of(&usage(50, Some(40)), &shown), tokens(50));
}

#[test]
fn an_unstreamed_answer_counts_the_usage_or_nothing() {
    let timeline = Exchange::unstreamed(800);
    assert_eq!(TokenCount::of(&usage(42, Some(30)), &timeline), tokens(42));
    assert_eq!(TokenCount::of(&Usage::default(), &timeline), TokenCount::default());
}

#[test]
fn a_token_count_says_its_source_and_leaves_out_what_is_unknown() {
    assert_eq!(serde_json::to_string(&tokens(3)).unwrap(), r#"{"output":3,"source":"usage"}"#);
    assert_eq!(serde_json::to_string(&TokenCount::default()).unwrap(), "{}");
}

/// A step to the next event: whether it comes in a new read, after how many milliseconds, and what it is.
fn steps() -> impl Strategy<Value = Vec<(bool, u64, Event)>> {
    let event = prop_oneof![
        Just(Event::Ping),
        Just(text("")),
        Just(text("word")),
        Just(thinking("hm")),
        Just(delta(ContentKind::ToolArguments, "{")),
        Just(Event::BlockStop { index: 0 }),
    ];
    prop::collection::vec((any::<bool>(), 0..400_u64, event), 0..40)
}

fn build(steps: Vec<(bool, u64, Event)>, tail: u64) -> Timeline {
    let (mut exchange, mut at, mut read) = (Exchange::streamed(), 10, 0);
    for (fresh, wait, event) in steps {
        if fresh {
            at += wait;
            read += 1;
        }
        exchange = exchange.in_read(read, at, event);
    }
    exchange.end(at + tail)
}

proptest! {
    #[test]
    fn metrics_stand_in_the_order_of_the_clock(steps in steps(), tail in 0..100_u64) {
        let values = build(steps, tail).values(&tokens(7));
        let order = [Metric::TTFB, Metric::TTFT, Metric::TTFOT, Metric::TOTAL, Metric::STREAM_CLOSE];
        let present: Vec<f64> = order.iter().filter_map(|metric| values.get(metric).copied()).collect();
        prop_assert!(present.is_sorted(), "{present:?}");
        prop_assert!(values.values().all(|value| value.is_finite() && *value >= 0.0));
        prop_assert_eq!(values.contains_key(&Metric::TTFT), values.contains_key(&Metric::TOTAL));
        prop_assert_eq!(values.get(&Metric::PERCEIVED), values.get(&Metric::TTFOT));
    }

    #[test]
    fn gaps_add_up_to_the_time_from_first_to_last(steps in steps()) {
        let timeline = build(steps, 0);
        let values = timeline.values(&tokens(7));
        let gaps = timeline.gaps();
        if let (Some(first), Some(total)) = (values.get(&Metric::TTFT), values.get(&Metric::TOTAL)) {
            prop_assert_eq!(gaps.iter().sum::<f64>(), total - first);
            prop_assert_eq!(gaps.len() + 1, timeline.events.iter().filter(|s| s.event.is_content()).count());
        }
        prop_assert!(timeline.coalesced() <= gaps.len());
        prop_assert!(timeline.stalls() <= gaps.len());
        if let Some(tpot) = values.get(&Metric::TPOT) {
            prop_assert!((tpot * 6.0 - gaps.iter().sum::<f64>()).abs() < 1.0);
        }
    }
}
