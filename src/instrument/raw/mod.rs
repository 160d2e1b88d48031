//! The floor: a reader that only counts and stamps.
//!
//! One thread and one buffer for all connections, no parser, no allocation for an event: what it needs is what the
//! machine's sockets need. What it reports beyond the truth is the machine's error, not that of a client.

mod stream;
mod truth;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use super::Errors;
use super::usage::cpu_of_thread;
use stream::{Counts, Stream};

/// What is asked, and what is kept of the answers.
#[derive(Debug, Clone)]
pub struct Asking {
    /// The server.
    pub address: SocketAddr,
    /// Connections, each with one request at a time.
    pub streams: usize,
    /// Requests of each connection, the next one as soon as one is answered.
    pub requests: usize,
    /// The connections begin to ask one after another, evenly over this time: streams that begin together would wait
    /// for one another at the server, and the wait would look like an error.
    pub over: Duration,
    /// What is compared with the truth.
    pub keep: Keep,
    /// The bytes of a request, head and body.
    pub request: Vec<u8>,
    /// How long nothing may come at all.
    pub patience: Duration,
}

/// What is kept of an answer until its end. What is kept costs time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: it is counted.
    Nothing,
    /// The beginning, for the first token.
    First,
    /// Everything, for every token.
    All,
}

impl Asking {
    /// One request in each of `streams` connections, of which nothing is kept.
    pub fn new(address: SocketAddr, streams: usize) -> Self {
        let body = r#"{"model":"truth","stream":true,"stream_options":{"include_usage":true},"max_tokens":64,"messages":[{"role":"user","content":"Tell me the truth."}]}"#;
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        Self {
            address,
            streams,
            requests: 1,
            over: Duration::ZERO,
            keep: Keep::Nothing,
            request: request.into_bytes(),
            patience: Duration::from_secs(10),
        }
    }
}

/// What a raw reader saw.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Answers that were read to their end.
    pub answers: u64,
    /// Events in them, `[DONE]` and the one before it too.
    pub events: u64,
    /// Bytes in them, with heads and framing.
    pub bytes: u64,
    /// Reads that returned any.
    pub reads: u64,
    /// How far what was kept is from the truth.
    pub errors: Errors,
    /// From the first request to the end of the last answer.
    pub took: Duration,
    /// Processor time of the reading thread meanwhile. Absent where the system does not say.
    pub cpu: Option<Duration>,
}

impl Reading {
    /// Processor seconds for a million events.
    pub fn cpu_per_million_events(&self) -> Option<f64> {
        (self.events > 0).then(|| Some(self.cpu?.as_secs_f64() * 1e6 / self.events as f64)).flatten()
    }
}

/// Asks and reads on the calling thread until every request is answered.
///
/// # Errors
/// When a connection cannot be opened or breaks off, or nothing comes for [`Asking::patience`].
pub fn read(asking: &Asking) -> io::Result<Reading> {
    let mut poll = Poll::new()?;
    let mut streams = connect(asking, &poll)?;
    let (start, cpu) = (Instant::now(), cpu_of_thread());
    answer(asking, &mut poll, &mut streams)?;
    let took = start.elapsed();
    let cpu = cpu_of_thread().zip(cpu).map(|(now, before)| now.saturating_sub(before));
    let mut reading = Reading { took, cpu, ..Reading::default() };
    for stream in streams {
        let Counts { answers, events, bytes, reads } = stream.counts;
        reading.answers += answers;
        reading.events += events;
        reading.bytes += bytes;
        reading.reads += reads;
        reading.errors.extend(stream.errors);
    }
    Ok(reading)
}

/// Has every stream begin in its time, and reads until all answers of all of them are over.
fn answer(asking: &Asking, poll: &mut Poll, streams: &mut [Stream]) -> io::Result<()> {
    let start = Instant::now();
    let mut buffer = vec![0; 64 * 1024];
    let mut events = Events::with_capacity(1024);
    let (mut begun, mut over) = (0, 0);
    while over < streams.len() {
        let next = start + delay(asking, begun);
        let waits = begun < streams.len();
        if waits && Instant::now() >= next {
            streams[begun].ask(&asking.request)?;
            begun += 1;
            continue;
        }
        let patience = if waits { next.saturating_duration_since(Instant::now()) } else { asking.patience };
        match poll.poll(&mut events, Some(patience)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        if events.is_empty() && !waits {
            return Err(io::Error::new(ErrorKind::TimedOut, "the server fell silent"));
        }
        for event in events.iter().filter(|event| event.is_readable()) {
            over += usize::from(streams[event.token().0].read(asking, &mut buffer)?);
        }
    }
    Ok(())
}

/// When the stream of that number begins, after the first one.
pub(super) fn delay(asking: &Asking, stream: usize) -> Duration {
    asking.over.mul_f64(stream as f64 / asking.streams.max(1) as f64)
}

/// Opens every connection, so that none is opened while answers are read.
fn connect(asking: &Asking, poll: &Poll) -> io::Result<Vec<Stream>> {
    let open = |index: usize| {
        let mut stream = Stream::connect(asking)?;
        poll.registry().register(&mut stream.socket, Token(index), Interest::READABLE)?;
        Ok(stream)
    };
    (0..asking.streams).map(open).collect()
}

/// As [`read`], on a thread of its own.
///
/// # Errors
/// As [`read`].
pub async fn read_aside(asking: Asking) -> io::Result<Reading> {
    let (done, result) = tokio::sync::oneshot::channel();
    thread::Builder::new().name("raw-reader".into()).spawn(move || drop(done.send(read(&asking))))?;
    result.await.map_err(io::Error::other)?
}
