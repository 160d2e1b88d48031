//! From the pieces of a response's body to an answer, as they come.
//!
//! A read that brings an event is stamped and set aside; several are decoded at once. Between two tokens of a paced
//! answer the processor forgets the decoder, and to call it for every event would cost more than the read did. What may
//! be an error, and what somebody watches, is decoded as it comes.

use std::io::Write;
use std::sync::LazyLock;
use std::time::Duration;

use flate2::write::MultiGzDecoder;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use memchr::memmem;
use tokio::sync::mpsc::UnboundedSender;

use super::failure::{ErrorClass, Failure};
use super::http1::Head;
use super::socket::Read;
use crate::timeline::Stamped;
use crate::wire::{Dialect, Event, EventDecoder, Reply, WireError, sse};

/// The most that is read of a refusal's body: nobody shows more, and a server could go on for ever.
const MAX_REFUSAL: usize = 64 * 1024;
/// The most that an answer in one body may take: a server could go on for ever.
const MAX_BODY: usize = 64 * 1024 * 1024;
/// How many bytes of a stream are set aside: seven events of 290 bytes.
const ASIDE: usize = 2 * 1024;
/// For how many more events there is always room made.
const SPARE: usize = 8;
/// The first byte of gzip (RFC 1952).
const GZIP: u8 = 0x1f;
/// What stands in an event that ends an answer before its time, whatever the dialect.
static ERROR: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new("error"));

/// What a response was understood as.
#[derive(Debug)]
pub(super) struct Received {
    /// The events of a stream.
    pub(super) events: Vec<Stamped>,
    /// The answer.
    pub(super) reply: Reply,
    /// Whether it was streamed.
    pub(super) streamed: bool,
}

/// Takes the response to one request.
#[derive(Debug)]
pub(super) struct Receiver {
    dialect: Dialect,
    /// Whether a stream was asked for.
    asked_streamed: bool,
    /// Who is shown each event as it comes.
    watcher: Option<UnboundedSender<Event>>,
    body: Body,
    /// Boxed: hardly any body needs it, and all would carry it.
    unpacking: Option<Box<Unpacking>>,
    failure: Option<Failure>,
}

#[derive(Debug)]
enum Body {
    Unseen,
    Refusal(Vec<u8>),
    Whole(Vec<u8>),
    Stream(Box<Stream>),
}

impl Receiver {
    pub(super) fn new(
        dialect: Dialect,
        asked_streamed: bool,
        watcher: Option<UnboundedSender<Event>>,
    ) -> Self {
        Self { dialect, asked_streamed, watcher, body: Body::Unseen, unpacking: None, failure: None }
    }

    /// Takes the next piece of the body.
    pub(super) fn take(&mut self, head: &Head, piece: &[u8], read: Read) {
        if self.failure.is_some() {
            return;
        }
        if matches!(self.body, Body::Unseen) {
            self.begin(head);
        }
        let taken = match &mut self.unpacking {
            None => self.body.take(piece, read),
            Some(unpacking) => unpacking.unpack(piece).and_then(|piece| self.body.take(&piece, read)),
        };
        self.failure = self.failure.take().or(taken.err());
    }

    /// A read has brought all that it does: what may end the answer before its time is heard now, and not once more comes.
    pub(super) fn rest(&mut self) {
        if let (Body::Stream(stream), None) = (&mut self.body, &self.failure) {
            self.failure = stream.rest().err().map(Failure::from);
        }
    }

    /// Whether no more of the body is wanted: it cannot be understood, or is a refusal without end.
    pub(super) fn is_done(&self) -> bool {
        self.failure.is_some() || matches!(&self.body, Body::Refusal(said) if said.len() > MAX_REFUSAL)
    }

    /// Whether the answer is whole, however the body ends.
    fn is_over(&self) -> bool {
        matches!(&self.body, Body::Stream(stream) if stream.is_over())
    }

