//! One connection: the request that it carries and what is still to be written.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Instant;

use mio::net::TcpStream;

use super::flat::Flat;
use super::request;

/// Whether a socket tells of more only after a read that found nothing.
const DRAINS: bool = cfg!(windows);

/// A connection of the server.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    /// What was read of requests that were not answered yet, and when the first byte of it came.
    request: Vec<u8>,
    began: Option<Instant>,
    /// The request that is being answered.
    pub(super) answering: Option<Answering>,
    /// What the socket did not take.
    waiting: Vec<u8>,
}

/// How far an answer is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answering {
    /// When the first byte of the request was read.
    pub(super) began: Instant,
    /// The request, counted from 0 over all connections.
    pub(super) number: u64,
    /// The next token of a paced answer, or the bytes written of a flat one.
    pub(super) next: u64,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, request: Vec::new(), began: None, answering: None, waiting: Vec::new() })
    }

    /// Reads what there is, and says whether the other side is still there. `closing`: it has nothing more to say.
    pub(super) fn read(&mut self, buffer: &mut [u8], closing: bool) -> io::Result<bool> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(read) => {
                    self.began.get_or_insert_with(Instant::now);
                    self.request.extend_from_slice(&buffer[..read]);
                    // A short read has taken all that there was: what comes later is an event of its own.
                    if read < buffer.len() && !closing && !DRAINS {
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The moment at which the next request began, once all of it came and the one before it is answered.
    pub(super) fn take_request(&mut self) -> Option<Instant> {
        if self.answering.is_some() {
            return None;
        }
        let whole = request::complete(&self.request)?;
        self.request.drain(..whole);
        let began = self.began.take();
        if !self.request.is_empty() {
            self.began = began;
        }
        began
    }

    /// Writes `bytes` after everything that was not taken so far.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = if self.waiting.is_empty() { self.take(bytes)? } else { 0 };
        self.waiting.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    /// Writes what the socket did not take before.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        let written = self.take(&waiting)?;
        self.waiting = waiting;
        self.waiting.drain(..written);
        Ok(())
    }

    /// Writes the next piece of a flat answer, and says whether the socket would take more. The answer is over once
    /// everything was written.
    pub(super) fn write_flat(&mut self, flat: &Flat) -> io::Result<bool> {
        let Some(Answering { next, .. }) = self.answering else { return Ok(false) };
        let rest = flat.rest(next);
        let written = self.take(rest)?;
        let full = written < rest.len();
        let next = next + written as u64;
        let over = flat.rest(next).is_empty();
        self.answering = self.answering.filter(|_| !over).map(|answering| Answering { next, ..answering });
        Ok(!full && !over)
    }

    /// How much of `bytes` the socket takes now.
    fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() {
            match self.stream.write(&bytes[written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(more) => written += more,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }
}
