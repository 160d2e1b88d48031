//! One connection of the raw reader.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Instant;

use memchr::memmem;
use mio::net::TcpStream;

use super::truth;
use super::{Asking, Keep};
use crate::instrument::Errors;

/// What ends an event, and what ends a response.
const EVENT: &[u8] = b"\n\n";
const END: &[u8] = b"0\r\n\r\n";

/// Whether a socket tells of more only after a read that found nothing.
const DRAINS: bool = cfg!(windows);

/// What is kept of an answer for its first token.
const BEGINNING: usize = 1024;

/// A connection and the answer that it is reading.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) socket: TcpStream,
    pub(super) counts: Counts,
    pub(super) errors: Errors,
    left: usize,
    sent: Instant,
    /// The last bytes before those of the next read.
    tail: [u8; END.len()],
    /// What is kept of the answer.
    kept: Vec<u8>,
    /// When reads returned, and how much of `kept` there was then.
    stamps: Vec<(Instant, usize)>,
}

/// What was read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) answers: u64,
    pub(super) events: u64,
    pub(super) bytes: u64,
    pub(super) reads: u64,
}

impl Stream {
    pub(super) fn connect(asking: &Asking) -> io::Result<Self> {
        let socket = std::net::TcpStream::connect_timeout(&asking.address, asking.patience)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: TcpStream::from_std(socket),
            counts: Counts::default(),
            errors: Errors::default(),
            left: asking.requests,
            sent: Instant::now(),
            tail: [0; END.len()],
            kept: Vec::new(),
            stamps: Vec::new(),
        })
    }

    /// Sends a request.
    pub(super) fn ask(&mut self, request: &[u8]) -> io::Result<()> {
        self.left = self.left.saturating_sub(1);
        self.sent = Instant::now();
        // A few hundred bytes into the empty buffer of a socket.
        self.socket.write_all(request)
    }

    /// Reads what there is, and says whether that ended the last answer.
    pub(super) fn read(&mut self, asking: &Asking, buffer: &mut [u8]) -> io::Result<bool> {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server hung up")),
                Ok(read) => {
                    let now = Instant::now();
                    if self.take(&buffer[..read], now, asking.keep) {
                        self.compare(asking.keep);
                        if self.left == 0 {
                            return Ok(true);
                        }
                        self.ask(&asking.request)?;
                    }
                    // A short read has taken all that there was: what comes later is an event of its own.
                    if read < buffer.len() && !DRAINS {
                        return Ok(false);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Counts what a read returned, and says whether it ended an answer.
    fn take(&mut self, bytes: &[u8], now: Instant, keep: Keep) -> bool {
        self.counts.reads += 1;
        self.counts.bytes += bytes.len() as u64;
        let straddles = self.tail.last() == Some(&b'\n') && bytes.first() == Some(&b'\n');
        self.counts.events += memmem::find_iter(bytes, EVENT).count() as u64 + u64::from(straddles);
        match keep {
            Keep::Nothing => {}
            Keep::First if self.kept.len() >= BEGINNING => {}
            Keep::First | Keep::All => {
                self.kept.extend_from_slice(bytes);
                self.stamps.push((now, self.kept.len()));
            }
        }
        self.remember(bytes);
        let ended = self.tail == END;
        self.counts.answers += u64::from(ended);
        ended
    }

    fn remember(&mut self, bytes: &[u8]) {
        let new = bytes.len().min(self.tail.len());
        self.tail.rotate_left(new);
        let old = self.tail.len() - new;
        self.tail[old..].copy_from_slice(&bytes[bytes.len() - new..]);
    }

    /// Compares an answer that is over with the truth in it.
    fn compare(&mut self, keep: Keep) {
        let tokens = truth::tokens(&self.kept, &self.stamps);
        match keep {
            Keep::Nothing => return,
            Keep::First => self.errors.add(self.sent, tokens.take(1)),
            Keep::All => self.errors.add(self.sent, tokens),
        }
        self.kept.clear();
        self.stamps.clear();
        self.tail = [0; END.len()];
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use super::*;

    #[test]
    fn events_and_the_end_are_found_however_the_answer_is_split() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let asking = Asking::new(listener.local_addr().unwrap(), 1);
        let answer = b"HTTP/1.1 200 OK\r\n\r\n9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n";
        for step in [1, 2, 3, 7, 100] {
            let mut stream = Stream::connect(&asking).unwrap();
            let mut ends = answer.chunks(step).map(|part| stream.take(part, Instant::now(), Keep::All));
            assert_eq!(ends.by_ref().filter(|&ended| ended).count(), 1, "{step} bytes at a time");
            drop(ends);
            assert_eq!((stream.counts.events, stream.counts.answers), (2, 1), "{step} bytes at a time");
            assert_eq!((stream.counts.bytes, stream.kept.len()), (answer.len() as u64, answer.len()));
        }
    }

    #[test]
    fn the_time_of_a_token_is_that_of_the_read_that_completed_its_event() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = Stream::connect(&Asking::new(listener.local_addr().unwrap(), 1)).unwrap();
        let ms = |n| stream.sent + Duration::from_millis(n);
        let token = "data: {\"content\":\"000003000000 \"}\n\n";
        let parts = [(ms(1), &token[..20]), (ms(5), &token[20..]), (ms(9), token)];
        for (at, part) in parts {
            stream.take(part.as_bytes(), at, Keep::All);
        }
        stream.compare(Keep::All);
        let errors = [stream.errors.first, stream.errors.gaps].concat();
        assert_eq!(errors, [2, 4].map(Duration::from_millis));
    }
}