    /// What was received, once the body came to its end or broke off.
    ///
    /// # Errors
    /// When it is no answer.
    pub(super) fn finish(mut self, head: &Head, ended: Result<(), Failure>) -> Result<Received, Failure> {
        if matches!(self.body, Body::Unseen) {
            self.begin(head);
        }
        match &mut self.body {
            Body::Refusal(said) => return Err(refused(head, said)),
            Body::Stream(stream) if self.failure.is_none() => stream.catch_up()?,
            _ => {}
        }
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        // How a server ends its body is no part of an answer that is whole.
        if !self.is_over() {
            ended?;
        }
        match self.body {
            Body::Stream(stream) => stream.finish(&head.headers),
            Body::Whole(body) => {
                let reply = self.dialect.decode_reply(&body)?;
                Ok(Received { events: Vec::new(), reply, streamed: false })
            }
            Body::Unseen | Body::Refusal(_) => Err(refused(head, &[])),
        }
    }

    /// Chooses how the body is read by its head.
    fn begin(&mut self, head: &Head) {
        let content_type = text(&head.headers, &CONTENT_TYPE);
        let is_json = content_type.is_some_and(|kind| kind.starts_with("application/json"));
        self.body = if !head.status.is_success() {
            Body::Refusal(Vec::new())
        } else if self.asked_streamed && !is_json {
            Body::Stream(Box::new(Stream::new(self.dialect, self.watcher.take())))
        } else {
            // A few servers ignore `stream`.
            Body::Whole(Vec::new())
        };
        match text(&head.headers, &CONTENT_ENCODING).map(str::trim) {
            None | Some("" | "identity") => {}
            Some("gzip" | "x-gzip") => self.unpacking = Some(Box::default()),
            Some(coding) => {
                let unasked = format!("the body came in the coding `{coding}`, which nobody asked for");
                self.failure = Some(Failure::new(ErrorClass::Parse, unasked));
            }
        }
    }
}

impl Body {
    fn take(&mut self, piece: &[u8], read: Read) -> Result<(), Failure> {
        match self {
            Self::Unseen => {}
            Self::Refusal(body) | Self::Whole(body) => {
                if body.len() + piece.len() > MAX_BODY {
                    return Err(Failure::new(
                        ErrorClass::Parse,
                        format!("the body is longer than {MAX_BODY} bytes"),
                    ));
                }
                body.extend_from_slice(piece);
            }
            Self::Stream(stream) => stream.take(piece, read)?,
        }
        Ok(())
    }
}

/// Takes gzip apart as it comes.
#[derive(Debug)]
struct Unpacking {
    decoder: MultiGzDecoder<Vec<u8>>,
    begun: bool,
}

impl Default for Unpacking {
    fn default() -> Self {
        Self { decoder: MultiGzDecoder::new(Vec::new()), begun: false }
    }
}

impl Unpacking {
    /// What comes out with this piece.
    fn unpack(&mut self, piece: &[u8]) -> Result<Vec<u8>, Failure> {
        let wrong = |why: &str| Failure::new(ErrorClass::Parse, format!("the body is no gzip: {why}"));
        // The decoder would wait for a whole header first.
        if !std::mem::replace(&mut self.begun, true) && piece.first() != Some(&GZIP) {
            return Err(wrong("it begins otherwise"));
        }
        let unpacked = self.decoder.write_all(piece).and_then(|()| self.decoder.flush());
        unpacked.map_err(|error| wrong(&error.to_string()))?;
        Ok(std::mem::take(self.decoder.get_mut()))
    }
}

/// The events of a streamed answer.
#[derive(Debug)]
struct Stream {
    frames: sse::Decoder,
    decoder: EventDecoder,
    watcher: Option<UnboundedSender<Event>>,
    fresh: Vec<Event>,
    events: Vec<Stamped>,
    /// Bytes that were not decoded yet, and up to where each read brought them.
    aside: Vec<u8>,
    reads: Vec<(usize, Read)>,
    /// How much of it was looked through for an error.
    looked: usize,
    /// The read that brought the last piece.
    last: Option<Read>,
}

type Sink<'a> = dyn FnMut(sse::Frame<'_>) -> Result<(), WireError> + 'a;

impl Stream {
    fn new(dialect: Dialect, watcher: Option<UnboundedSender<Event>>) -> Self {
        let (frames, decoder) = (sse::Decoder::new(), dialect.event_decoder());
        Self {
            frames,
            decoder,
            watcher,
            fresh: Vec::new(),
            events: Vec::new(),
            aside: Vec::new(),
            reads: Vec::new(),
            looked: 0,
            last: None,
        }
    }

