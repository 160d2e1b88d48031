//! The connections of one road.
//!
//! A pool of our own, because a connection has to stay with its exchange until the exchange's stamps were
//! taken; a shared pool hands it on as soon as the response is complete.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::connection::Connection;
use super::failure::{ErrorClass, Failure};
use super::road::{HttpVersion, Road};
use super::target::Origin;
use super::tls;

/// Servers close idle connections after 5 s (Node) to minutes; a connection older than this is not tried.
const IDLE: Duration = Duration::from_secs(90);

/// A connection that was idle longer than this may have been closed without this process knowing.
const UNWATCHED: Duration = Duration::from_millis(100);

/// How long after a response a connection is left alone, once the server has closed one early.
const GRACE: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(crate) struct Pool {
    origin: Origin,
    road: Road,
    tls: tls::Settings,
    connect: Duration,
    idle: Mutex<Vec<Connection>>,
    /// The one that exchanges share, with HTTP/2.
    shared: tokio::sync::Mutex<Option<Connection>>,
    opened: AtomicU64,
    closes_early: AtomicBool,
}

impl Pool {
    pub(crate) fn new(origin: Origin, road: Road, connect: Duration) -> Self {
        Self {
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

    /// The road of its connections.
    pub(crate) fn road(&self) -> &Road {
        &self.road
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
        } else {
            self.keep(connection);
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
        let stands = shared.take().filter(|connection| !connection.sender.is_closed());
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
            let mut connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if self.closes_early.load(Ordering::Relaxed) {
                tokio::time::sleep(GRACE.saturating_sub(connection.idle_since.elapsed())).await;
            }
            if connection.idle_since.elapsed() > UNWATCHED {
                // A runtime that was busy elsewhere has not seen yet what became of the connection: the
                // first turn takes note of its close, the second lets its task act on it.
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            }
            if connection.idle_since.elapsed() < IDLE && connection.sender.ready().await.is_ok() {
                return Some(connection);
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

    /// Takes a connection back whose exchange is over and whose stamps were taken.
    pub(crate) fn give_back(&self, mut connection: Connection) {
        if self.road.reuse && !connection.facts.shared && !connection.sender.is_closed() {
            connection.served();
            self.keep(connection);
        }
    }

    fn keep(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}
