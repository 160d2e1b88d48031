//! One request and its response, stamped.
//!
//! What touches the socket runs in a task of its own: neither a caller that is busy nor one that works on each event
//! moves a stamp.

use std::future::poll_fn;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::task::AbortOnDropHandle;

use super::Client;
use super::bound::Bounds;
use super::connection::{Connection, ConnectionFacts, Transport};
use super::failure::{ErrorClass, Failure};
use super::http1::{self, Head, Http1, Progress, Stamps};
use super::http2;
use super::receive::{Received, Receiver, text};
use super::socket::Socket;
use crate::timeline::Timeline;
use crate::wire::{Ask, Event, Reply};

/// The most that is shown of what a server said.
const MAX_MESSAGE: usize = 400;

/// After a read of so many bytes it is another stream's turn: a server that sends as fast as it is read would hold up the
/// stamps of all others.
const MUCH: usize = 16 * 1024;

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
    /// How long the answer's last bytes waited until whoever asked went on: how late the client itself was.
    pub client_lag: Duration,
}

/// Somebody who is shown each event of a stream as it comes, and whose work holds up the next.
pub type Watch<'a> = dyn FnMut(&Event) + Send + 'a;

/// A response as it was received, or what was received of it.
pub(super) struct Response {
    pub(super) stamps: Stamps,
    pub(super) head: Option<Head>,
    pub(super) outcome: Result<Received, Failure>,
    /// The socket, if another exchange can use it.
    pub(super) socket: Option<Socket>,
}

/// What a request is sent with.
struct Outgoing<'a> {
    ask: &'a Ask,
    body: Bytes,
    extra: &'a HeaderMap,
}

/// Runs one exchange; see [`Client::send`].
pub(super) async fn run(
    client: &Client,
    ask: &Ask,
    intended: Instant,
    extra: &HeaderMap,
    watch: Option<&mut Watch<'_>>,
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
    let outgoing = Outgoing { ask, body, extra };
    exchange.outcome = perform(client, &outgoing, &mut exchange, watch).await;
    exchange.ended = Instant::now();
    if let Err(failure) = &mut exchange.outcome {
        failure.message = shown(&client.target().without_key(&failure.message));
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

fn shown(message: &str) -> String {
    message.char_indices().nth(MAX_MESSAGE).map_or(message.into(), |(end, _)| format!("{}…", &message[..end]))
}

async fn perform(
    client: &Client,
    outgoing: &Outgoing<'_>,
    exchange: &mut Exchange,
    mut watch: Option<&mut Watch<'_>>,
) -> Result<Answer, Failure> {
    let mut bounds = Bounds::new(client.timeouts);
    loop {
        let connection = bounds.keep(Box::pin(client.pool.connection())).await??;
        let (facts, was_used) = (connection.facts, connection.facts.served_before > 0);
        exchange.connection = Some(facts);
        let response = respond(client, outgoing, connection, bounds, watch.as_deref_mut()).await;
        exchange.sent = response.stamps.sent;
        response.head.iter().for_each(|head| note_head(head, exchange));
        if let Some(socket) = response.socket {
            client.pool.give_back(socket, facts);
        }
        match response.outcome {
            // The server had closed the connection while it was idle: nothing was written.
            Err(Failure { class: ErrorClass::Disconnect, .. })
                if was_used && response.stamps.sent.is_none() =>
            {
                bounds = Bounds::new(client.timeouts);
            }
            Err(failure) => {
                if was_used && failure.class == ErrorClass::Disconnect {
                    client.pool.closed_early();
                }
                return Err(failure);
            }
            Ok(received) => return answer(received, &response.stamps, exchange.intended),
        }
    }
}

/// Sends the request on `connection` and takes the response.
async fn respond(
    client: &Client,
    outgoing: &Outgoing<'_>,
    connection: Connection,
    bounds: Bounds,
    watch: Option<&mut Watch<'_>>,
) -> Response {
    let Outgoing { ask, body, extra } = outgoing;
    let (target, headers) = (client.target(), [client.target().headers(), *extra]);
    let (watcher, events) = watch.is_some().then(unbounded_channel).unzip();
    let receiver = Receiver::new(target.dialect(), ask.stream, watcher);
    match connection.transport {
        Transport::Http1(socket) => {
            let host = client.pool.host();
            let request = http1::request(&Method::POST, target.path(), &[host, headers[0], headers[1]], body);
            let exchange = Http1::new(socket, request);
            in_a_task(receive(exchange, receiver, bounds), events, watch).await
        }
        Transport::Http2(sender) => {
            let request = http2::request(&target.url(), &headers, body.clone());
            in_a_task(http2::receive(sender, request, receiver, bounds), events, watch).await
        }
    }
}

/// Runs `receiving` as a task, and shows events meanwhile. Whoever drops this ends the task.
async fn in_a_task(
    receiving: impl Future<Output = Response> + Send + 'static,
    events: Option<UnboundedReceiver<Event>>,
    watch: Option<&mut Watch<'_>>,
) -> Response {
    let task = AbortOnDropHandle::new(tokio::spawn(receiving));
    if let (Some(mut events), Some(watch)) = (events, watch) {
        while let Some(event) = events.recv().await {
            watch(&event);
        }
    }
    task.await.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Response::failed(Failure::new(ErrorClass::Disconnect, "this process is ending")),
    })
}

