//! An exchange whose bytes are passed on as they come, stamped like those of every other.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::task::AbortOnDropHandle;

use super::connection::{ConnectionFacts, Transport};
use super::failure::{ErrorClass, Failure};
use super::http1::{self, Http1, Progress, Stamps};
use super::pool::Pool;

/// A response under way, whatever is in it. A task of its own reads it, so that whoever takes it slowly moves no stamp.
#[derive(Debug)]
pub(crate) struct Passage {
    status: StatusCode,
    headers: HeaderMap,
    stamps: Stamps,
    coming: UnboundedReceiver<Part>,
    chunks: Vec<(Instant, Bytes)>,
    whole: Option<bool>,
    finished: bool,
    _reading: AbortOnDropHandle<()>,
}

/// What the reading task tells.
#[derive(Debug)]
enum Part {
    Head(StatusCode, HeaderMap, Stamps),
    /// What a read brought of the body, when, and whether that was all of it.
    Piece(Bytes, Instant, bool),
    End(Result<(), Failure>, Option<Instant>),
}

/// A response that was passed on. Times run from the request's first written byte.
#[derive(Debug)]
pub(crate) struct Passed {
    /// When the head was complete.
    pub(crate) head: Duration,
    /// What each read brought of the body.
    pub(crate) chunks: Vec<(Duration, Bytes)>,
    /// When the last bytes arrived.
    pub(crate) end: Duration,
    /// Whether the body came to its end; absent if nobody waited for it.
    pub(crate) whole: Option<bool>,
}

impl Passage {
    /// Sends a request and waits for the response's head. One that a server answered by closing a connection that
    /// it had served before is sent once more, on another: whoever passes it on would otherwise see an error that
    /// the server never stated.
    ///
    /// # Errors
    /// When no response comes.
    pub(crate) async fn open(pool: &Arc<Pool>, request: &Request<Bytes>) -> Result<Self, Failure> {
        let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let raw = http1::request(request.method(), path, &[request.headers()], request.body());
        let mut again = true;
        loop {
            let connection = pool.connection().await?;
            let was_used = connection.facts.served_before > 0;
            let Transport::Http1(socket) = connection.transport else {
                return Err(Failure::new(ErrorClass::Connect, "HTTP/2 is not passed on"));
            };
            let (tell, mut coming) = unbounded_channel();
            let exchange = Http1::new(socket, raw.clone());
            let reading = read(exchange, tell, Arc::clone(pool), connection.facts);
            let reading = AbortOnDropHandle::new(tokio::spawn(reading));
            match coming.recv().await {
                Some(Part::Head(status, headers, stamps)) => {
                    let (chunks, whole, finished) = (Vec::new(), None, false);
                    return Ok(Self {
                        status,
                        headers,
                        stamps,
                        coming,
                        chunks,
                        whole,
                        finished,
                        _reading: reading,
                    });
                }
                // Without a stamp nothing was written, which says nothing of the server.
                Some(Part::End(Err(_), None)) if was_used => {}
                Some(Part::End(Err(failure), _))
                    if was_used && again && failure.class == ErrorClass::Disconnect =>
                {
                    pool.closed_early();
                    again = false;
                }
                Some(Part::End(Err(failure), _)) => return Err(failure),
                _ => return Err(Failure::new(ErrorClass::Disconnect, "no response")),
            }
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The next piece of the body; `None` at its end.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        let part = self.coming.recv().await?;
        self.note(part)
    }

    fn note(&mut self, part: Part) -> Option<Result<Bytes, Failure>> {
        match part {
            Part::Head(..) => None,
            Part::Piece(bytes, at, is_last) => {
                self.stamps.last = Some(at);
                self.chunks.push((at, bytes.clone()));
                // Whoever knows the body's length does not wait for its end.
                self.whole = is_last.then_some(true);
                Some(Ok(bytes))
            }
            Part::End(ended, last) => {
                self.stamps.last = last.or(self.stamps.last);
                self.whole = Some(ended.is_ok());
                ended.err().map(Err)
            }
        }
    }

    /// What was passed on, once it is over or nobody waits for more of it.
    pub(crate) fn finish(&mut self) -> Option<Passed> {
        if std::mem::replace(&mut self.finished, true) {
            return None;
        }
        while let Ok(part) = self.coming.try_recv() {
            self.note(part);
        }
        let sent = self.stamps.sent?;
        let since = |at: Instant| at.saturating_duration_since(sent);
        let chunks = std::mem::take(&mut self.chunks).into_iter();
        Some(Passed {
            head: since(self.stamps.headers?),
            chunks: chunks.map(|(at, bytes)| (since(at), bytes)).collect(),
            end: since(self.stamps.last?),
            whole: self.whole,
        })
    }
}

/// Reads a response to its end and gives the connection back.
async fn read(mut exchange: Http1, tell: UnboundedSender<Part>, pool: Arc<Pool>, facts: ConnectionFacts) {
    let mut is_headless = true;
    let ended = loop {
        let mut bytes = BytesMut::new();
        let progress =
            poll_fn(|cx| exchange.poll(cx, &mut |_, piece, _| bytes.extend_from_slice(piece))).await;
        let stamps = exchange.stamps();
        if is_headless && let Some(head) = exchange.head() {
            is_headless = false;
            // Whoever asked may have gone, and takes the rest as lost.
            let _ = tell.send(Part::Head(head.status, head.headers.clone(), stamps));
        }
        if let (false, Some(at)) = (bytes.is_empty(), stamps.last) {
            let _ = tell.send(Part::Piece(bytes.freeze(), at, exchange.is_complete()));
        }
        match progress {
            Ok(Progress::Read(_)) => {}
            Ok(Progress::End) => break Ok(()),
            Err(failure) => break Err(failure),
        }
    };
    let stamps = exchange.stamps();
    if let (_, Some(socket)) = exchange.into_parts() {
        pool.give_back(socket, facts);
    }
    let _ = tell.send(Part::End(ended, stamps.last.or(stamps.sent)));
}
