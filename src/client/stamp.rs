//! The socket that knows when it was read and written.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::Framing;

/// What one read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// When the socket read returned; below TLS, where there is TLS.
    pub at: Instant,
    /// The number of body bytes of the response up to and with this read.
    pub body: u64,
}

/// The stamps of one exchange on a connection.
#[derive(Debug)]
pub struct ExchangeLog {
    /// Just before the request's first byte was handed to the socket.
    pub sent: Instant,
    /// When the last write of the request returned.
    pub written: Instant,
    /// The read that completed the response's head.
    pub headers: Option<Instant>,
    /// The reads of the response in order, headers included.
    pub reads: Vec<Read>,
    framing: Framing,
}

impl ExchangeLog {
    fn new(sent: Instant) -> Self {
        Self { sent, written: sent, headers: None, reads: Vec::new(), framing: Framing::new() }
    }

    fn read(&mut self, bytes: &[u8], at: Instant) {
        self.framing.push(bytes);
        if self.headers.is_none() && self.framing.past_head() {
            self.headers = Some(at);
        }
        self.reads.push(Read { at, body: self.framing.body() });
    }

    /// The read that brought the body byte before offset `end`, with its number from 0.
    pub fn read_that_reached(&self, end: u64) -> Option<(u32, Instant)> {
        let index = self.reads.partition_point(|read| read.body < end);
        self.reads.get(index).map(|read| (index as u32, read.at))
    }

    /// Whether the response was read to its end.
    pub fn is_complete(&self) -> bool {
        self.framing.complete()
    }

    /// The first read that carried a byte of the body.
    pub fn first_body_read(&self) -> Option<Instant> {
        self.reads.iter().find(|read| read.body > 0).map(|read| read.at)
    }
}

/// The stamps of a connection's exchange under way. A connection serves one exchange at a time.
#[derive(Debug, Clone, Default)]
pub struct StampLog(Arc<Mutex<Option<ExchangeLog>>>);

impl StampLog {
    /// Takes the stamps of the exchange that just ended, leaving none.
    pub fn take(&self) -> Option<ExchangeLog> {
        self.with(Option::take)
    }

    /// The stamps of an exchange that shares its connection, from now on: taken where its task hands over the
    /// request and sees head and pieces of the response, before the first byte is written and after each was
    /// read.
    pub(super) fn of_shared() -> Self {
        Self(Arc::new(Mutex::new(Some(ExchangeLog::new(Instant::now())))))
    }

    pub(super) fn saw_head(&self) {
        self.note(|log| log.headers = Some(Instant::now()));
    }

    pub(super) fn saw_body(&self, bytes: usize) {
        self.note(|log| {
            let before = log.reads.last().map_or(0, |read| read.body);
            log.reads.push(Read { at: Instant::now(), body: before + bytes as u64 });
        });
    }

    /// Notes something of the exchange under way, if there is one.
    fn note(&self, f: impl FnOnce(&mut ExchangeLog)) {
        self.with(|log| log.as_mut().map(f));
    }

