//! A server that sends an answer in pieces, over whatever carries it, and notes when.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

use super::corpus::Fixture;
use crate::tls::Identity;

/// How a body travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// An HTTP chunk for each piece.
    Chunked,
    /// Head, body and its end in one write.
    OneWrite,
    /// Each byte of the response in a write of its own, head and framing included.
    Bytes,
    /// A body whose length the head tells.
    Length,
    /// HTTP/1.0: the body ends with the connection.
    Close,
    /// Chunks with extensions, and trailers after the last.
    Trailers,
    /// Two informational responses before the head.
    Informational,
    /// Compressed, though nobody asked for it; flushed after each piece.
    Gzip,
    /// Chunks over TLS.
    Tls,
    /// Frames of HTTP/2.
    Http2,
}

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

/// One write, what it begins, and how many pauses are before it.
struct Write {
    bytes: Vec<u8>,
    begins_piece: bool,
    pauses: u32,
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

/// How many pauses the server makes before piece `number`: the longest where the case states the longest gap.
fn pauses(case: &Fixture, number: usize) -> u32 {
    let longest = case.stated.answer.as_ref().and_then(|figures| figures.max_gap);
    match longest {
        Some([_, to]) if to == number => case.stated.pieces as u32 + 3,
        _ => 1,
    }
}

async fn over_http1<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    case: &Fixture,
    carrier: Carrier,
    pause: Duration,
    times: &Written,
) -> std::io::Result<()> {
    read_request(&mut stream).await?;
    for (number, write) in writes(case, carrier).iter().enumerate() {
        let stalls = !matches!(carrier, Carrier::OneWrite | Carrier::Bytes);
        if stalls && write.begins_piece && case.stated.stall_before == Some(number) {
            tokio::time::sleep(STALL).await;
        }
        if write.pauses > 0 {
            tokio::time::sleep(pause * write.pauses).await;
        }
        if write.begins_piece {
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

/// The response in the order of its writes. The head begins piece 0.
fn writes(case: &Fixture, carrier: Carrier) -> Vec<Write> {
    let pieces = case.pieces();
    let kind = if case.streamed { "text/event-stream; charset=utf-8" } else { "application/json" };
    let head = |version: &str, rest: &str| {
        format!("HTTP/{version} 200 OK\r\ncontent-type: {kind}\r\ncache-control: no-cache\r\n{rest}\r\n")
            .into_bytes()
    };
    let chunked = head("1.1", "transfer-encoding: chunked\r\n");
    let chunk = |bytes: &[u8], extension: &str| {
        [format!("{:x}{extension}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
    };
    let chunks = |extension: &str| pieces.iter().map(|piece| chunk(piece, extension)).collect::<Vec<_>>();
    let plain = || pieces.iter().map(|piece| piece.to_vec()).collect::<Vec<_>>();
    let last = b"0\r\n\r\n".to_vec();
    let (head, body, end) = match carrier {
        Carrier::Chunked | Carrier::Bytes | Carrier::OneWrite | Carrier::Tls | Carrier::Http2 => {
            (chunked, chunks(""), last)
        }
        Carrier::Length => {
            (head("1.1", &format!("content-length: {}\r\n", case.body.len())), plain(), Vec::new())
        }
        Carrier::Close => (head("1.0", ""), plain(), Vec::new()),
        Carrier::Trailers => {
            let head = head("1.1", "trailer: x-cost\r\ntransfer-encoding: chunked\r\n");
            (
                head,
                chunks(";part=\"a;b\""),
                b"0;end\r\nx-cost: 1\r\nserver-timing: total;dur=9\r\n\r\n".to_vec(),
            )
        }
        Carrier::Informational => {
            let before = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
            ([&before[..], &chunked].concat(), chunks(""), last)
        }
        Carrier::Gzip => {
            let head = head("1.1", "content-encoding: gzip\r\ntransfer-encoding: chunked\r\n");
            let (compressed, trailer) = compress(&pieces);
            let chunks = compressed.iter().map(|piece| chunk(piece, "")).collect();
            (head, chunks, [chunk(&trailer, ""), last].concat())
        }
    };
    if carrier == Carrier::OneWrite {
        let bytes = [vec![head], body, vec![end]].concat().concat();
        return vec![Write { bytes, begins_piece: true, pauses: 0 }];
    }
    let pieces = body.into_iter().enumerate().map(|(index, bytes)| Write {
        bytes,
        begins_piece: true,
        pauses: pauses(case, index + 1),
    });
    [Write { bytes: head, begins_piece: true, pauses: 0 }]
        .into_iter()
        .chain(pieces)
        .chain([Write { bytes: end, begins_piece: false, pauses: 1 }])
        .collect()
}

/// Each piece compressed and flushed, and what ends the whole.
fn compress(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut compress = |piece: &&[u8]| {
        encoder.write_all(piece).and_then(|()| encoder.flush()).expect("memory takes it all");
        std::mem::take(encoder.get_mut())
    };
    let compressed = pieces.iter().map(&mut compress).collect();
    (compressed, encoder.finish().expect("memory takes it all"))
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

#[test]
fn a_compressed_piece_is_whole_when_it_was_flushed() {
    let pieces = [&b"data: one\n\n"[..], b"data: two\n\n"];
    let (compressed, trailer) = compress(&pieces);
    let mut decoder = flate2::write::GzDecoder::new(Vec::new());
    for (compressed, piece) in compressed.iter().zip(pieces) {
        decoder.write_all(compressed).and_then(|()| decoder.flush()).unwrap();
        assert_eq!(std::mem::take(decoder.get_mut()), piece);
    }
    decoder.write_all(&trailer).unwrap();
    assert_eq!(decoder.finish().unwrap(), b"");
}
