//! The list of faults of a server, and the class that each ends in.

use std::time::Duration;

use llmlab::client::{ErrorClass, Timeouts};

use crate::support::{LAST_CHUNK, Step, chunk, openai_end, openai_says, plain, stream_head};

/// A bound that a fault is to run into.
pub(super) const SHORT: Duration = Duration::from_millis(300);

/// Long enough for the client to have read what was written before.
pub(super) const MOMENT: Duration = Duration::from_millis(20);

/// The bound that ends an exchange, if one has to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// None: the fault shows by itself.
    None,
    /// From the request to the first byte of the body.
    FirstByte,
    /// Between two reads of the body.
    Silence,
    /// The whole exchange.
    Total,
}

impl Bound {
    /// Timeouts of which only this one is short.
    pub(super) fn timeouts(self) -> Timeouts {
        let long = Duration::from_secs(30);
        let patient = Timeouts { connect: long, first_byte: long, silence: long, total: long };
        match self {
            Self::None => patient,
            Self::FirstByte => Timeouts { first_byte: SHORT, ..patient },
            Self::Silence => Timeouts { silence: SHORT, ..patient },
            Self::Total => Timeouts { total: SHORT, ..patient },
        }
    }

    /// What the message of its timeout names.
    pub(super) fn phase(self) -> &'static str {
        match self {
            Self::None => "",
            Self::FirstByte => "first byte",
            Self::Silence => "silence",
            Self::Total => "whole exchange",
        }
    }
}

/// What a server does instead of answering.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) class: ErrorClass,
    pub(super) bound: Bound,
    pub(super) steps: Vec<Step>,
}

fn fault(name: &'static str, class: ErrorClass, steps: Vec<Step>) -> Fault {
    Fault { name, class, bound: Bound::None, steps }
}

fn slow(name: &'static str, bound: Bound, steps: Vec<Step>) -> Fault {
    Fault { name, class: ErrorClass::Timeout, bound, steps }
}

fn write(text: impl Into<String>) -> Step {
    Step::Write(text.into())
}

fn moment() -> Step {
    Step::Pause(MOMENT)
}

/// The head of a stream and its first event.
fn begun() -> Step {
    write(stream_head() + &chunk(&openai_says("Hel")))
}

/// A head with these lines after the status line.
fn head(lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{lines}\r\n")
}

/// A whole stream of one write.
fn stream(events: &str) -> Vec<Step> {
    vec![write(stream_head() + &chunk(events) + LAST_CHUNK)]
}

/// Every fault of a server that takes the connection.
pub(super) fn faults() -> Vec<Fault> {
    [broken(), silent(), misframed(), misunderstood(), endless(), statuses()].concat()
}

/// Connections that end before the answer does.
fn broken() -> Vec<Fault> {
    use ErrorClass::{Disconnect, Truncated};
    let half_head = || write("HTTP/1.1 200 OK\r\ncontent-ty");
    let half_chunk = || {
        let whole = chunk(&openai_says("lo"));
        write(&whole[..whole.len() / 2])
    };
    let promised = |length: usize| head(&format!("content-length: {length}\r\n")) + &openai_says("Hel");
    vec![
        fault("closed before the head", Disconnect, vec![Step::Close]),
        fault("reset before the head", Disconnect, vec![Step::Reset]),
        fault("closed inside the head", Disconnect, vec![half_head(), moment(), Step::Close]),
        fault("reset inside the head", Disconnect, vec![half_head(), moment(), Step::Reset]),
        fault("closed after the head", Truncated, vec![write(stream_head()), moment(), Step::Close]),
        fault("reset after the head", Truncated, vec![write(stream_head()), moment(), Step::Reset]),
        fault("closed between chunks", Truncated, vec![begun(), moment(), Step::Close]),
        fault("reset between chunks", Truncated, vec![begun(), moment(), Step::Reset]),
        fault("closed inside a chunk", Truncated, vec![begun(), half_chunk(), moment(), Step::Close]),
        fault("reset inside a chunk", Truncated, vec![begun(), half_chunk(), moment(), Step::Reset]),
        fault("shorter than its length", Truncated, vec![write(promised(5_000)), moment(), Step::Close]),
        fault("reset within its length", Truncated, vec![write(promised(5_000)), moment(), Step::Reset]),
        fault("no terminal event, ended well", Truncated, stream(&openai_says("Hel"))),
        fault("nothing in the stream", Truncated, vec![write(stream_head() + LAST_CHUNK)]),
        fault("no content at all (204)", Truncated, vec![write("HTTP/1.1 204 No Content\r\n\r\n")]),
        fault(
            "a JSON answer that is cut",
            Truncated,
            vec![
                write(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"id\":\"c1\",",
                ),
                moment(),
                Step::Close,
            ],
        ),
    ]
}

