//! Connection reuse: what does it cost to open a connection for each request?
//!
//! Off opens a new connection for every request, on keeps one; nothing else differs. TTFT runs from the first
//! byte of the request, on an open connection, and so shows none of it: what is compared is the time from the
//! decision to ask ([`Metric::TTFT_RESPONSE`]).
//!
//! Prediction: opening takes one round trip for TCP, and none for plain HTTP, one for TLS 1.3 or two for TLS 1.2
//! more (one if an earlier session is resumed); a prompt beyond the first congestion window takes further ones.
//! Loopback has no round trips, so the simulator adds them ([`Road::rtt`]); with none, nothing is predicted: what is
//! left then is the processor's time for cryptography, about a millisecond, which is left out elsewhere.

mod groups;
mod workload;

pub use groups::{http, prompt, reuse, tls};

use std::borrow::Cow;
use std::sync::Arc;

use crate::client::{Road, TlsVersion};
use crate::experiment::{Arm, Predict, Prediction};
use crate::metric::Metric;
use crate::mock::FIRST_WINDOW;

/// Round trips of the sweep, in milliseconds: from the same machine to across an ocean.
pub const RTT_MS: [u64; 4] = [0, 25, 50, 75];

/// Prompt lengths of the sweep, in kilobytes.
pub const PROMPT_KB: [u64; 3] = [1, 40, 400];

/// Round trips before the first request on a new connection of `road` leaves: one of TCP, and of TLS those of
/// RFC 5246 (1.2) and RFC 8446 (1.3; its resumption saves a signature and no round trip).
pub fn opening_round_trips(road: &Road) -> u32 {
    1 + match (road.tls, road.resumption) {
        (None, _) => 0,
        (Some(TlsVersion::Tls12), false) => 2,
        (Some(TlsVersion::Tls12), true) | (Some(TlsVersion::Tls13), _) => 1,
    }
}

/// Further round trips that a prompt of `bytes` takes on a new connection: the windows 1, 2, 4, … times
/// [`FIRST_WINDOW`] together must hold it (slow start, RFC 5681).
pub fn slow_start_round_trips(bytes: u64) -> u32 {
    let windows = bytes as f64 / FIRST_WINDOW as f64;
    ((windows + 1.0).log2().ceil() as u32).saturating_sub(1)
}

/// Where the predictions come from.
const SOURCE: &str =
    "round trips: TCP 1, TLS 1.3 1, TLS 1.2 2 or resumed 1, and slow start's; cryptography left out";

/// One way of reaching the server.
#[derive(Debug, Clone)]
struct Way {
    name: &'static str,
    x: Option<f64>,
    road: Road,
    /// Whether the connection is opened before the question is there.
    ahead: bool,
    prompt_bytes: u64,
}

impl Way {
    fn new(name: &'static str, road: Road) -> Self {
        Self { name, x: None, road, ahead: false, prompt_bytes: 0 }
    }

    /// The round trips that it waits beyond those of a warm connection.
    fn round_trips(&self) -> u32 {
        if self.road.reuse {
            return 0;
        }
        let opening = if self.ahead { 0 } else { opening_round_trips(&self.road) };
        opening + slow_start_round_trips(self.prompt_bytes)
    }
}

/// The time of the round trips that an arm saves against `control` at the same x.
fn predict(ways: Vec<Way>, control: &'static str) -> Predict {
    Arc::new(move |known, arm: &Arm, metric| {
        known.engine?;
        let way = |name: &str| ways.iter().find(|way| way.name == name && way.x == arm.x);
        let (own, control) = (way(&arm.name)?, way(control)?);
        let waits = [Metric::TTFT_RESPONSE, Metric::RESPONSE_TIME, Metric::MAKESPAN].contains(metric);
        let round_trips = f64::from(control.round_trips()) - f64::from(own.round_trips());
        let saving = round_trips * own.road.rtt.as_nanos() as f64;
        (waits && saving != 0.0).then_some(Prediction { saving, source: Cow::Borrowed(SOURCE) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_50_to_150_ms_are_round_trips_of_25_to_75_ms_with_tls_13() {
        let saved = |version, rtt: f64| f64::from(opening_round_trips(&Road::fresh().tls(version))) * rtt;
        assert_eq!((saved(TlsVersion::Tls13, 25.0), saved(TlsVersion::Tls13, 75.0)), (50.0, 150.0));
        // And of 17 to 50 ms with TLS 1.2
        assert_eq!(
            (saved(TlsVersion::Tls12, 50.0 / 3.0).round(), saved(TlsVersion::Tls12, 50.0)),
            (50.0, 150.0)
        );
    }

    #[test]
    fn a_prompt_that_fits_the_first_window_takes_no_further_round_trip() {
        let of = |bytes| slow_start_round_trips(bytes);
        assert_eq!([of(0), of(14_600), of(14_601), of(40_000), of(400_000)], [0, 0, 1, 1, 4]);
    }

    #[test]
    fn resumption_saves_a_round_trip_with_tls_12_alone() {
        let trips =
            |version, resumption| opening_round_trips(&Road { resumption, ..Road::fresh().tls(version) });
        assert_eq!([trips(TlsVersion::Tls12, false), trips(TlsVersion::Tls12, true)], [3, 2]);
        assert_eq!([trips(TlsVersion::Tls13, false), trips(TlsVersion::Tls13, true)], [2, 2]);
    }
}
