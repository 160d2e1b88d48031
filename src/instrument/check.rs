//! The lab's client and the raw reader before the same truth.

use std::io;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use http::HeaderMap;
use thiserror::Error;
use tokio::task::JoinSet;

use super::raw::{Asking, Keep, Reading, delay, read_aside};
use super::usage::{Usage, raise_open_files};
use super::{Errors, TruthError, TruthServer};
use crate::client::{Auth, Client, Failure, Target, TargetError, Timeouts};
use crate::timeline::Timeline;
use crate::wire::{Ask, Dialect, Event};

/// The events after an answer's last token: why it stopped, and `[DONE]`.
const ENDINGS: u64 = 2;

/// Connections that are opened at the same time.
const OPENING: usize = 64;

/// Why the instrument cannot be checked.
#[derive(Debug, Error)]
pub enum CheckError {
    /// There is no truth server.
    #[error(transparent)]
    Truth(#[from] TruthError),
    /// Its address is no target.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The lab's client got no answer.
    #[error("ask the truth server: {0}")]
    Failed(#[from] Failure),
    /// The raw reader got no answer.
    #[error("ask the truth server with the raw reader: {0}")]
    Raw(#[from] io::Error),
    /// A task of the client panicked.
    #[error("ask the truth server: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// Nothing was asked, so that there is no figure.
    #[error("check the instrument with no request")]
    Nothing,
    /// Not everything that was sent was seen.
    #[error("check the instrument: {reader} saw {seen} events of {sent}")]
    Lost {
        /// Who lost some.
        reader: &'static str,
        /// How many there should be.
        sent: u64,
        /// How many there were.
        seen: u64,
    },
}

/// What the lab's client saw.
#[derive(Debug, Clone, Default)]
pub struct ClientReading {
    /// Answers.
    pub answers: u64,
    /// Events in them, counted as the raw reader counts them.
    pub events: u64,
    /// How far what was kept is from the truth.
    pub errors: Errors,
    /// Of each request, the time from when it was to be sent to its first written byte.
    pub lags: Vec<Duration>,
    /// From the first request to the end of the last answer.
    pub took: Duration,
    /// Processor time of this process meanwhile, whatever else it did. Absent where the system does not say.
    pub cpu: Option<Duration>,
    /// The most memory that this process held until the end of it, in bytes. Absent where the system does not say.
    pub peak_memory: Option<u64>,
}

impl ClientReading {
    /// Processor seconds for a million events.
    pub fn cpu_per_million_events(&self) -> Option<f64> {
        (self.events > 0).then(|| Some(self.cpu?.as_secs_f64() * 1e6 / self.events as f64)).flatten()
    }

    fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.events += other.events;
        self.errors.extend(other.errors);
        self.lags.extend(other.lags);
    }

    fn see(&mut self, timeline: &Timeline, keep: Keep) {
        let content = timeline.events.iter().filter(|stamped| stamped.event.is_content());
        self.answers += 1;
        self.events += ENDINGS + content.clone().count() as u64;
        let tokens = content.filter_map(|stamped| {
            let Event::Delta { text, .. } = &stamped.event else { return None };
            Some((stamped.at, Duration::from_nanos(text.trim_end().parse().ok()?)))
        });
        match keep {
            Keep::Nothing => {}
            Keep::First => self.errors.add(timeline.send, tokens.take(1)),
            Keep::All => self.errors.add(timeline.send, tokens),
        }
    }
}

/// Asks as `asking` says, its request excepted, with the lab's client on the current runtime.
///
/// # Errors
/// When a request fails: there is no error of what was not measured.
pub async fn client(asking: &Asking) -> Result<ClientReading, CheckError> {
    let client = connected(asking).await?;
    let (start, before) = (Instant::now(), Usage::of_process());
    let mut streams = JoinSet::new();
    for number in 0..asking.streams {
        let (asking, client) = (asking.clone(), client.clone());
        let begin = start + delay(&asking, number);
        streams.spawn(async move { stream(&client, &asking, begin).await });
    }
    let mut reading = ClientReading::default();
    while let Some(done) = streams.join_next().await {
        reading.add(done??);
    }
    reading.took = start.elapsed();
    let after = Usage::of_process();
    reading.cpu = after.zip(before).map(|(after, before)| after.cpu.saturating_sub(before.cpu));
    reading.peak_memory = after.map(|after| after.peak_memory);
    Ok(reading)
}

/// A client that has a connection for every stream, so that none is opened while answers are read.
async fn connected(asking: &Asking) -> Result<Client, CheckError> {
    let url = format!("http://{}", asking.address);
    let target = Target::new("truth", Dialect::OpenAi, &url, "truth", &Auth::None)?;
    let silence = asking.patience;
    let client = Client::new(target, Timeouts { first_byte: silence, silence, ..Timeouts::default() });
    let opened = futures::stream::iter((0..asking.streams).map(|_| client.connect()));
    opened.buffer_unordered(OPENING).try_collect::<Vec<()>>().await?;
    Ok(client)
}

/// The answers of one stream.
async fn stream(client: &Client, asking: &Asking, begin: Instant) -> Result<ClientReading, Failure> {
    let ask = Ask::question("Tell me the truth.", 64);
    let headers = HeaderMap::new();
    let mut reading = ClientReading::default();
    tokio::time::sleep_until(begin.into()).await;
    for _ in 0..asking.requests {
        let intended = Instant::now();
        let exchange = client.send(&ask, intended, &headers).await;
        reading.lags.extend(exchange.sent.map(|sent| sent.saturating_duration_since(intended)));
        reading.see(&exchange.outcome?.timeline, asking.keep);
    }
    Ok(reading)
}

/// What both saw of the same server.
#[derive(Debug, Clone)]
pub struct Beside {
    /// The lab's client.
    pub client: ClientReading,
    /// The raw reader.
    pub raw: Reading,
}

/// Who asks when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turns {
    /// First the client, then the raw reader: for what they cost.
    One,
    /// Both at the same time: what disturbs one disturbs the other.
    Both,
}

/// Has the client and the raw reader ask `server`, as `asking` says.
///
/// # Errors
/// When an answer fails or lacks an event.
pub async fn beside(server: &TruthServer, asking: &Asking, turns: Turns) -> Result<Beside, CheckError> {
    raise_open_files();
    let (client, raw) = match turns {
        Turns::One => (client(asking).await?, read_aside(asking.clone()).await?),
        Turns::Both => {
            let (client, raw) = tokio::join!(client(asking), read_aside(asking.clone()));
            (client?, raw?)
        }
    };
    let sent = (asking.streams * asking.requests) as u64 * (u64::from(server.plan().tokens) + ENDINGS);
    for (reader, seen) in [("the client", client.events), ("the raw reader", raw.events)] {
        if seen != sent {
            return Err(CheckError::Lost { reader, sent, seen });
        }
    }
    Ok(Beside { client, raw })
}
