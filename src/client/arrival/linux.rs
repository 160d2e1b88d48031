//! Linux stamps every packet as it comes in, and says when the last one came that a read took from
//! (`SO_TIMESTAMPNS` of socket(7); for TCP since Linux 4.13).

use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt};
use tokio::io::{Interest, ReadBuf};
use tokio::net::TcpStream;

/// Room for one message with a time of two words; aligned as its header must be.
#[derive(Debug)]
#[repr(align(8))]
struct Control([u8; 64]);

/// Has the kernel stamp what arrives. A kernel that cannot leaves reads without stamps.
pub(crate) fn prepare(tcp: &TcpStream) {
    let _ = setsockopt(tcp, ReceiveTimestampns, &true);
}

/// Reads into `buf`, and says how long ago the last byte read arrived, if the kernel stamped it.
pub(crate) fn poll_read(
    tcp: &mut TcpStream,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<io::Result<Option<Duration>>> {
    let space = buf.initialize_unfilled();
    loop {
        ready!(tcp.poll_read_ready(cx))?;
        let mut read = None;
        let tried = tcp.try_io(Interest::READABLE, || {
            let (bytes, _) = *read.insert(receive(tcp, space)?);
            // Whatever did not fill the buffer emptied the socket: another read would only find that out.
            if (1..space.len()).contains(&bytes) { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match (read, tried) {
            (Some((bytes, arrived)), _) => {
                buf.advance(bytes);
                return Poll::Ready(Ok(arrived.and_then(ago)));
            }
            (None, Err(error)) if error.kind() != io::ErrorKind::WouldBlock => {
                return Poll::Ready(Err(error));
            }
            (None, _) => {}
        }
    }
}

/// How long ago that was; absent where it is still to come, since somebody set the clock.
fn ago(at: SystemTime) -> Option<Duration> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the kernel stamps by the wall clock; only a difference leaves here"
    )]
    SystemTime::now().duration_since(at).ok()
}

/// What one read takes: bytes, and when the last of them arrived by the system's clock.
fn receive(tcp: &TcpStream, space: &mut [u8]) -> io::Result<(usize, Option<SystemTime>)> {
    let (mut parts, mut control) = ([IoSliceMut::new(space)], Control([0; 64]));
    let received = recvmsg::<()>(tcp.as_raw_fd(), &mut parts, Some(&mut control.0), MsgFlags::empty())?;
    let arrived = received.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::ScmTimestampns(at) => Some(UNIX_EPOCH + Duration::from(at)),
        _ => None,
    });
    Ok((received.bytes, arrived))
}
