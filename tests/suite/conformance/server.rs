//! A server that sends an answer in pieces, over whatever carries it, and notes when.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

use super::carrier::{Carrier, pauses, writes};
use super::corpus::Fixture;
use crate::tls::Identity;

/// When the server began to write the head (0) and each piece of the body.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<Instant>>>);

impl Written {
    fn note(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
    }

    pub(crate) fn times(&self) -> Vec<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How long the server of a case that stalls does so.
const STALL: Duration = Duration::from_millis(300);

/// Serves `case` once on a free port; says which, and when what was written.
pub(crate) async fn serve(
    case: &Fixture,
    carrier: Carrier,
    pause: Duration,
    identity: &Identity,
) -> (u16, Written, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("a bound socket has an address").port();
    let written = Written::default();
    let (case, times, acceptor) = (case.clone(), written.clone(), identity.acceptor.clone());
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client comes");
        stream.set_nodelay(true).expect("an option of every socket");
        // A client that has seen enough hangs up: its own side says why.
        let _ = match carrier {
            Carrier::Http2 => over_http2(stream, &case, pause, &times).await,
            Carrier::Tls => match acceptor.accept(stream).await {
                Ok(stream) => over_http1(stream, &case, carrier, pause, &times).await,
                Err(error) => Err(error),
            },
            _ => over_http1(stream, &case, carrier, pause, &times).await,
        };
    });
    (port, written, serving)
}

async fn over_http1<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    case: &Fixture,
    carrier: Carrier,
    pause: Duration,
    times: &Written,
) -> std::io::Result<()> {
    read_request(&mut stream).await?;
    let stalls = !matches!(carrier, Carrier::OneWrite | Carrier::Bytes);
    for write in writes(case, carrier) {
        if stalls && write.begins.is_some() && case.stated.stall_before == write.begins {
            tokio::time::sleep(STALL).await;
        }
        if write.pauses > 0 {
            tokio::time::sleep(pause * write.pauses).await;
        }
        if write.begins.is_some() {
            times.note();
        }
        if carrier == Carrier::Bytes {
            for byte in write.bytes.chunks(1) {
                stream.write_all(byte).await?;
                // The runtime looks at its sockets before it comes back here: the byte is read first.
                tokio::task::yield_now().await;
            }
        } else {
            stream.write_all(&write.bytes).await?;
            stream.flush().await?;
        }
    }
    stream.shutdown().await?;
    // Closed with unread bytes a socket resets, and what was written might be lost.
    while stream.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

/// Reads a request with its body.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> std::io::Result<()> {
    let mut raw = Vec::new();
    loop {
        if let Some(end) = raw.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&raw[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if raw.len() >= end + 4 + length.unwrap_or(0) {
                return Ok(());
            }
        }
        if stream.read_buf(&mut raw).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn over_http2(
    stream: tokio::net::TcpStream,
    case: &Fixture,
    pause: Duration,
    times: &Written,
) -> std::io::Result<()> {
    let mut connection = h2::server::handshake(stream).await.map_err(std::io::Error::other)?;
    let Some(accepted) = connection.accept().await else { return Ok(()) };
    let (mut request, mut respond) = accepted.map_err(std::io::Error::other)?;
    let connection = tokio::spawn(async move { while let Some(Ok(_)) = connection.accept().await {} });
    while let Some(part) = request.body_mut().data().await {
        let length = part.map_err(std::io::Error::other)?.len();
        let _ = request.body_mut().flow_control().release_capacity(length);
    }
    let kind = if case.streamed { "text/event-stream" } else { "application/json" };
    let head = http::Response::builder().header("content-type", kind).body(()).expect("a response");
    times.note();
    let mut body = respond.send_response(head, false).map_err(std::io::Error::other)?;
    for (index, piece) in case.pieces().into_iter().enumerate() {
        if case.stated.stall_before == Some(index + 1) {
            tokio::time::sleep(STALL).await;
        }
        tokio::time::sleep(pause * pauses(case, index + 1)).await;
        times.note();
        body.send_data(Bytes::copy_from_slice(piece), false).map_err(std::io::Error::other)?;
    }
    tokio::time::sleep(pause).await;
    body.send_data(Bytes::new(), true).map_err(std::io::Error::other)?;
    // The connection is served until its client leaves.
    let _ = connection.await;
    Ok(())
}
