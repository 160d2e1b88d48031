//! An exchange whose bytes are passed on as they come, stamped like those of every other.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use super::connection::Connection;
use super::failure::Failure;
use super::pool::Pool;
use super::stamp::{ExchangeLog, StampLog};

/// A response under way, whatever is in it.
#[derive(Debug)]
pub(crate) struct Passage {
    response: http::Response<Incoming>,
    connection: Option<Connection>,
    pool: Arc<Pool>,
    log: StampLog,
    body: Vec<u8>,
    ended: Option<Result<(), Failure>>,
}

/// A response that was passed on. Times run from the request's first written byte.
#[derive(Debug)]
pub(crate) struct Passed {
    /// When the head was complete.
    pub(crate) head: Duration,
    /// What each read brought of the body.
    pub(crate) chunks: Vec<(Duration, Bytes)>,
    /// When the last read returned.
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
    pub(crate) async fn open(pool: &Arc<Pool>, mut request: Request<Full<Bytes>>) -> Result<Self, Failure> {
        let mut spare = Some(request.clone());
        loop {
            let mut connection = pool.connection().await?;
            match connection.sender.try_send_request(request).await {
                Ok(response) => {
                    let (pool, log) = (Arc::clone(pool), connection.log.clone());
                    let connection = Some(connection);
                    return Ok(Self { response, connection, pool, log, body: Vec::new(), ended: None });
                }
                // A connection that the server closed while it was idle: nothing was written.
                Err(mut error) => match error.take_message() {
                    Some(unsent) if connection.facts.served_before > 0 => request = unsent,
                    _ => {
                        let served = connection.facts.served_before > 0;
                        let Some(again) = spare.take().filter(|_| served) else {
                            return Err(Failure::of_request(error.error()));
                        };
                        pool.closed_early();
                        request = again;
                    }
                },
            }
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The next piece of the body; `None` at its end.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        loop {
            match self.response.body_mut().frame().await {
                Some(Ok(frame)) => {
                    if let Ok(part) = frame.into_data() {
                        self.body.extend_from_slice(&part);
                        return Some(Ok(part));
                    }
                }
                Some(Err(error)) => {
                    let failure = Failure::of_body(&error);
                    self.ended = Some(Err(failure.clone()));
                    return Some(Err(failure));
                }
                None => {
                    self.ended = Some(Ok(()));
                    return None;
                }
            }
        }
    }

    /// What was passed on, once it is over or nobody waits for more of it. A connection as good as new is kept.
    pub(crate) fn finish(&mut self) -> Option<Passed> {
        let log = self.log.take()?;
        // Whoever knows the body's length does not wait for its end.
        let whole = self.ended.as_ref().map(Result::is_ok).or(log.is_complete().then_some(true));
        if log.is_complete()
            && let Some(connection) = self.connection.take()
        {
            self.pool.give_back(connection);
        }
        let since = |at: std::time::Instant| at.saturating_duration_since(log.sent);
        Some(Passed {
            head: since(log.headers?),
            chunks: self.chunks(&log),
            end: since(log.reads.last()?.at),
            whole,
        })
    }

    /// The body by the reads that brought it.
    fn chunks(&self, log: &ExchangeLog) -> Vec<(Duration, Bytes)> {
        let body = Bytes::copy_from_slice(&self.body);
        let mut from = 0;
        let mut cut = |end: u64| {
            let end = usize::try_from(end).unwrap_or(usize::MAX).clamp(from, body.len());
            body.slice(std::mem::replace(&mut from, end)..end)
        };
        let reads = log.reads.iter();
        let chunks = reads.map(|read| (read.at.saturating_duration_since(log.sent), cut(read.body)));
        chunks.filter(|(_, bytes)| !bytes.is_empty()).collect()
    }
}
