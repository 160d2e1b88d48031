//! How many body bytes a read carried.
//!
//! hyper hands the body over without saying which read it came in, and an HTTP chunk is a frame, not a
//! read: one read can carry several chunks, one chunk can take several reads. So the raw response is
//! followed here, beside hyper, far enough to count: the head is parsed once, and of a chunked body the
//! size lines are skipped. The cost is a few branches for each chunk.

/// The most that a response head may take, as hyper allows it.
const MAX_HEAD: usize = 400 * 1024;

/// A position in the raw bytes of one response.
#[derive(Debug)]
pub(crate) struct Framing {
    state: State,
    body: u64,
}

#[derive(Debug)]
enum State {
    Head(Vec<u8>),
    Length(u64),
    UntilClose,
    Chunked(Chunk),
    Complete,
    /// The head could not be followed; nothing more is counted.
    Lost,
}

#[derive(Debug, Clone, Copy)]
enum Chunk {
    /// In the hexadecimal size; true once past the digits, in an extension.
    Size(u64, bool),
    Data(u64),
    /// In the line end after a chunk's data.
    DataEnd,
    /// In the trailers: whether the current line holds anything.
    Trailer(bool),
}

impl Framing {
    pub(crate) fn new() -> Self {
        Self { state: State::Head(Vec::new()), body: 0 }
    }

    /// The number of body bytes so far.
    pub(crate) fn body(&self) -> u64 {
        self.body
    }

    /// Whether the head of the final response is complete.
    pub(crate) fn past_head(&self) -> bool {
        !matches!(self.state, State::Head(_))
    }

    /// Whether the response is complete. A body that ends with the connection never says so.
    pub(crate) fn complete(&self) -> bool {
        matches!(self.state, State::Complete)
    }

    /// Follows the next raw bytes of the response.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let used = match &mut self.state {
                State::Head(head) => {
                    let (used, next) = read_head(head, bytes);
                    if let Some(next) = next {
                        self.state = next;
                    }
                    used
                }
                State::Length(left) => {
                    let used = take(bytes, *left);
                    *left -= used as u64;
                    self.body += used as u64;
                    if *left == 0 {
                        self.state = State::Complete;
                    }
                    used
                }
                State::UntilClose => {
                    self.body += bytes.len() as u64;
                    bytes.len()
                }
                State::Chunked(chunk) => {
                    let (used, body, next) = read_chunk(*chunk, bytes);
                    self.body += body;
                    self.state = next.map_or(State::Complete, State::Chunked);
                    used
                }
                State::Complete | State::Lost => return,
            };
            bytes = &bytes[used..];
        }
    }
}

fn take(bytes: &[u8], left: u64) -> usize {
    usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()))
}

/// Adds to the head until its empty line; returns the bytes used and the state after it.
fn read_head(head: &mut Vec<u8>, bytes: &[u8]) -> (usize, Option<State>) {
    let known = head.len();
    head.extend_from_slice(bytes);
    let from = known.saturating_sub(3);
    match memchr::memmem::find(&head[from..], b"\r\n\r\n") {
        Some(at) => {
            let end = from + at + 4;
            let next = after_head(&head[..end]);
            head.truncate(end);
            (end - known, Some(next))
        }
        None if head.len() > MAX_HEAD => (bytes.len(), Some(State::Lost)),
        None => (bytes.len(), None),
    }
}

/// What the head says of the body (RFC 9112, section 6.3).
fn after_head(head: &[u8]) -> State {
    let mut headers = [httparse::EMPTY_HEADER; 256];
    let mut response = httparse::Response::new(&mut headers);
    if response.parse(head).is_err() {
        return State::Lost;
    }
    match response.code {
        Some(100..=199) => return State::Head(Vec::new()),
        Some(204 | 304) => return State::Complete,
        _ => {}
    }
    let header =
        |name: &str| response.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value);
    if header("transfer-encoding").is_some_and(|v| v.to_ascii_lowercase().ends_with(b"chunked")) {
        return State::Chunked(Chunk::Size(0, false));
    }
    match header("content-length").map(|v| std::str::from_utf8(v).ok().and_then(|v| v.trim().parse().ok())) {
        Some(Some(0)) => State::Complete,
        Some(Some(length)) => State::Length(length),
        Some(None) => State::Lost,
        None => State::UntilClose,
    }
}

/// One step through a chunked body: bytes used, body bytes among them, and the state after, if any.
fn read_chunk(chunk: Chunk, bytes: &[u8]) -> (usize, u64, Option<Chunk>) {
    let byte = bytes[0];
    match chunk {
        Chunk::Size(0, _) if byte == b'\n' => (1, 0, Some(Chunk::Trailer(false))),
        Chunk::Size(size, _) if byte == b'\n' => (1, 0, Some(Chunk::Data(size))),
        Chunk::Size(size, false) => match (byte as char).to_digit(16) {
            Some(digit) => {
                (1, 0, Some(Chunk::Size(size.saturating_mul(16).saturating_add(digit.into()), false)))
            }
            None => (1, 0, Some(Chunk::Size(size, true))),
        },
        Chunk::Size(size, true) => (1, 0, Some(Chunk::Size(size, true))),
        Chunk::Data(left) => {
            let used = take(bytes, left);
            let left = left - used as u64;
            (used, used as u64, Some(if left == 0 { Chunk::DataEnd } else { Chunk::Data(left) }))
        }
        Chunk::DataEnd if byte == b'\n' => (1, 0, Some(Chunk::Size(0, false))),
        Chunk::DataEnd => (1, 0, Some(Chunk::DataEnd)),
        Chunk::Trailer(false) if byte == b'\n' => (1, 0, None),
        Chunk::Trailer(_) => (1, 0, Some(Chunk::Trailer(byte != b'\n' && (byte != b'\r')))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The raw response and the body offset reached after each of its bytes.
    fn follow(raw: &[u8], cuts: &[usize]) -> (Vec<u64>, Framing) {
        let mut framing = Framing::new();
        let mut offsets = Vec::new();
        let mut from = 0;
        for &cut in cuts.iter().chain([&raw.len()]) {
            framing.push(&raw[from..cut]);
            offsets.push(framing.body());
            from = cut;
        }
        (offsets, framing)
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
        fn every_split_of_a_chunked_response_counts_the_same_body(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let raw = chunked(&chunks);
            let mut cuts: Vec<_> = cuts.iter().map(|i| i.index(raw.len())).collect();
            cuts.sort_unstable();
            let (offsets, framing) = follow(&raw, &cuts);
            prop_assert_eq!(framing.body(), chunks.iter().map(|c| c.len() as u64).sum::<u64>());
            prop_assert!(framing.complete());
            prop_assert!(offsets.is_sorted());
        }
    }

    #[test]
    fn a_chunk_that_takes_two_reads_is_counted_in_both() {
        let raw = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n";
        let cut = raw.len() - "def\r\n0\r\n\r\n".len();
        assert_eq!(follow(raw, &[cut]).0, [3, 6]);
    }

    #[test]
    fn a_length_ends_the_body_and_no_length_goes_on_until_the_close() {
        let (_, framing) = follow(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", &[]);
        assert!(framing.complete() && framing.body() == 3);
        let (_, framing) = follow(b"HTTP/1.0 200 OK\r\n\r\nabc", &[]);
        assert!(!framing.complete() && framing.body() == 3);
    }
}
