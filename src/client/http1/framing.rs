//! Where a response's head ends, and which of the bytes after it are its body (RFC 9112).
//!
//! A body is handed on as it stands in the read: nothing is copied, and whoever takes it knows the read it came in.

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// The most that a response head may take.
const MAX_HEAD: usize = 400 * 1024;
/// The most header fields that it may have.
const MAX_HEADERS: usize = 128;
/// The most that the line of a chunk's size, or all trailers, may take.
const MAX_LINE: u32 = 64 * 1024;

/// The head of a response.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Whether the server promises to keep the connection.
    keeps: bool,
}

impl Head {
    /// A head that says nothing of its connection.
    pub(crate) fn new(status: StatusCode, headers: HeaderMap) -> Self {
        Self { status, headers, keeps: false }
    }
}

/// A response that breaks the rules of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FramingError {
    #[error("the response's head cannot be read: {0}")]
    Head(#[from] httparse::Error),
    #[error("the response's head is longer than {MAX_HEAD} bytes")]
    LongHead,
    #[error("the response's length is no number, or two")]
    Length,
    #[error("a chunk's size is no hexadecimal number")]
    ChunkSize,
    #[error("a chunk is longer than its size")]
    ChunkEnd,
    #[error("a chunk's extensions or the trailers are longer than {MAX_LINE} bytes")]
    LongLine,
}

/// Whoever takes the pieces of a body.
pub(crate) type Sink<'a> = dyn FnMut(&Head, &[u8]) + 'a;

/// A position in the raw bytes of one response.
#[derive(Debug)]
pub(crate) struct Framing {
    head: Option<Head>,
    state: State,
    /// Whether something followed the response that is no part of it.
    excess: bool,
}

#[derive(Debug)]
enum State {
    Head(Vec<u8>),
    Length(u64),
    UntilClose,
    Chunked(Chunk),
    Complete,
}

#[derive(Debug, Clone, Copy)]
enum Chunk {
    /// In the hexadecimal size, of so many digits so far.
    Size {
        size: u64,
        digits: u32,
    },
    /// In the rest of the line after it: so many bytes of it.
    Extension {
        size: u64,
        length: u32,
    },
    Data(u64),
    /// In the line end after a chunk's data.
    DataEnd,
    /// In the trailers: whether the current line holds anything, and all bytes of them so far.
    Trailer {
        filled: bool,
        length: u32,
    },
}

impl Framing {
    pub(crate) fn new() -> Self {
        Self { head: None, state: State::Head(Vec::new()), excess: false }
    }

    /// The head of the final response, once it is complete.
    pub(crate) fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// Takes the head.
    pub(crate) fn into_head(self) -> Option<Head> {
        self.head
    }

    /// Whether the response is complete. A body that ends with the connection never says so.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.state, State::Complete)
    }

    /// Whether the connection's end is the body's end.
    pub(crate) fn may_end(&self) -> bool {
        matches!(self.state, State::UntilClose | State::Complete)
    }

    /// Whether the connection can carry another exchange.
    pub(crate) fn keeps_connection(&self) -> bool {
        self.is_complete() && !self.excess && self.head.as_ref().is_some_and(|head| head.keeps)
    }

    /// Follows the next raw bytes of the response and hands those of its body to `sink`.
    ///
    /// # Errors
    /// When they break the rules; the position is lost then.
    pub(crate) fn push(&mut self, mut bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), FramingError> {
        while !bytes.is_empty() {
            let used = match &mut self.state {
                State::Head(_) => self.in_head(bytes)?,
                State::Complete => {
                    self.excess = true;
                    return Ok(());
                }
                State::Length(left) => {
                    let used = take(bytes, *left);
                    *left -= used as u64;
                    if *left == 0 {
                        self.state = State::Complete;
                    }
                    self.hand_on(&bytes[..used], sink);
                    used
                }
                State::UntilClose => {
                    self.hand_on(bytes, sink);
                    bytes.len()
                }
                State::Chunked(chunk) => {
                    let (used, body, next) = chunk.step(bytes)?;
                    self.state = next.map_or(State::Complete, State::Chunked);
                    if body {
                        self.hand_on(&bytes[..used], sink);
                    }
                    used
                }
            };
            bytes = &bytes[used..];
        }
        Ok(())
    }

    fn hand_on(&self, body: &[u8], sink: &mut Sink<'_>) {
        // The body's state follows the head's.
        if let Some(head) = &self.head {
            sink(head, body);
        }
    }

    /// Adds to the head until its empty line, and returns how many bytes belonged to it.
    fn in_head(&mut self, bytes: &[u8]) -> Result<usize, FramingError> {
        let State::Head(head) = &mut self.state else { return Ok(0) };
        let known = head.len();
        // Most heads come whole, and need not be kept.
        if known > 0 {
            head.extend_from_slice(bytes);
        }
        let Some((length, final_response)) = read_head(if known > 0 { head } else { bytes })? else {
            if known == 0 {
                head.extend_from_slice(bytes);
            }
            return if head.len() > MAX_HEAD { Err(FramingError::LongHead) } else { Ok(bytes.len()) };
        };
        (self.head, self.state) = match final_response {
            Some((head, state)) => (Some(head), state),
            // An informational response: the real one follows.
            None => (None, State::Head(Vec::new())),
        };
        Ok(length - known)
    }
}

