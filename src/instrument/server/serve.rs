//! The event loop.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};

use super::alarm::Alarm;
use super::connection::{Answering, Connection};
use super::flat::Flat;
use super::text;
use crate::instrument::Plan;

const LISTENER: Token = Token(usize::MAX - 1);
const ALARM: Token = Token(usize::MAX - 2);

/// How many tokens are written before requests are looked at again: the first byte of a request is to be read when it
/// comes.
const TOKENS_AT_A_TIME: usize = 32;

/// A server and all that it is doing.
#[derive(Debug)]
pub(super) struct Server {
    plan: Plan,
    poll: Poll,
    listener: TcpListener,
    alarm: Alarm,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// When the next token of a connection's request is due: moment, request, connection.
    due: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    /// Connections whose sockets take more of a flat answer.
    willing: VecDeque<usize>,
    flat: Option<Flat>,
    token: text::Token,
    end: String,
    requests: u64,
    buffer: Vec<u8>,
}

impl Server {
    /// A server of `plan` that listens on loopback.
    pub(super) fn bind(plan: Plan) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            plan,
            alarm: Alarm::new(poll.registry(), ALARM)?,
            poll,
            listener,
            connections: Vec::new(),
            free: Vec::new(),
            due: BinaryHeap::new(),
            willing: VecDeque::new(),
            flat: plan.is_flat().then(|| Flat::new(&plan)),
            token: text::Token::new(),
            end: text::end(),
            requests: 0,
            buffer: vec![0; 64 * 1024],
        })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until something is wrong with the system.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            let busy = !self.willing.is_empty();
            let next = self.due.peek().map(|Reverse((at, ..))| *at);
            let timeout = if busy { Some(Duration::ZERO) } else { self.alarm.timeout(next)? };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    ALARM => {}
                    Token(at) => {
                        let closing = event.is_read_closed();
                        self.with(at, |server| server.turn(at, event.is_readable() || closing, closing));
                    }
                }
            }
            self.write_due();
            for _ in 0..self.willing.len() {
                let Some(at) = self.willing.pop_front() else { break };
                self.with(at, |server| server.write_flat(at));
            }
        }
    }

    /// Does something with a connection, and closes it when that fails or it is over.
    fn with(&mut self, at: usize, act: impl FnOnce(&mut Self) -> io::Result<bool>) {
        if !act(self).unwrap_or(false)
            && let Some(connection) = self.connections.get_mut(at)
            && connection.take().is_some()
        {
            self.free.push(at);
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // Of this connection, not of the listener.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            let Ok(mut connection) = Connection::new(stream) else { continue };
            let at = self.free.pop().unwrap_or(self.connections.len());
            if at == self.connections.len() {
                self.connections.push(None);
            }
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut connection.stream, Token(at), interest)?;
            self.connections[at] = Some(connection);
        }
    }

    /// A connection's socket has something to read or takes more.
    fn turn(&mut self, at: usize, readable: bool, closing: bool) -> io::Result<bool> {
        let Some(connection) = self.connections.get_mut(at).and_then(Option::as_mut) else { return Ok(true) };
        let open = !readable || connection.read(&mut self.buffer, closing)?;
        connection.flush()?;
        // A request that came with its sender's farewell is nobody's any more.
        if !open {
            return Ok(false);
        }
        if self.flat.is_some() && connection.answering.is_some() {
            return self.write_flat(at);
        }
        self.begin(at)
    }

    /// Begins to answer, if there is a request and nothing else is answered.
    fn begin(&mut self, at: usize) -> io::Result<bool> {
        let Some(connection) = self.connections.get_mut(at).and_then(Option::as_mut) else { return Ok(true) };
        let Some(began) = connection.take_request() else { return Ok(true) };
        let number = self.requests;
        self.requests += 1;
        connection.answering = Some(Answering { began, number, next: 0 });
        if self.flat.is_some() {
            return self.write_flat(at);
        }
        connection.write(text::HEAD.as_bytes())?;
        self.due.push(Reverse((began + self.plan.due(number, 0), number, at)));
        Ok(true)
    }

    /// Writes one piece of a flat answer; the next one comes when all others have had theirs.
    fn write_flat(&mut self, at: usize) -> io::Result<bool> {
        let Some(flat) = &self.flat else { return Ok(true) };
        let Some(connection) = self.connections.get_mut(at).and_then(Option::as_mut) else { return Ok(true) };
        if connection.write_flat(flat)? {
            self.willing.push_back(at);
        }
        if connection.answering.is_some() { Ok(true) } else { self.begin(at) }
    }

    /// Writes tokens whose time has come.
    fn write_due(&mut self) {
        for _ in 0..TOKENS_AT_A_TIME {
            let Some(&Reverse((when, number, at))) = self.due.peek() else { return };
            if when > Instant::now() {
                return;
            }
            self.due.pop();
            self.with(at, |server| server.write_token(at, number));
        }
    }

    fn write_token(&mut self, at: usize, number: u64) -> io::Result<bool> {
        let Some(connection) = self.connections.get_mut(at).and_then(Option::as_mut) else { return Ok(true) };
        // Another request, of a connection that took this one's place.
        let Some(mut answering) = connection.answering.filter(|now| now.number == number) else {
            return Ok(true);
        };
        let token = answering.next as u32;
        answering.next += 1;
        let is_last = answering.next == u64::from(self.plan.tokens);
        if !is_last {
            connection.write(self.token.at(answering.began.elapsed()))?;
            connection.answering = Some(answering);
            self.due.push(Reverse((answering.began + self.plan.due(number, token + 1), number, at)));
            return Ok(true);
        }
        let bytes = [self.token.at(answering.began.elapsed()), self.end.as_bytes()].concat();
        connection.write(&bytes)?;
        connection.answering = None;
        self.begin(at)
    }
}
