//! HTTP/2: many exchanges on one connection, whose reads cannot be told apart.
//!
//! hyper speaks it. Stamps are taken where the exchange's task hands over the request and sees head and pieces of the
//! response, before the first byte is written and after each was read: they are upper bounds.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::bound::Bounds;
use super::exchange::Response;
use super::failure::Failure;
use super::http1::{Head, Stamps};
use super::receive::Receiver;
use super::socket::{Read, Socket};

/// Where requests go into a connection.
pub(super) type Sender = SendRequest<Full<Bytes>>;

/// Speaks HTTP/2 on a socket.
pub(super) async fn open(socket: Socket) -> Result<Sender, Failure> {
    let opened = handshake(TokioExecutor::new(), TokioIo::new(socket)).await;
    let (sender, connection) = opened.map_err(|error| Failure::of_request(&error))?;
    // An error of the connection also reaches the exchanges that it breaks.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// A request to `url`.
pub(super) fn request(url: &str, headers: &[&HeaderMap], body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    // A target's URL was parsed before; one that cannot be parsed again goes to the root and gets 404.
    *request.uri_mut() = url.parse().unwrap_or_default();
    for headers in headers {
        request.headers_mut().extend((*headers).clone());
    }
    request
}

/// Sends a request and takes the response to its end.
pub(super) async fn receive(
    mut sender: Sender,
    request: Request<Full<Bytes>>,
    mut receiver: Receiver,
    mut bounds: Bounds,
) -> Response {
    bounds.asking();
    let mut stamps = Stamps { sent: Some(Instant::now()), ..Stamps::default() };
    let response = match bounds.keep(sender.try_send_request(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(mut error)) => {
            // What could not be handed over was not sent.
            let sent = error.take_message().is_none().then_some(stamps.sent).flatten();
            let failed = Response::failed(Failure::of_request(error.error()));
            return Response { stamps: Stamps { sent, ..stamps }, ..failed };
        }
        Err(overrun) => return Response { stamps, ..Response::failed(overrun) },
    };
    stamps.headers = Some(Instant::now());
    let (parts, body) = response.into_parts();
    let head = Head::new(parts.status, parts.headers);
    let ended = pieces(body, &head, &mut receiver, &mut bounds, &mut stamps).await;
    let outcome = receiver.finish(&head, ended);
    Response { stamps, head: Some(head), outcome, socket: None }
}

async fn pieces(
    mut body: Incoming,
    head: &Head,
    receiver: &mut Receiver,
    bounds: &mut Bounds,
    stamps: &mut Stamps,
) -> Result<(), Failure> {
    let mut number = 0;
    while let Some(frame) = bounds.keep(body.frame()).await? {
        let at = Instant::now();
        if let Some(overrun) = bounds.overrun(at) {
            return Err(overrun);
        }
        bounds.heard(at);
        let Ok(piece) = frame.map_err(|error| Failure::of_body(&error))?.into_data() else { continue };
        stamps.first_body.get_or_insert(at);
        stamps.last = Some(at);
        receiver.take(head, &piece, Read { at, number });
        receiver.rest();
        number += 1;
        if receiver.is_done() {
            break;
        }
    }
    Ok(())
}
