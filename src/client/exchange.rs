//! One request and its response, stamped.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::time::timeout_at;

use super::Client;
use super::connection::{Connection, ConnectionFacts};
use super::failure::{ErrorClass, Failure};
use super::road::HttpVersion;
use super::stamp::{ExchangeLog, StampLog};
use super::target::Target;
use crate::timeline::{Stamped, Timeline};
use crate::wire::{Ask, Dialect, Event, EventDecoder, Reply, WireError, sse};

/// The most that is read of a refusal's body: nobody shows more, and a server could go on for ever.
const MAX_REFUSAL: usize = 64 * 1024;

/// One request on the wire, whatever became of it.
#[derive(Debug)]
pub struct Exchange {
    /// When the request was meant to start.
    pub intended: Instant,
    /// The request's first written byte; absent when none was written.
    pub sent: Option<Instant>,
    /// When it was over.
    pub ended: Instant,
    /// The answer, or why there is none.
    pub outcome: Result<Answer, Failure>,
    /// The connection, once there was one.
    pub connection: Option<ConnectionFacts>,
    /// The HTTP status, once there was one.
    pub status: Option<u16>,
    /// The provider's id of the request.
    pub request_id: Option<String>,
    /// What the server says of itself if it is the lab's mock: its profile and slowdown.
    pub mock: Option<String>,
    /// Bytes of the request's body.
    pub request_bytes: u64,
}

/// A complete answer and when it came.
#[derive(Debug)]
pub struct Answer {
    /// When each event came.
    pub timeline: Timeline,
    /// The answer, put together.
    pub reply: Reply,
    /// The longest that a read waited until this client looked at it: how late the client itself was.
    pub client_lag: Duration,
}

/// Somebody who is shown each event of a stream as it comes, and whose work holds up the next.
pub type Watch<'a> = dyn FnMut(&Event) + Send + 'a;

/// Runs one exchange; see [`Client::send`].
pub(super) async fn run(
    client: &Client,
    ask: &Ask,
    intended: Instant,
    extra: &HeaderMap,
    watch: &mut Watch<'_>,
) -> Exchange {
    let body = Bytes::from(encode(client, ask));
    let mut exchange = Exchange {
        intended,
        sent: None,
        ended: intended,
        outcome: Err(Failure::new(ErrorClass::Connect, "not tried")),
        connection: None,
        status: None,
        request_id: None,
        mock: None,
        request_bytes: body.len() as u64,
    };
    let bound = Bound::new("the whole exchange", client.timeouts.total);
    let mut stamps = StampLog::default();
    let request = Outgoing { body, extra, streamed: ask.stream };
    let performed = bound.keep(perform(client, request, &mut exchange, &mut stamps, watch)).await;
    exchange.outcome = performed.and_then(|outcome| outcome);
    exchange.ended = Instant::now();
    // An exchange that was given up wrote its request all the same.
    exchange.sent = exchange.sent.or_else(|| stamps.take().map(|log| log.sent));
    if let Err(failure) = &mut exchange.outcome {
        failure.message = client.target().without_key(&failure.message);
    }
    exchange
}

fn encode(client: &Client, ask: &Ask) -> Vec<u8> {
    let target = client.target();
    if ask.model.is_empty() {
        return target.dialect().encode_request(&Ask { model: target.model().into(), ..ask.clone() });
    }
    target.dialect().encode_request(ask)
}

/// What is sent, and whether a stream is expected back.
struct Outgoing<'a> {
    body: Bytes,
    extra: &'a HeaderMap,
    streamed: bool,
}

async fn perform(
    client: &Client,
    outgoing: Outgoing<'_>,
    exchange: &mut Exchange,
    stamps: &mut StampLog,
    watch: &mut Watch<'_>,
) -> Result<Answer, Failure> {
    let (connection, response) = respond(client, outgoing.body, outgoing.extra, exchange, stamps).await?;
    let dialect = client.target().dialect();
    let streamed = outgoing.streamed && !is_json(&response.response);
    let read = if !response.response.status().is_success() {
        Err(refused(response, client.target()).await)
    } else if streamed {
        read_stream(response, dialect, watch).await
    } else {
        read_whole(response, dialect).await
    };
    let log = stamps.take();
    exchange.sent = log.as_ref().map(|log| log.sent);
    // A refusal that was read to its end leaves a connection as good as an answer does.
    if log.as_ref().is_some_and(ExchangeLog::is_complete) {
        client.pool.give_back(connection);
    }
    let read = read?;
    let log =
        log.ok_or_else(|| Failure::new(ErrorClass::Parse, "the response came before the request was sent"))?;
    read.into_answer(&log, exchange.intended, streamed)
}