    fn with<T>(&self, f: impl FnOnce(&mut Option<ExchangeLog>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Notes when each read below TLS returned.
#[derive(Debug)]
pub(crate) struct ReadClock<S> {
    inner: S,
    last: Arc<Mutex<Option<Instant>>>,
}

impl<S> ReadClock<S> {
    pub(crate) fn new(inner: S) -> (Self, LastRead) {
        let last = Arc::new(Mutex::new(None));
        (Self { inner, last: Arc::clone(&last) }, LastRead(Some(last)))
    }
}

/// When the socket below TLS was last read; without TLS, now.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastRead(Option<Arc<Mutex<Option<Instant>>>>);

impl LastRead {
    fn at(&self) -> Instant {
        let below = self.0.as_ref().and_then(|last| *last.lock().unwrap_or_else(PoisonError::into_inner));
        below.unwrap_or_else(Instant::now)
    }
}

/// The most that is read ahead of hyper before the server is held back.
const MAX_AHEAD: usize = 4 * 1024 * 1024;
/// The most that one read takes: events of one burst should share a read.
const READ_SIZE: usize = 64 * 1024;

/// The socket with what was read of it and not yet taken.
#[derive(Debug)]
struct Socket<S> {
    inner: S,
    last_read: LastRead,
    log: StampLog,
    buffer: Box<[u8]>,
    ahead: BytesMut,
    ended: Option<Result<(), io::ErrorKind>>,
}

impl<S: AsyncRead + Unpin> Socket<S> {
    /// Reads all that is there, and stamps each read.
    fn fill(&mut self, cx: &mut Context<'_>) {
        while self.ended.is_none() && self.ahead.len() < MAX_AHEAD {
            let mut buffer = ReadBuf::new(&mut self.buffer);
            match Pin::new(&mut self.inner).poll_read(cx, &mut buffer) {
                Poll::Pending => return,
                Poll::Ready(Err(error)) => self.ended = Some(Err(error.kind())),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => self.ended = Some(Ok(())),
                Poll::Ready(Ok(())) => {
                    let at = self.last_read.at();
                    let bytes = buffer.filled();
                    self.log.note(|log| log.read(bytes, at));
                    self.ahead.extend_from_slice(bytes);
                }
            }
        }
    }
}

/// The connection as hyper uses it: stamps the request's writes and counts the body bytes of each read.
///
/// hyper reads no further while the body's last piece waits to be taken, so that the stamps of what follows
/// would be those of a slow reader. The task of the connection therefore calls [`ReadAhead::fill`] first.
#[derive(Debug)]
pub(crate) struct Stamped<S>(Arc<Mutex<Socket<S>>>);

/// Reads the socket when it is ready, whether or not hyper asks for it.
#[derive(Debug)]
pub(crate) struct ReadAhead<S>(Arc<Mutex<Socket<S>>>);

impl<S: AsyncRead + Unpin> ReadAhead<S> {
    /// Reads and stamps all that is there, and has `cx` woken when there is more.
    pub(crate) fn fill(&self, cx: &mut Context<'_>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(cx);
    }
}

impl<S> Stamped<S> {
    pub(crate) fn new(inner: S, last_read: LastRead) -> (Self, ReadAhead<S>, StampLog) {
        let log = StampLog::default();
        let buffer = vec![0; READ_SIZE].into_boxed_slice();
        let socket =
            Socket { inner, last_read, log: log.clone(), buffer, ahead: BytesMut::new(), ended: None };
        let socket = Arc::new(Mutex::new(socket));
        (Self(Arc::clone(&socket)), ReadAhead(socket), log)
    }

    fn socket(&self) -> MutexGuard<'_, Socket<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadClock<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if buf.filled().len() > before {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stamped<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut socket = self.socket();
        if socket.ahead.is_empty() {
            socket.fill(cx);
        }
        if socket.ahead.is_empty() {
            return match socket.ended {
                None => Poll::Pending,
                Some(ended) => Poll::Ready(ended.map_err(io::Error::from)),
            };
        }
        let taken = socket.ahead.len().min(buf.remaining());
        buf.put_slice(&socket.ahead.split_to(taken));
        Poll::Ready(Ok(()))
    }
}

impl<S> Socket<S> {
    fn wrote(&self, before: Instant, polled: &Poll<io::Result<usize>>) {
        if matches!(polled, Poll::Ready(Ok(written)) if *written > 0) {
            let after = Instant::now();
            self.log.with(|log| log.get_or_insert_with(|| ExchangeLog::new(before)).written = after);
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stamped<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut socket = self.socket();
        let before = Instant::now();
        let polled = Pin::new(&mut socket.inner).poll_write(cx, bytes);
        socket.wrote(before, &polled);
        polled
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut socket = self.socket();
        let before = Instant::now();
        let polled = Pin::new(&mut socket.inner).poll_write_vectored(cx, slices);
        socket.wrote(before, &polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.socket().inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket().inner).poll_shutdown(cx)
    }
}

/// Writes pass through.
impl<S: AsyncWrite + Unpin> AsyncWrite for ReadClock<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn each_body_offset_leads_to_the_read_that_brought_it() {
        // Given a response that arrives in three reads, the second within a chunk
        let parts = ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "6\r\nabc", "def\r\n0\r\n\r\n"];
        let mut io = tokio_test_io(&parts);
        let (mut stamped, _, log) = Stamped::new(&mut io, LastRead::default());
        // When a request is written and the response read
        stamped.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut buffer = [0; 256];
        while stamped.read(&mut buffer).await.unwrap() > 0 {}
        // Then each byte belongs to its own read, and the head to the first
        let log = log.take().unwrap();
        let reads: Vec<_> = (1..=6).map(|end| log.read_that_reached(end).unwrap().0).collect();
        assert_eq!(reads, [1, 1, 1, 2, 2, 2]);
        assert_eq!(log.headers, Some(log.reads[0].at));
        assert_eq!(log.first_body_read(), Some(log.reads[1].at));
        assert!(log.read_that_reached(7).is_none() && log.sent <= log.written);
    }

    /// A reader that returns each part in a read of its own, and swallows writes.
    fn tokio_test_io(parts: &[&'static str]) -> impl AsyncRead + AsyncWrite + Unpin {
        let parts: Vec<io::Result<bytes::Bytes>> =
            parts.iter().map(|part| Ok(bytes::Bytes::from_static(part.as_bytes()))).collect();
        tokio::io::join(StreamReader(parts.into()), tokio::io::sink())
    }

    struct StreamReader(std::collections::VecDeque<io::Result<bytes::Bytes>>);

    impl AsyncRead for StreamReader {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if let Some(part) = self.0.pop_front() {
                buf.put_slice(&part?);
            }
            Poll::Ready(Ok(()))
        }
    }
}
