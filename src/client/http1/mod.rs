//! HTTP/1.1 as far as the measured path needs it: one request, one response, on one connection.
//!
//! A library's client hands a body over without saying which read it came in, and in pieces of its framing rather than
//! of its reads. Here the request is written and the response read in one place: each read goes into a buffer that all
//! connections of a thread share, is stamped, and is taken apart where it lies. A connection that waits therefore holds
//! no buffer, and a piece of the body is looked at once, by whoever decodes it.

mod framing;

pub(crate) use framing::Head;
#[cfg(fuzzing)]
pub use framing::follow;

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::framing::{Framing, FramingError};
use super::failure::{ErrorClass, Failure};
use super::socket::{Read, Socket};

/// The most that one read takes: events of one burst should share a read.
const READ_SIZE: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_SIZE].into_boxed_slice());
}

/// When what happened to an exchange.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stamps {
    /// Just before the request's first byte was handed to the socket.
    pub(crate) sent: Option<Instant>,
    /// When the bytes arrived that completed the response's head.
    pub(crate) headers: Option<Instant>,
    /// When the first bytes of the body arrived.
    pub(crate) first_body: Option<Instant>,
    /// When the last bytes arrived.
    pub(crate) last: Option<Instant>,
}

/// The bytes of a request.
pub(crate) fn request(method: &Method, path: &str, headers: &[&HeaderMap], body: &[u8]) -> Bytes {
    let fields = || headers.iter().flat_map(|headers| headers.iter());
    let size: usize = fields().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let mut raw = Vec::with_capacity(64 + path.len() + size + body.len());
    for part in [method.as_str(), " ", path, " HTTP/1.1\r\n"] {
        raw.extend_from_slice(part.as_bytes());
    }
    for (name, value) in fields() {
        field(&mut raw, name, value);
    }
    field(&mut raw, &http::header::CONTENT_LENGTH, &HeaderValue::from(body.len()));
    raw.extend_from_slice(b"\r\n");
    raw.extend_from_slice(body);
    raw.into()
}

fn field(raw: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
        raw.extend_from_slice(part);
    }
}

/// An exchange on a connection.
#[derive(Debug)]
pub(crate) struct Http1 {
    socket: Socket,
    request: Bytes,
    /// Why no more of the request can be written.
    unwritable: Option<io::Error>,
    flushed: bool,
    reads_before: u32,
    framing: Framing,
    stamps: Stamps,
    ended: bool,
}

/// Whoever takes the pieces of a body, with the response's head and the read that a piece came in.
pub(crate) type Sink<'a> = dyn FnMut(&Head, &[u8], Read) + 'a;

/// What a poll brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// A read of the response, of so many bytes.
    Read(usize),
    /// The response's end.
    End,
}

impl Http1 {
    /// The exchange of `request` on a socket that is at rest.
    pub(crate) fn new(socket: Socket, request: Bytes) -> Self {
        let reads_before = socket.reads();
        let (framing, stamps) = (Framing::new(), Stamps::default());
        Self {
            socket,
            request,
            unwritable: None,
            flushed: false,
            reads_before,
            framing,
            stamps,
            ended: false,
        }
    }

    pub(crate) fn stamps(&self) -> Stamps {
        self.stamps
    }

    /// The response's head, once it has come.
    pub(crate) fn head(&self) -> Option<&Head> {
        self.framing.head()
    }

    /// Whether nothing of the request was written, so that it can be sent on another connection.
    pub(crate) fn is_unsent(&self) -> bool {
        self.stamps.sent.is_none()
    }

    /// Whether the response is complete.
    pub(crate) fn is_complete(&self) -> bool {
        self.framing.is_complete()
    }

    /// The head and, if the exchange left it at rest, the socket.
    pub(crate) fn into_parts(self) -> (Option<Head>, Option<Socket>) {
        let is_at_rest = self.request.is_empty() && !self.ended && self.framing.keeps_connection();
        (self.framing.into_head(), is_at_rest.then_some(self.socket))
    }

    /// Writes what is left of the request and makes one read of the response, whose body it hands to `sink`.
    ///
    /// # Errors
    /// When the connection or the response breaks.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut Sink<'_>,
    ) -> Poll<Result<Progress, Failure>> {
        if self.is_complete() {
            return Poll::Ready(Ok(Progress::End));
        }
        self.write(cx);
        if self.is_unsent() && self.unwritable.is_some() {
            return Poll::Ready(Err(self.no_response("the connection was closed")));
        }
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            let polled = ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer));
            Poll::Ready(match polled {
                Ok(()) if buffer.filled().is_empty() => self.end(None),
                Ok(()) => self.read(buffer.filled(), sink),
                Err(error) => self.end(Some(&error)),
            })
        })
    }

    /// Writes as much as the socket takes. A server may answer before it has read all, so that an error here is only
    /// told if there is no answer.
    fn write(&mut self, cx: &mut Context<'_>) {
        while !self.request.is_empty() && self.unwritable.is_none() {
            let before = Instant::now();
            match Pin::new(&mut self.socket).poll_write(cx, &self.request) {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) => self.unwritable = Some(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Err(error)) => self.unwritable = Some(error),
                Poll::Ready(Ok(written)) => {
                    self.stamps.sent.get_or_insert(before);
                    drop(self.request.split_to(written));
                }
            }
        }
        // TLS keeps what the socket did not take.
        if !self.flushed && self.unwritable.is_none() {
            match Pin::new(&mut self.socket).poll_flush(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.flushed = true,
                Poll::Ready(Err(error)) => self.unwritable = Some(error),
            }
        }
    }

    fn read(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<Progress, Failure> {
        let read = self.socket.last_read(self.reads_before);
        self.stamps.last = Some(read.at);
        let Self { framing, stamps, .. } = self;
        let pushed = framing.push(bytes, &mut |head, body| {
            stamps.first_body.get_or_insert(read.at);
            sink(head, body, read);
        });
        if framing.head().is_some() {
            stamps.headers.get_or_insert(read.at);
        }
        pushed.map(|()| Progress::Read(bytes.len())).map_err(|error| self.broken(error))
    }

    /// The end of the connection: the response's own, or too early.
    fn end(&mut self, error: Option<&io::Error>) -> Result<Progress, Failure> {
        self.ended = true;
        if error.is_none() && self.framing.may_end() {
            return Ok(Progress::End);
        }
        let why = error.map_or("the connection was closed".into(), ToString::to_string);
        if self.framing.head().is_none() {
            return Err(self.no_response(&why));
        }
        Err(Failure::new(ErrorClass::Truncated, format!("the response broke off: {why}")))
    }

    fn no_response(&self, why: &str) -> Failure {
        let why = self.unwritable.as_ref().map_or(why.into(), ToString::to_string);
        Failure::new(ErrorClass::Disconnect, format!("no response: {why}"))
    }

    fn broken(&self, error: FramingError) -> Failure {
        Failure::new(ErrorClass::Parse, error.to_string())
    }
}

/// Whether a socket at rest still stands: nothing may be there to read, not even its end.
pub(crate) fn stands(socket: &mut Socket, cx: &mut Context<'_>) -> bool {
    let mut byte = [0; 1];
    Pin::new(socket).poll_read(cx, &mut ReadBuf::new(&mut byte)).is_pending()
}