    /// Takes what a read brought.
    fn take(&mut self, piece: &[u8], read: Read) -> Result<(), WireError> {
        self.last = Some(read);
        // An event that was begun is read to its end as it comes: what was decoded of it cannot be looked through again.
        if self.watcher.is_some() || piece.len() >= ASIDE || self.frames.is_amid() {
            self.catch_up()?;
            return self.feed(read, |frames, sink| frames.push(piece, sink));
        }
        self.aside.extend_from_slice(piece);
        match self.reads.last_mut() {
            Some((until, before)) if *before == read => *until = self.aside.len(),
            _ => self.reads.push((self.aside.len(), read)),
        }
        if self.aside.len() >= ASIDE { self.catch_up() } else { Ok(()) }
    }

    /// Decodes what was set aside if it may hold an error.
    fn rest(&mut self) -> Result<(), WireError> {
        let unseen = self.looked.saturating_sub(ERROR.needle().len() - 1);
        self.looked = self.aside.len();
        if ERROR.find(&self.aside[unseen..]).is_some() { self.catch_up() } else { Ok(()) }
    }

    /// Decodes what was set aside.
    fn catch_up(&mut self) -> Result<(), WireError> {
        let (mut aside, mut reads) = (std::mem::take(&mut self.aside), std::mem::take(&mut self.reads));
        let mut from = 0;
        for (until, read) in reads.drain(..) {
            let piece = &aside[std::mem::replace(&mut from, until)..until];
            self.feed(read, |frames, sink| frames.push(piece, sink))?;
        }
        aside.clear();
        self.looked = 0;
        (self.aside, self.reads) = (aside, reads);
        Ok(())
    }

    /// Whether the terminal event was seen.
    fn is_over(&self) -> bool {
        self.events.last().is_some_and(|stamped| stamped.event == Event::Done)
    }

    fn feed(
        &mut self,
        read: Read,
        bytes: impl FnOnce(&mut sse::Decoder, &mut Sink<'_>) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let Self { frames, decoder, watcher, fresh, events, .. } = self;
        bytes(frames, &mut |frame| {
            decoder.decode(frame.event, frame.data, fresh)?;
            if let Some(watcher) = watcher {
                // Nobody watches any more when whoever asked has gone.
                fresh.iter().for_each(|event| drop(watcher.send(event.clone())));
            }
            // Grown by a quarter rather than doubled: of what many streams hold at once most is this.
            if events.capacity() - events.len() < fresh.len() {
                events.reserve_exact(fresh.len() + events.len() / 4 + SPARE);
            }
            events.extend(fresh.drain(..).map(|event| Stamped { at: read.at, read: read.number, event }));
            Ok(())
        })
    }

    fn finish(mut self, headers: &HeaderMap) -> Result<Received, Failure> {
        if let Some(read) = self.last {
            self.feed(read, |frames, sink| frames.finish(sink))?;
        }
        self.decoder.finish().map_err(|error| match text(headers, &CONTENT_TYPE) {
            Some(kind) if self.events.is_empty() && !kind.starts_with("text/event-stream") => {
                Failure::new(ErrorClass::Parse, format!("a stream was asked for and `{kind}` came"))
            }
            _ => error.into(),
        })?;
        let reply = Reply::from_events(self.events.iter().map(|stamped| &stamped.event));
        Ok(Received { events: self.events, reply, streamed: true })
    }
}

/// The failure of a response whose status is not a success, in the server's own words.
fn refused(head: &Head, body: &[u8]) -> Failure {
    let status = head.status.as_u16();
    let said = match Dialect::decode_error(Dialect::OpenAi, body) {
        Some(error) => error.to_string(),
        None => String::from_utf8_lossy(body).trim().to_owned(),
    };
    let message = if said.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {said}") };
    Failure { class: ErrorClass::of_status(status), message, retry_after: retry_after(&head.headers) }
}

/// `retry-after` in seconds, the only form that LLM providers send.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = text(headers, &RETRY_AFTER)?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// A header's text.
pub(super) fn text(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
