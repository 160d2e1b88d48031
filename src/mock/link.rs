//! A link of some length in front of the mock: between processes of one machine there are no round trips.
//!
//! A relay hands on what it reads half a round trip later, in order, however much there is: it delays and does
//! not throttle. Simulated besides:
//!
//! - **TCP's handshake.** The system accepts a connection at once, so what a client sends on a new one leaves no
//!   earlier than a round trip after it was opened. A client's own stamp of the handshake therefore says
//!   nothing: the time shows in what follows, TLS's handshake or the response.
//! - **Slow start.** A sender begins with ten segments (RFC 6928) and may send as much more as is acknowledged,
//!   a round trip after it was sent (RFC 5681): a long prompt takes several round trips on a new connection.
//!
//! Not simulated: bandwidth, loss, queues, late acknowledgements, and the slow start that some systems begin anew
//! after a pause. The times of a link are never scaled by the engine's slowdown.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::pacer::Pacer;

/// Bytes that a new connection sends before the first acknowledgement: ten segments of 1,460 bytes (RFC 6928).
pub const FIRST_WINDOW: usize = 14_600;

/// The most that one read takes.
const READ_SIZE: usize = 64 * 1024;
/// Pieces on their way before the sender is held back: far more than any prompt has.
const ON_THEIR_WAY: usize = 4096;

/// A link to one address.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) listener: TcpListener,
    pub(super) to: SocketAddr,
    pub(super) rtt: Duration,
    pub(super) pacer: Pacer,
}

impl Link {
    /// Relays every connection, for ever.
    pub(super) async fn run(self) {
        loop {
            match self.listener.accept().await {
                Ok((client, _)) => {
                    let relayed = relay(client, self.to, self.rtt, self.pacer.clone());
                    // Both ends see for themselves when a connection breaks.
                    tokio::spawn(async move { drop(relayed.await) });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

async fn relay(client: TcpStream, to: SocketAddr, rtt: Duration, pacer: Pacer) -> io::Result<()> {
    let opened = Instant::now();
    let server = TcpStream::connect(to).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(
        hand_on(from_client, to_server, Sender::new(opened + rtt, rtt), pacer.clone()),
        hand_on(from_server, to_client, Sender::new(opened, rtt), pacer),
    );
    Ok(())
}

/// Hands on all that comes from one end, its close included.
async fn hand_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut sender: Sender, pacer: Pacer) {
    let (on_its_way, mut arriving) = mpsc::channel(ON_THEIR_WAY);
    let read = async move {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(READ_SIZE);
            let ended = !matches!(from.read_buf(&mut buffer).await, Ok(read) if read > 0);
            for piece in sender.send(Instant::now(), buffer.split().freeze()) {
                if on_its_way.send(piece).await.is_err() {
                    return;
                }
            }
            if ended {
                return;
            }
        }
    };
    let write = async move {
        while let Some((at, bytes)) = arriving.recv().await {
            pacer.wait_until(at).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // The other end may have closed before.
        drop(to.shutdown().await);
    };
    tokio::join!(read, write);
}

/// One direction of a connection: what may be sent when.
#[derive(Debug)]
struct Sender {
    rtt: Duration,
    /// Nothing leaves before.
    free: Instant,
    /// The most that may be on its way unacknowledged, in bytes.
    window: usize,
    /// What is on its way: when it will be acknowledged, and how much it is.
    in_flight: VecDeque<(Instant, usize)>,
    in_flight_bytes: usize,
}

impl Sender {
    fn new(free: Instant, rtt: Duration) -> Self {
        Self { rtt, free, window: FIRST_WINDOW, in_flight: VecDeque::new(), in_flight_bytes: 0 }
    }

    /// When each piece of what is to be sent now arrives. No bytes stand for the end.
    fn send(&mut self, now: Instant, mut bytes: Bytes) -> Vec<(Instant, Bytes)> {
        self.free = self.free.max(now);
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            self.acknowledge();
            let room = self.window.saturating_sub(self.in_flight_bytes).min(bytes.len());
            match self.in_flight.front() {
                Some(&(acknowledged, _)) if room == 0 => self.free = acknowledged,
                _ => {
                    self.in_flight.push_back((self.free + self.rtt, room));
                    self.in_flight_bytes += room;
                    pieces.push((self.free + self.rtt / 2, bytes.split_to(room)));
                }
            }
        }
        if pieces.is_empty() {
            pieces.push((self.free + self.rtt / 2, Bytes::new()));
        }
        pieces
    }

    /// Widens the window by what has been acknowledged.
    fn acknowledge(&mut self) {
        while let Some((_, bytes)) = self.in_flight.pop_front_if(|(at, _)| *at <= self.free) {
            self.in_flight_bytes -= bytes;
            self.window = self.window.saturating_add(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(20);

    /// The round trips after `from` in which `bytes` arrive, the last half of one not counted.
    fn rounds(sender: &mut Sender, from: Instant, bytes: usize) -> u32 {
        let pieces = sender.send(from, vec![0; bytes].into());
        assert_eq!(pieces.iter().map(|(_, piece)| piece.len()).sum::<usize>(), bytes);
        assert!(pieces.is_sorted_by_key(|(at, _)| *at));
        let (last, _) = pieces.last().unwrap();
        ((*last - from - RTT / 2).as_secs_f64() / RTT.as_secs_f64()).round() as u32
    }

    #[test]
    fn what_is_sent_on_a_new_connection_waits_for_the_handshake_and_doubles_each_round() {
        let opened = Instant::now();
        let cold = || Sender::new(opened + RTT, RTT);
        for (bytes, expected) in [(1_000, 1), (14_600, 1), (14_601, 2), (40_000, 2), (400_000, 5)] {
            assert_eq!(rounds(&mut cold(), opened, bytes), expected, "{bytes} bytes");
        }
    }

    #[test]
    fn a_connection_opened_early_enough_and_used_before_waits_for_nothing() {
        let opened = Instant::now();
        let mut sender = Sender::new(opened + RTT, RTT);
        let later = opened + 2 * RTT;
        assert_eq!(rounds(&mut sender, later, 400_000), 4);
        // All of it has been acknowledged
        assert_eq!(rounds(&mut sender, later + 10 * RTT, 400_000), 0);
    }

    #[test]
    fn the_close_takes_its_time_as_well() {
        let opened = Instant::now();
        let pieces = Sender::new(opened, RTT).send(opened, Bytes::new());
        assert_eq!(pieces, [(opened + RTT / 2, Bytes::new())]);
    }
}
