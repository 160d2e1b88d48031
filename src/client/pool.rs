//! The connections of one road.
//!
//! A pool of our own, because a connection has to stay with its exchange until the exchange's stamps were
//! taken; a shared pool hands it on as soon as the response is complete.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use http::header::HOST;
use http::{HeaderMap, HeaderValue};

use super::connection::{Connection, ConnectionFacts, Transport};
use super::failure::{ErrorClass, Failure};
use super::http1;
use super::road::{HttpVersion, Road};
use super::socket::Socket;
use super::target::Origin;
use super::tls;

/// Servers close idle connections after 5 s (Node) to minutes; a connection older than this is not tried.
const IDLE: Duration = Duration::from_secs(90);

/// A connection that was idle longer than this may have been closed without this process knowing.
const UNWATCHED: Duration = Duration::from_millis(100);

/// How long after a response a connection is left alone, once the server has closed one early.
const GRACE: Duration = Duration::from_millis(5);

/// A connection at rest.
#[derive(Debug)]
struct Idle {
    socket: Socket,
    facts: ConnectionFacts,
    since: Instant,
}

#[derive(Debug)]
pub(crate) struct Pool {
    origin: Origin,
    /// The header that names the origin.
    host: HeaderMap,
    road: Road,
    tls: tls::Settings,
    connect: Duration,
    idle: Mutex<Vec<Idle>>,
    /// The one that exchanges share, with HTTP/2.
    shared: tokio::sync::Mutex<Option<Connection>>,
    opened: AtomicU64,
    closes_early: AtomicBool,
}

impl Pool {
    pub(crate) fn new(origin: Origin, road: Road, connect: Duration) -> Self {
        let host = HeaderValue::try_from(origin.authority()).map(|host| (HOST, host));
        Self {
            host: host.into_iter().collect(),
            origin,
            road,
            tls: tls::Settings::default(),
            connect,
            idle: Mutex::new(Vec::new()),
            shared: tokio::sync::Mutex::default(),
            opened: AtomicU64::new(0),
            closes_early: AtomicBool::new(false),
        }
    }

    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// The header that names the origin.
    pub(crate) fn host(&self) -> &HeaderMap {
        &self.host
    }

    /// A connection for an exchange: one that stands, or else a new one.
    pub(crate) async fn connection(&self) -> Result<Connection, Failure> {
        if self.shares() {
            return self.share().await;
        }
        match self.reuse().await {
            Some(connection) => Ok(connection),
            None => self.open().await,
        }
    }

    /// Opens a connection before it is needed: the next exchange takes it.
    pub(crate) async fn open_ahead(&self) -> Result<(), Failure> {
        let connection = self.open().await?;
        if self.shares() {
            *self.shared.lock().await = Some(connection);
        } else if let Transport::Http1(socket) = connection.transport {
            self.keep(socket, connection.facts);
        }
        Ok(())
    }

    /// Whether one connection carries all exchanges.
    fn shares(&self) -> bool {
        self.road.reuse && self.road.http == HttpVersion::Http2
    }

    /// The connection that all share, opened by the first of them while the others wait.
    async fn share(&self) -> Result<Connection, Failure> {
        let mut shared = self.shared.lock().await;
        let stands = shared.take().filter(|connection| !connection.is_closed());
        let mut connection = match stands {
            Some(connection) => connection,
            None => self.open().await?,
        };
        let Some(another) = connection.share() else { return Ok(connection) };
        *shared = Some(connection);
        Ok(another)
    }

    /// The connection that was used last and still stands, if any.
    async fn reuse(&self) -> Option<Connection> {
        loop {
            let Idle { mut socket, facts, since } =
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if self.closes_early.load(Ordering::Relaxed) {
                tokio::time::sleep(GRACE.saturating_sub(since.elapsed())).await;
            }
            if since.elapsed() > UNWATCHED {
                // A runtime that was busy elsewhere has not seen yet what became of the connection: it looks
                // between two turns.
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            }
            let stands = poll_fn(|cx| Poll::Ready(http1::stands(&mut socket, cx))).await;
            if stands && since.elapsed() < IDLE {
                return Some(Connection { transport: Transport::Http1(socket), facts });
            }
        }
    }

    /// Takes note that the server closed a connection just as it was used again. Some servers close theirs
    /// a moment after a response that promised to keep it (llama.cpp's does): from now on that moment is
    /// waited for.
    pub(crate) fn closed_early(&self) {
        self.closes_early.store(true, Ordering::Relaxed);
    }

    /// A new connection.
    async fn open(&self) -> Result<Connection, Failure> {
        let id = self.opened.fetch_add(1, Ordering::Relaxed) + 1;
        let slow = || Failure::new(ErrorClass::Timeout, format!("no connection within {:?}", self.connect));
        tokio::time::timeout(
            self.connect,
            Box::pin(Connection::open(&self.origin, &self.road, &self.tls, id)),
        )
        .await
        .unwrap_or_else(|_| Err(slow()))
    }

    /// Takes a connection back whose exchange is over and left it at rest.
    pub(crate) fn give_back(&self, socket: Socket, facts: ConnectionFacts) {
        if self.road.reuse {
            self.keep(socket, facts.served());
        }
    }

    fn keep(&self, socket: Socket, facts: ConnectionFacts) {
        let idle = Idle { socket, facts, since: Instant::now() };
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(idle);
    }
}