impl Response {
    pub(super) fn failed(failure: Failure) -> Self {
        Self { stamps: Stamps::default(), head: None, outcome: Err(failure), socket: None }
    }
}

/// Sends an HTTP/1.1 request and takes the response to its end.
async fn receive(mut exchange: Http1, mut receiver: Receiver, mut bounds: Bounds) -> Response {
    bounds.asking();
    let ended = poll_fn(|cx| {
        loop {
            let progress = exchange.poll(cx, &mut |head, piece, read| receiver.take(head, piece, read));
            let Poll::Ready(progress) = progress else {
                return Poll::Ready(Err(ready!(bounds.poll(cx))));
            };
            receiver.rest();
            match progress {
                Ok(Progress::Read(bytes)) if !receiver.is_done() => {
                    let Stamps { first_body, last, .. } = exchange.stamps();
                    if let Some(overrun) = last.and_then(|at| bounds.overrun(at)) {
                        return Poll::Ready(Err(overrun));
                    }
                    // A head alone is no byte of the answer.
                    first_body.and(last).into_iter().for_each(|at| bounds.heard(at));
                    if bytes >= MUCH {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                Ok(_) => return Poll::Ready(Ok(())),
                Err(failure) => return Poll::Ready(Err(failure)),
            }
        }
    })
    .await;
    let stamps = exchange.stamps();
    let (head, socket) = exchange.into_parts();
    let outcome = match (&head, ended) {
        (None, Ok(())) => Err(Failure::new(ErrorClass::Disconnect, "no response")),
        (None, Err(failure)) => Err(failure),
        (Some(head), ended) => receiver.finish(head, ended),
    };
    Response { stamps, head, outcome, socket }
}

fn note_head(head: &Head, exchange: &mut Exchange) {
    let header = |name: &str| text(&head.headers, name).map(str::to_owned);
    exchange.status = Some(head.status.as_u16());
    exchange.request_id = header("request-id").or_else(|| header("x-request-id"));
    exchange.mock = header(crate::mock::MOCK_HEADER);
}

fn answer(received: Received, stamps: &Stamps, intended: Instant) -> Result<Answer, Failure> {
    let unsent = || Failure::new(ErrorClass::Parse, "the response came before the request was sent");
    let send = stamps.sent.ok_or_else(unsent)?;
    let end = stamps.last.unwrap_or(send);
    let Received { events, reply, streamed } = received;
    let (headers, first_byte) = (stamps.headers, stamps.first_body);
    let timeline = Timeline { intended, send, headers, first_byte, events, end, streamed };
    Ok(Answer { timeline, reply, client_lag: end.elapsed() })
}