/// Writes the request, on a connection that stands or on a new one, and waits for the response's head.
async fn respond(
    client: &Client,
    body: Bytes,
    extra: &HeaderMap,
    exchange: &mut Exchange,
    stamps: &mut StampLog,
) -> Result<(Connection, Parts), Failure> {
    let mut request = request(client, body, extra);
    loop {
        let mut connection = client.pool.connection().await?;
        exchange.connection = Some(connection.facts);
        if connection.facts.shared {
            connection.log = StampLog::of_shared();
        }
        *stamps = connection.log.clone();
        let bound = Bound::new("the first byte of the response", client.timeouts.first_byte);
        match bound.keep(connection.sender.try_send_request(request)).await? {
            Ok(response) => {
                note_head(&response, exchange);
                let shared = connection.facts.shared.then(|| stamps.clone());
                shared.iter().for_each(StampLog::saw_head);
                return Ok((connection, Parts { response, bound, silence: client.timeouts.silence, shared }));
            }
            // A connection that the server closed while it was idle: nothing was written.
            Err(mut error) => match error.take_message() {
                Some(unsent) if connection.facts.served_before > 0 => request = unsent,
                _ => {
                    if connection.facts.served_before > 0 {
                        client.pool.closed_early();
                    }
                    return Err(Failure::of_request(error.error()));
                }
            },
        }
    }
}

fn request(client: &Client, body: Bytes, extra: &HeaderMap) -> Request<Full<Bytes>> {
    let target = client.target();
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    // A target's path was parsed from a URL; one that cannot be parsed again goes to the root and gets 404.
    *request.uri_mut() = target.path().parse().unwrap_or_default();
    let headers = request.headers_mut();
    headers.extend(target.headers().clone());
    headers.extend(extra.clone());
    match client.pool.road().http {
        HttpVersion::Http1 => {
            if let Ok(host) = target.origin().authority().parse() {
                headers.insert(http::header::HOST, host);
            }
        }
        HttpVersion::Http2 => *request.uri_mut() = target.url().parse().unwrap_or_default(),
    }
    request
}

fn note_head(response: &Response<Incoming>, exchange: &mut Exchange) {
    let header =
        |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    exchange.status = Some(response.status().as_u16());
    exchange.request_id = header("request-id").or_else(|| header("x-request-id"));
    exchange.mock = header(crate::mock::MOCK_HEADER);
}

fn content_type(response: &Response<Incoming>) -> Option<&str> {
    response.headers().get(http::header::CONTENT_TYPE)?.to_str().ok()
}

/// Whether the server answered a question with one body, streamed or not: a few ignore `stream`.
fn is_json(response: &Response<Incoming>) -> bool {
    content_type(response).is_some_and(|kind| kind.starts_with("application/json"))
}

/// The failure of a response whose status is not a success, in the server's own words.
async fn refused(mut response: Parts, target: &Target) -> Failure {
    let status = response.response.status().as_u16();
    let retry_after = retry_after(response.response.headers());
    let mut body = Vec::new();
    while let Ok(Some(part)) = response.next().await {
        body.extend_from_slice(&part);
        if body.len() > MAX_REFUSAL {
            break;
        }
    }
    let said = match Dialect::decode_error(Dialect::OpenAi, &body) {
        Some(error) => error.to_string(),
        None => target.without_key(String::from_utf8_lossy(&body).trim()).chars().take(200).collect(),
    };
    let message = if said.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {said}") };
    Failure { class: ErrorClass::of_status(status), message, retry_after }
}

/// `retry-after` in seconds, the only form that LLM providers send.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// How long is waited, and for what.
#[derive(Clone, Copy)]
struct Bound {
    phase: &'static str,
    allowed: Duration,
    until: Instant,
}

impl Bound {
    fn new(phase: &'static str, allowed: Duration) -> Self {
        Self { phase, allowed, until: Instant::now() + allowed }
    }

    async fn keep<T>(self, work: impl Future<Output = T>) -> Result<T, Failure> {
        timeout_at(self.until.into(), work).await.map_err(|_| {
            Failure::new(ErrorClass::Timeout, format!("{} took longer than {:?}", self.phase, self.allowed))
        })
    }
}

