//! What is good enough, in one place.
//!
//! A machine that is busy is late for everybody. Where the raw reader misses a bound as well, the lab's client has to
//! be as near to it as [`OVER_RAW`] instead.

use std::time::Duration;

use super::Spread;

/// What one instrument may be off, at half of the values and at 99 of 100.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// At half of the values.
    pub p50: Duration,
    /// At 99 of 100.
    pub p99: Duration,
}

/// What the lab promises of its time to first token: at half of the values a tenth of the smallest effects that the
/// benches show on loopback (3 ms), and below what two thirds of a timer's tick would add.
pub const SELFTEST: Bound = Bound { p50: Duration::from_micros(300), p99: Duration::from_millis(2) };

/// What a result may be off and still count: one percent of a time to first token of 100 ms, which is a fast answer of
/// a real engine, and a tenth of it for one in a hundred.
pub const RESULT: Bound = Bound { p50: Duration::from_millis(1), p99: Duration::from_millis(10) };

/// How much more than the raw reader's error the client's may be, where the machine itself misses a bound: a tick of
/// the runtime's timer.
pub const OVER_RAW: Duration = Duration::from_millis(1);

/// How far the mean gap between tokens may be off, as a share of it. Errors at both ends of a stream cancel out in it,
/// so that only lost or merged tokens reach this.
pub const MEAN_GAP: f64 = 0.01;

/// How far the longest gap of an answer, a stall, may be off.
pub const STALL: Duration = Duration::from_millis(2);

/// Of an open loop: how late 99 of 100 requests may be sent...
pub const SEND_LAG: Duration = Duration::from_millis(5);

/// ...or this share of the median time to first token, whichever is more.
pub const SEND_LAG_SHARE: f64 = 0.05;

/// The share of its cores that a process may use. Above it, what waits for a core is measured as well.
pub const CPU_SHARE: f64 = 0.9;

/// What of `client` is past `bound`, in words. `what` names it.
pub(super) fn past(what: &str, bound: Bound, client: &Spread, raw: &Spread) -> Vec<String> {
    let checks =
        [("p50", bound.p50, client.p50_ms, raw.p50_ms), ("p99", bound.p99, client.p99_ms, raw.p99_ms)];
    let judged = checks.into_iter().filter_map(|(at, bound, client, raw)| {
        let past = past_limit(bound, client, raw)?;
        Some(format!("{what} {at} {past}"))
    });
    judged.collect()
}

/// Says of an error in milliseconds how it is past its limit: the bound, or where the raw reader misses that itself,
/// [`OVER_RAW`] more than the raw reader's error.
pub(super) fn past_limit(bound: Duration, client: f64, raw: f64) -> Option<String> {
    let bound = milliseconds(bound);
    let (limit, whose) = if raw > bound {
        (
            raw + milliseconds(OVER_RAW),
            format!("the raw reader's {raw:.2} ms and {} ms", milliseconds(OVER_RAW)),
        )
    } else {
        (bound, format!("{bound} ms"))
    };
    // What is not a number is within nothing.
    (client.is_nan() || client > limit).then(|| format!("is {client:.2} ms, more than {whose}"))
}

/// Whether the machine itself misses the bounds of the self-test.
pub(super) fn is_busy(raw: &Spread) -> bool {
    raw.p50_ms > milliseconds(SELFTEST.p50) || raw.p99_ms > milliseconds(SELFTEST.p99)
}

pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(p50_ms: f64, p99_ms: f64) -> Spread {
        Spread { n: 100, p50_ms, p99_ms, max_ms: p99_ms }
    }

    #[test]
    fn a_bound_is_missed_past_it_and_past_a_raw_reader_that_misses_it_too() {
        let past = |client: Spread, raw: Spread| past("TTFT error", SELFTEST, &client, &raw);
        assert_eq!(past(spread(0.3, 2.0), spread(0.1, 0.2)), Vec::<String>::new());
        assert_eq!(
            past(spread(0.31, 2.0), spread(0.1, 0.2)),
            ["TTFT error p50 is 0.31 ms, more than 0.3 ms"]
        );
        assert_eq!(past(spread(1.2, 2.1), spread(0.1, 0.2)).len(), 2);
        assert_eq!(past(spread(6.0, 30.0), spread(5.5, 29.5)).len(), 0, "the machine was busy");
        assert_eq!(
            past(spread(6.0, 31.0), spread(5.5, 29.5)),
            ["TTFT error p99 is 31.00 ms, more than the raw reader's 29.50 ms and 1 ms"]
        );
        assert_eq!(past(spread(f64::NAN, 1.0), spread(0.1, 0.2)).len(), 1);
        assert!(is_busy(&spread(0.4, 1.0)) && is_busy(&spread(0.1, 2.5)) && !is_busy(&spread(0.1, 1.0)));
    }
}
