//! How the same body travels in different ways.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::corpus::Fixture;

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

/// One write, and how many pauses are before it.
pub(super) struct Write {
    pub(super) bytes: Vec<u8>,
    /// The piece that it begins, if it begins one.
    pub(super) begins: Option<usize>,
    pub(super) pauses: u32,
}

/// How many pauses the server makes before piece `number`: the longest where the case states the longest gap.
pub(super) fn pauses(case: &Fixture, number: usize) -> u32 {
    let longest = case.stated.answer.as_ref().and_then(|figures| figures.max_gap);
    match longest {
        Some([_, to]) if to == number => case.stated.pieces as u32 + 3,
        _ => 1,
    }
}

/// The response in the order of its writes. The head begins piece 0.
pub(super) fn writes(case: &Fixture, carrier: Carrier) -> Vec<Write> {
    let Response { before, head, body, end } = response(case, carrier);
    if carrier == Carrier::OneWrite {
        let bytes = [vec![head], body, vec![end]].concat().concat();
        return vec![Write { bytes, begins: Some(0), pauses: 0 }];
    }
    let before = before.into_iter().map(|bytes| Write { bytes, begins: None, pauses: 1 });
    let pieces = body.into_iter().enumerate().map(|(index, bytes)| Write {
        bytes,
        begins: Some(index + 1),
        pauses: pauses(case, index + 1),
    });
    before
        .chain([Write { bytes: head, begins: Some(0), pauses: 1 }])
        .chain(pieces)
        .chain([Write { bytes: end, begins: None, pauses: 1 }])
        .collect()
}

/// A response in parts.
struct Response {
    /// What comes before the head.
    before: Vec<Vec<u8>>,
    head: Vec<u8>,
    /// The pieces of the body, framed.
    body: Vec<Vec<u8>>,
    /// What ends the body.
    end: Vec<u8>,
}

fn response(case: &Fixture, carrier: Carrier) -> Response {
    let pieces = case.pieces();
    let head = |version: &str, framing: &str| {
        let kind = if case.streamed { "text/event-stream; charset=utf-8" } else { "application/json" };
        format!("HTTP/{version} 200 OK\r\ncontent-type: {kind}\r\n{framing}\r\n").into_bytes()
    };
    let unframed = |head| Response {
        before: Vec::new(),
        head,
        body: pieces.iter().map(|piece| piece.to_vec()).collect(),
        end: Vec::new(),
    };
    let chunked = Response {
        before: Vec::new(),
        head: head("1.1", "transfer-encoding: chunked\r\n"),
        body: pieces.iter().map(|piece| chunk(piece, "")).collect(),
        end: b"0\r\n\r\n".to_vec(),
    };
    match carrier {
        Carrier::Chunked | Carrier::Bytes | Carrier::OneWrite | Carrier::Tls | Carrier::Http2 => chunked,
        Carrier::Length => unframed(head("1.1", &format!("content-length: {}\r\n", case.body.len()))),
        Carrier::Close => unframed(head("1.0", "")),
        Carrier::Trailers => Response {
            head: head("1.1", "trailer: x-cost\r\ntransfer-encoding: chunked\r\n"),
            body: pieces.iter().map(|piece| chunk(piece, ";part=\"a;b\"")).collect(),
            end: b"0;end\r\nx-cost: 1\r\nserver-timing: total;dur=9\r\n\r\n".to_vec(),
            ..chunked
        },
        Carrier::Informational => {
            let hints = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".to_vec();
            Response { before: vec![b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), hints], ..chunked }
        }
        Carrier::Gzip => {
            let (compressed, trailer) = compress(&pieces);
            Response {
                head: head("1.1", "content-encoding: gzip\r\ntransfer-encoding: chunked\r\n"),
                body: compressed.iter().map(|piece| chunk(piece, "")).collect(),
                end: [chunk(&trailer, ""), chunked.end].concat(),
                ..chunked
            }
        }
    }
}

/// An HTTP chunk.
fn chunk(bytes: &[u8], extension: &str) -> Vec<u8> {
    [format!("{:x}{extension}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
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