/// A response whose body is under way.
struct Parts {
    response: Response<Incoming>,
    bound: Bound,
    silence: Duration,
    /// Where the pieces of a shared connection are stamped; others were stamped when they were read.
    shared: Option<StampLog>,
}

impl Parts {
    /// The next piece of the body; `None` at its end.
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let frame = self.bound.keep(self.response.body_mut().frame()).await?;
            self.bound = Bound::new("a silence in the response", self.silence);
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(Failure::of_body(&error)),
                Some(Ok(frame)) => {
                    if let Ok(part) = frame.into_data() {
                        self.shared.iter().for_each(|log| log.saw_body(part.len()));
                        return Ok(Some(part));
                    }
                }
            }
        }
    }
}

/// A body as it was read, before its stamps are looked up.
struct Body {
    /// Each event with the body offset at which it was complete, and when it was looked at.
    events: Vec<(Event, u64, Instant)>,
    /// The answer of a body that was not streamed.
    reply: Option<Reply>,
}

async fn read_stream(mut response: Parts, dialect: Dialect, watch: &mut Watch<'_>) -> Result<Body, Failure> {
    let mut frames = sse::Decoder::new();
    let mut collect = Collect { decoder: dialect.event_decoder(), fresh: Vec::new(), events: Vec::new() };
    loop {
        match response.next().await {
            Ok(Some(part)) => collect.looked_at(watch, |sink| frames.push(&part, sink))?,
            Ok(None) => break,
            // The answer is whole: how the server ends its body is no part of it.
            Err(_) if collect.is_over() => break,
            Err(failure) => return Err(failure),
        }
    }
    collect.looked_at(watch, |sink| frames.finish(sink))?;
    collect.decoder.finish().map_err(|error| match content_type(&response.response) {
        Some(kind) if collect.events.is_empty() && !kind.starts_with("text/event-stream") => {
            Failure::new(ErrorClass::Parse, format!("a stream was asked for and `{kind}` came"))
        }
        _ => error.into(),
    })?;
    Ok(Body { events: collect.events, reply: None })
}

/// Gathers the events of each piece of the body.
struct Collect {
    decoder: EventDecoder,
    fresh: Vec<Event>,
    events: Vec<(Event, u64, Instant)>,
}

type Sink<'a> = dyn FnMut(sse::Frame<'_>) -> Result<(), WireError> + 'a;

impl Collect {
    /// Whether the terminal event was seen.
    fn is_over(&self) -> bool {
        self.events.last().is_some_and(|(event, ..)| *event == Event::Done)
    }

    fn looked_at(
        &mut self,
        watch: &mut Watch<'_>,
        feed: impl FnOnce(&mut Sink<'_>) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let now = Instant::now();
        let Self { decoder, fresh, events } = self;
        feed(&mut |frame| {
            decoder.decode(frame.event, frame.data, fresh)?;
            fresh.iter().for_each(&mut *watch);
            events.extend(fresh.drain(..).map(|event| (event, frame.end, now)));
            Ok(())
        })
    }
}

async fn read_whole(mut response: Parts, dialect: Dialect) -> Result<Body, Failure> {
    let mut body = Vec::new();
    while let Some(part) = response.next().await? {
        body.extend_from_slice(&part);
    }
    Ok(Body { events: Vec::new(), reply: Some(dialect.decode_reply(&body)?) })
}

impl Body {
    fn into_answer(self, log: &ExchangeLog, intended: Instant, streamed: bool) -> Result<Answer, Failure> {
        let lost = || Failure::new(ErrorClass::Parse, "the body's length does not fit its framing");
        let mut client_lag = Duration::ZERO;
        let mut events = Vec::with_capacity(self.events.len());
        for (event, end, looked_at) in self.events {
            let (read, at) = log.read_that_reached(end).ok_or_else(lost)?;
            client_lag = client_lag.max(looked_at.saturating_duration_since(at));
            events.push(Stamped { at, read, event });
        }
        let end = log.reads.last().map_or(log.written, |read| read.at);
        let reply =
            self.reply.unwrap_or_else(|| Reply::from_events(events.iter().map(|stamped| &stamped.event)));
        let timeline = Timeline {
            intended,
            send: log.sent,
            headers: log.headers,
            first_byte: log.first_body_read(),
            events,
            end,
            streamed,
        };
        Ok(Answer { timeline, reply, client_lag })
    }
}