/// What is understood of a response that comes in pieces: status, body, whether it is complete and keeps its connection;
/// or what is wrong with it. For the fuzzers.
#[cfg(fuzzing)]
pub fn follow<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Option<u16>, Vec<u8>, bool, Result<bool, String>) {
    let (mut framing, mut body) = (Framing::new(), Vec::new());
    let mut pieces = pieces.into_iter();
    let followed =
        pieces.try_for_each(|piece| framing.push(piece, &mut |_, part| body.extend_from_slice(part)));
    let kept = followed.map(|()| framing.keeps_connection()).map_err(|error| error.to_string());
    (framing.head().map(|head| head.status.as_u16()), body, framing.is_complete(), kept)
}

fn take(bytes: &[u8], left: u64) -> usize {
    usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()))
}

/// A head's length, what it says and what follows it (RFC 9112, section 6.3), without the latter for an informational
/// response; `None` while it is not complete. What can never become a head is refused at once.
#[expect(clippy::type_complexity, reason = "it is taken apart where it is called")]
fn read_head(raw: &[u8]) -> Result<Option<(usize, Option<(Head, State)>)>, FramingError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(length) = response.parse(raw)? else { return Ok(None) };
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(httparse::Error::Status)?;
    // What follows a switch of protocols is no HTTP.
    if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Some((length, None)));
    }
    let mut headers = HeaderMap::with_capacity(response.headers.len());
    for field in response.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| httparse::Error::HeaderName)?;
        let value = HeaderValue::from_bytes(field.value).map_err(|_| httparse::Error::HeaderValue)?;
        headers.append(name, value);
    }
    let connection = |word: &str| says(&headers, CONNECTION, word);
    let keeps = if status == StatusCode::SWITCHING_PROTOCOLS {
        false
    } else if response.version == Some(1) {
        !connection("close")
    } else {
        connection("keep-alive")
    };
    let state = body_of(status, &headers)?;
    Ok(Some((length, Some((Head { status, headers, keeps }, state)))))
}

/// Whether a header's list has this word.
fn says(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let values = headers.get_all(name);
    let mut words = values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    words.any(|said| said.trim().eq_ignore_ascii_case(word))
}