/// Servers that go on too slowly, or not at all.
fn silent() -> Vec<Fault> {
    let drips = |before: String, text| vec![write(before), Step::Drip(text)];
    vec![
        slow("half-open, before the head", Bound::FirstByte, vec![Step::Silence]),
        slow("half-open, inside the head", Bound::FirstByte, vec![write("HTTP/1.1 20"), Step::Silence]),
        slow("half-open, after the head", Bound::FirstByte, vec![write(stream_head()), Step::Silence]),
        slow("half-open, in the body", Bound::Silence, vec![begun(), Step::Silence]),
        slow("slow loris, in the head", Bound::FirstByte, drips("HTTP/1.1 200 OK\r\nx: ".into(), "a")),
        slow(
            "slow loris, informational",
            Bound::FirstByte,
            drips(String::new(), "HTTP/1.1 100 Continue\r\n\r\n"),
        ),
        slow("slow loris, in a chunk's size", Bound::FirstByte, drips(stream_head(), "0")),
        slow("slow loris, in an event", Bound::Total, drips(head(""), "data: x")),
        slow("slow loris, comments", Bound::Total, drips(stream_head(), "5\r\n: x\n\n\r\n")),
        slow("pings for ever", Bound::Total, drips(head(""), "event: ping\ndata: {}\n\n: keep-alive\n\n")),
    ]
}

/// Responses that are no HTTP, or not the one they say they are.
fn misframed() -> Vec<Fault> {
    use ErrorClass::{Parse, Truncated};
    let after = |lines: &str, body: &str| vec![write(head(lines) + body)];
    let whole = openai_says("Hello") + &openai_end();
    let short = format!("content-length: {}\r\n", openai_says("Hello").len());
    let twice = format!("content-length: {}\r\ncontent-length: 7\r\n", whole.len());
    vec![
        fault("garbage instead of a status line", Parse, vec![write("ABRACADABRA\r\n\r\n"), Step::Silence]),
        fault(
            "garbage before the status line",
            Parse,
            vec![write("x\r\n".to_owned() + &plain(200, "", "")), Step::Silence],
        ),
        fault("another protocol", Parse, vec![write("SSH-2.0-OpenSSH_9.6\r\n"), Step::Silence]),
        fault("an old protocol", Parse, vec![write("HTTP/0.9 200 OK\r\n\r\n"), Step::Silence]),
        fault("a status that is no number", Parse, vec![write("HTTP/1.1 abc OK\r\n\r\n"), Step::Silence]),
        fault(
            "a header without a colon",
            Parse,
            vec![write("HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"), Step::Silence],
        ),
        fault("a length that is no number", Parse, after("content-length: many\r\n", &whole)),
        fault("two lengths", Parse, after(&twice, &whole)),
        fault("longer than its length", Truncated, after(&short, &whole)),
    ]
}

/// Bodies that are not encoded as their head says, or in a way that is not known here.
pub(super) fn misencoded() -> Vec<Fault> {
    let answer = openai_says("Hello") + &openai_end();
    let encoded = head(&format!("content-encoding: br\r\ncontent-length: {}\r\n", answer.len())) + &answer;
    let after = |text: &str| vec![write(stream_head() + text), Step::Silence];
    let longer = format!("4\r\n{}\r\n", openai_says("Hello"));
    vec![
        fault("a chunk's size that is no number", ErrorClass::Parse, after("zz\r\n")),
        fault("a chunk's size beyond all numbers", ErrorClass::Parse, after("fffffffffffffffff\r\n")),
        fault("a chunk longer than its size", ErrorClass::Parse, after(&longer)),
        fault(
            "gzip that is none",
            ErrorClass::Parse,
            vec![write(head("content-encoding: gzip\r\ncontent-length: 5\r\n") + "plain")],
        ),
        fault("an encoding that nobody asked for", ErrorClass::Parse, vec![write(encoded)]),
    ]
}

