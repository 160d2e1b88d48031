//! A system that does not stamp what arrives on a TCP socket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

/// There is nothing to prepare.
pub(crate) fn prepare(_: &TcpStream) {}

/// Reads into `buf`; how long ago the bytes arrived is not known.
pub(crate) fn poll_read(
    tcp: &mut TcpStream,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<io::Result<Option<Duration>>> {
    Pin::new(tcp).poll_read(cx, buf).map_ok(|()| None)
}