fn body_of(status: StatusCode, headers: &HeaderMap) -> Result<State, FramingError> {
    let bodiless = [StatusCode::SWITCHING_PROTOCOLS, StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
    if bodiless.contains(&status) {
        return Ok(State::Complete);
    }
    if let Some(coding) = headers.get_all(TRANSFER_ENCODING).iter().next_back() {
        let is_chunked = coding.as_bytes().to_ascii_lowercase().ends_with(b"chunked");
        return Ok(if is_chunked { State::Chunked(Chunk::START) } else { State::UntilClose });
    }
    let lengths = headers.get_all(CONTENT_LENGTH).iter();
    let mut lengths = lengths.map(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    match lengths.next() {
        None => Ok(State::UntilClose),
        Some(first) if lengths.any(|other| other != first) => Err(FramingError::Length),
        Some(None) => Err(FramingError::Length),
        Some(Some(0)) => Ok(State::Complete),
        Some(Some(length)) => Ok(State::Length(length)),
    }
}

impl Chunk {
    const START: Self = Self::Size { size: 0, digits: 0 };

    /// One step through a chunked body: the bytes used, whether they are the body's, and the state after, if any.
    fn step(self, bytes: &[u8]) -> Result<(usize, bool, Option<Self>), FramingError> {
        let byte = bytes[0];
        let next = match self {
            Self::Data(left) => {
                let used = take(bytes, left);
                let left = left - used as u64;
                return Ok((used, true, Some(if left == 0 { Self::DataEnd } else { Self::Data(left) })));
            }
            Self::Size { size, digits } => return Self::in_size(size, digits, bytes),
            Self::Extension { size, .. } if byte == b'\n' => Self::after_size(size),
            Self::Extension { size, length } if length < MAX_LINE => {
                Self::Extension { size, length: length + 1 }
            }
            Self::DataEnd if byte == b'\n' => Self::START,
            Self::DataEnd if byte == b'\r' => Self::DataEnd,
            Self::DataEnd => return Err(FramingError::ChunkEnd),
            Self::Trailer { filled: false, .. } if byte == b'\n' => return Ok((1, false, None)),
            Self::Trailer { filled, length } if length < MAX_LINE => {
                let filled = byte != b'\n' && (filled || byte != b'\r');
                Self::Trailer { filled, length: length + 1 }
            }
            Self::Extension { .. } | Self::Trailer { .. } => return Err(FramingError::LongLine),
        };
        Ok((1, false, Some(next)))
    }

    /// Reads the digits that are there, and a plain line end after them.
    fn in_size(
        mut size: u64,
        mut digits: u32,
        bytes: &[u8],
    ) -> Result<(usize, bool, Option<Self>), FramingError> {
        for (at, &byte) in bytes.iter().enumerate() {
            let Some(digit) = (byte as char).to_digit(16) else {
                return match byte {
                    _ if digits == 0 => Err(FramingError::ChunkSize),
                    b'\n' => Ok((at + 1, false, Some(Self::after_size(size)))),
                    b'\r' if bytes.get(at + 1) == Some(&b'\n') => {
                        Ok((at + 2, false, Some(Self::after_size(size))))
                    }
                    b'\r' | b';' | b' ' | b'\t' => {
                        Ok((at + 1, false, Some(Self::Extension { size, length: 0 })))
                    }
                    _ => Err(FramingError::ChunkSize),
                };
            };
            // Zeros before a number are no part of it.
            (size, digits) = (size << 4 | u64::from(digit), if size == 0 { 1 } else { digits + 1 });
            if digits > 15 {
                return Err(FramingError::ChunkSize);
            }
        }
        Ok((bytes.len(), false, Some(Self::Size { size, digits })))
    }

    fn after_size(size: u64) -> Self {
        if size == 0 { Self::Trailer { filled: false, length: 0 } } else { Self::Data(size) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What of the raw response is body, piece by piece, and the position after it.
    fn follow(raw: &[u8], cuts: &[usize]) -> Result<(Vec<Vec<u8>>, Framing), FramingError> {
        let mut framing = Framing::new();
        let mut pieces = Vec::new();
        let mut from = 0;
        for &cut in cuts.iter().chain([&raw.len()]) {
            let mut piece = Vec::new();
            framing.push(&raw[from..cut], &mut |_, body| piece.extend_from_slice(body))?;
            pieces.push(piece);
            from = cut;
        }
        Ok((pieces, framing))
    }

    fn chunked(chunks: &[Vec<u8>]) -> Vec<u8> {
        let mut raw = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in chunks {
            raw.extend(format!("{:x};ext=1\r\n", chunk.len()).bytes());
            raw.extend(chunk);
            raw.extend(b"\r\n");
        }
        raw.extend(b"0\r\nx-trailer: y\r\n\r\n");
        raw
    }

    proptest! {
        #[test]
        fn no_split_of_a_chunked_response_changes_its_body(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let raw = chunked(&chunks);
            let mut cuts: Vec<_> = cuts.iter().map(|i| i.index(raw.len())).collect();
            cuts.sort_unstable();
            let (pieces, framing) = follow(&raw, &cuts).unwrap();
            prop_assert_eq!(pieces.concat(), chunks.concat());
            prop_assert!(framing.keeps_connection());
        }
    }

    #[test]
    fn a_chunk_that_takes_two_reads_is_handed_on_in_two_pieces() {
        let raw = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n";
        let cut = raw.len() - "def\r\n0\r\n\r\n".len();
        assert_eq!(follow(raw, &[cut]).unwrap().0, [b"abc", b"def"]);
    }

    #[test]
    fn a_length_ends_the_body_and_no_length_goes_on_until_the_close() {
        let (pieces, framing) = follow(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", &[]).unwrap();
        assert!(framing.keeps_connection() && pieces == [b"abc"]);
        let (pieces, framing) = follow(b"HTTP/1.0 200 OK\r\n\r\nabc", &[]).unwrap();
        assert!(!framing.is_complete() && framing.may_end() && pieces == [b"abc"]);
    }

    #[test]
    fn a_connection_is_kept_if_the_server_says_so_and_no_more() {
        for (raw, kept) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nConnection: x, Close\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: Keep-Alive\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n", false),
        ] {
            assert_eq!(follow(raw.as_bytes(), &[]).unwrap().1.keeps_connection(), kept, "{raw}");
        }
    }

    #[test]
    fn what_breaks_the_rules_is_refused() {
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        for (raw, error) in [
            ("220 mail.example ESMTP\r\n".into(), FramingError::Head(httparse::Error::Version)),
            ("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n".into(), FramingError::Length),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".into(),
                FramingError::Length,
            ),
            (format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(MAX_HEAD)), FramingError::LongHead),
            (format!("{chunked}\r\n"), FramingError::ChunkSize),
            (format!("{chunked}g\r\n"), FramingError::ChunkSize),
            (format!("{chunked}fffffffffffffffff\r\n"), FramingError::ChunkSize),
            (format!("{chunked}1\r\nab"), FramingError::ChunkEnd),
            (format!("{chunked}1;{}", "y".repeat(MAX_LINE as usize + 1)), FramingError::LongLine),
            (format!("{chunked}0\r\n{}", "y".repeat(MAX_LINE as usize + 1)), FramingError::LongLine),
        ] {
            assert_eq!(follow(raw.as_bytes(), &[]).unwrap_err(), error, "{}", &raw[..raw.len().min(80)]);
        }
    }
}