/// Answers that are no answer of the dialect.
fn misunderstood() -> Vec<Fault> {
    use ErrorClass::{MidStreamError, Parse};
    let typed = |kind: &str, body: &str| vec![write(plain(200, &format!("content-type: {kind}\r\n"), body))];
    let error = r#"data: {"error":{"message":"Overloaded","type":"server"}}"#;
    let split = error.split_at(error.find("or\"").expect("the word is in it"));
    vec![
        fault("a page where a stream was asked for", Parse, typed("text/html", "<html>\n\nSign in</html>")),
        fault("a page that calls itself JSON", Parse, typed("application/json", "<html>Sign in</html>")),
        fault("JSON that is no answer", Parse, typed("application/json", r#"{"hello":"world"}"#)),
        fault(
            "an error with status 200",
            MidStreamError,
            typed("application/json", r#"{"error":{"message":"no","type":"server_error"}}"#),
        ),
        fault(
            "an event that is no JSON",
            Parse,
            stream(&(openai_says("Hel") + "data: {\"choices\":[}\n\n" + &openai_end())),
        ),
        fault(
            "an event that is another JSON",
            Parse,
            stream(&(openai_says("Hel") + "data: [1,2]\n\n" + &openai_end())),
        ),
        fault("an error in mid-stream", MidStreamError, stream(&(openai_says("Hel") + error + "\n\n"))),
        fault("an error before a silence", MidStreamError, then_silent([&(error.to_owned() + "\n\n")])),
        fault("an error in two reads before a silence", MidStreamError, then_silent([error, "\n\n"])),
        fault("an error whose word is in two reads", MidStreamError, then_silent([split.0, split.1, "\n\n"])),
    ]
}

/// A stream that goes on with `pieces`, each in a read of its own, and then falls silent without an end.
fn then_silent<const N: usize>(pieces: [&str; N]) -> Vec<Step> {
    let said = write(stream_head() + &chunk(&openai_says("Hel")));
    let pieces = pieces.iter().flat_map(|piece| [moment(), write(chunk(piece))]);
    [said].into_iter().chain(pieces).chain([Step::Silence]).collect()
}

/// What has no end, as fast as it can be read.
fn endless() -> Vec<Fault> {
    use ErrorClass::{Http5xx, Parse};
    let many = |text: &str| text.repeat(16 * 1024 / text.len());
    let refusal = || write("HTTP/1.1 500 x\r\ntransfer-encoding: chunked\r\n\r\n");
    // It has to be kept, so it does not come as fast as memory can be filled.
    let piecemeal = (0..60).flat_map(|_| [write(many("a")), moment()]).collect::<Vec<_>>();
    let flood = |before: String, text: &str| vec![write(before), Step::Flood(many(text))];
    vec![
        fault(
            "a head without end",
            Parse,
            flood("HTTP/1.1 200 OK\r\n".into(), "x-pad: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"),
        ),
        fault("a header without end", Parse, flood("HTTP/1.1 200 OK\r\nx-pad: ".into(), "a")),
        fault("a refusal without end", Http5xx, vec![refusal(), Step::Flood(chunk(&many("x")))]),
        slow(
            "informational responses without end",
            Bound::FirstByte,
            flood(String::new(), "HTTP/1.1 100 Continue\r\n\r\n"),
        ),
        slow("comments without end", Bound::Total, flood(head(""), ": keep-alive\n\n")),
        slow("an event without end", Bound::Total, [vec![write(head("") + "data: ")], piecemeal].concat()),
    ]
}

/// Refusals, and what is neither refusal nor answer.
fn statuses() -> Vec<Fault> {
    use ErrorClass::{Http4xx, Http5xx, HttpOther, Overloaded, RateLimited};
    let said = |status, text: &str| vec![write(plain(status, "", text))];
    vec![
        fault("too many requests (429)", RateLimited, said(429, "slow down")),
        fault("overloaded (529)", Overloaded, said(529, "overloaded")),
        fault("a wrong key (401)", Http4xx, said(401, "who are you?")),
        fault("no such model (404)", Http4xx, said(404, "")),
        fault("a broken server (500)", Http5xx, said(500, "<html>Oops</html>")),
        fault(
            "a refusal without a body's length",
            Http5xx,
            vec![write("HTTP/1.1 503 x\r\n\r\nbusy"), Step::Close],
        ),
        fault(
            "a refusal cut short",
            Http5xx,
            vec![write("HTTP/1.1 502 x\r\ncontent-length: 100\r\n\r\nBad"), moment(), Step::Close],
        ),
        fault("not modified (304)", HttpOther, vec![write("HTTP/1.1 304 x\r\n\r\n")]),
        fault(
            "a protocol switched (101)",
            HttpOther,
            vec![
                write(
                    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
                ),
                Step::Silence,
            ],
        ),
    ]
}
