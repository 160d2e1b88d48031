//! The socket of a connection, plain or under TLS, that knows when it was read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::arrival;

/// What a read brought was there when, and which read it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Read {
    /// When its last byte arrived, or, where the system does not say, when it returned; below TLS, where there is TLS.
    pub(crate) at: Instant,
    /// Its number among the reads of the response, from 0.
    pub(crate) number: u32,
}

/// How much earlier than the read or write before it a byte may seem to have arrived: the clocks of both are read one
/// after the other. What seems earlier still tells of a clock that was set.
const SKEW: Duration = Duration::from_millis(1);

/// A TCP socket that notes when the bytes of its last read arrived, and counts its reads.
#[derive(Debug)]
pub(crate) struct Clocked {
    tcp: TcpStream,
    last: Instant,
    reads: u32,
}

impl Clocked {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        arrival::prepare(&tcp);
        Self { tcp, last: Instant::now(), reads: 0 }
    }
}

/// When what a read at `now` brought arrived, so long ago, after what happened at `last`.
fn arrived(now: Instant, ago: Option<Duration>, last: Instant) -> Instant {
    let Some(at) = ago.and_then(|ago| now.checked_sub(ago)) else { return now };
    if at + SKEW < last { now } else { at.max(last) }
}

impl AsyncRead for Clocked {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let ago = ready!(arrival::poll_read(&mut self.tcp, cx, buf))?;
        if buf.filled().len() > before {
            self.last = arrived(Instant::now(), ago, self.last);
            self.reads = self.reads.wrapping_add(1);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Clocked {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // Nothing that is read from now on can be an answer before this.
        self.last = Instant::now();
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// What HTTP is spoken on: the socket itself, or TLS over it.
#[derive(Debug)]
pub(crate) struct Socket(Either<Clocked, Box<TlsStream<Clocked>>>);

impl Socket {
    pub(crate) fn plain(tcp: Clocked) -> Self {
        Self(Either::Left(tcp))
    }

    pub(crate) fn tls(stream: TlsStream<Clocked>) -> Self {
        Self(Either::Right(Box::new(stream)))
    }

    /// The number of reads so far, below TLS.
    pub(crate) fn reads(&self) -> u32 {
        self.clocked().reads
    }

    /// The last read, numbered from where [`reads`](Self::reads) stood before the response.
    pub(crate) fn last_read(&self, before: u32) -> Read {
        let Clocked { last, reads, .. } = self.clocked();
        // What TLS had taken in before and gives out only now belongs to the first read.
        Read { at: *last, number: reads.wrapping_sub(before).saturating_sub(1) }
    }

    fn clocked(&self) -> &Clocked {
        match &self.0 {
            Either::Left(tcp) => tcp,
            Either::Right(stream) => stream.get_ref().0,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrival_is_believed_unless_the_clock_was_set() {
        let last = Instant::now();
        let now = last + Duration::from_secs(3);
        let ago = |ms| arrived(now, Some(Duration::from_millis(ms)), last);
        // Read two seconds late
        assert_eq!(ago(2_000), last + Duration::from_secs(1));
        // Before the request, by less than the clocks are apart
        assert_eq!(arrived(now, Some(Duration::from_micros(3_000_100)), last), last);
        // Before the request, since somebody set the clock; or nobody says when
        assert_eq!([ago(60_000), arrived(now, None, last)], [now; 2]);
    }
}
