//! Waking up in time: the timeout of a poll counts milliseconds only.

use std::io;
use std::time::{Duration, Instant};

use mio::{Registry, Token};

/// What is waited for by asking again and again, since the system wakes nobody up that precisely.
const SPIN: Duration = Duration::from_micros(150);

/// Ends a poll shortly before a moment.
#[derive(Debug)]
pub(super) struct Alarm(system::Alarm);

impl Alarm {
    /// An alarm that shows as an event of `token`, where the system has such.
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(Self(system::Alarm::new(registry, token)?))
    }

    /// The timeout of a poll that is to end before `deadline`, and may end long before it.
    pub(super) fn timeout(&mut self, deadline: Option<Instant>) -> io::Result<Option<Duration>> {
        let Some(deadline) = deadline else { return Ok(None) };
        match asleep(deadline.saturating_duration_since(Instant::now())) {
            None => Ok(Some(Duration::ZERO)),
            Some(left) => self.0.timeout(deadline, left),
        }
    }
}

/// How much of a wait is slept through, if any: a timer that is set to nothing never rings.
fn asleep(left: Duration) -> Option<Duration> {
    left.checked_sub(SPIN).filter(|left| !left.is_zero())
}

/// A timer that a poll can wait for.
#[cfg(target_os = "linux")]
mod system {
    use std::io;
    use std::os::fd::{AsFd, AsRawFd};
    use std::time::{Duration, Instant};

    use mio::unix::SourceFd;
    use mio::{Interest, Registry, Token};
    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

    #[derive(Debug)]
    pub(super) struct Alarm {
        timer: TimerFd,
        set_for: Option<Instant>,
    }

    impl Alarm {
        pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
            let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
            registry.register(&mut SourceFd(&timer.as_fd().as_raw_fd()), token, Interest::READABLE)?;
            Ok(Self { timer, set_for: None })
        }

        pub(super) fn timeout(&mut self, deadline: Instant, left: Duration) -> io::Result<Option<Duration>> {
            if self.set_for != Some(deadline) {
                // Setting it forgets what it rang for: it need not be read.
                self.timer.set(Expiration::OneShot(left.into()), TimerSetTimeFlags::empty())?;
                self.set_for = Some(deadline);
            }
            Ok(None)
        }
    }
}

/// Nothing better than whole milliseconds, and asking again for the last one.
#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;
    use std::time::{Duration, Instant};

    use mio::{Registry, Token};

    #[derive(Debug)]
    pub(super) struct Alarm;

    impl Alarm {
        pub(super) fn new(_registry: &Registry, _token: Token) -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) fn timeout(&mut self, _: Instant, left: Duration) -> io::Result<Option<Duration>> {
            Ok(Some(Duration::from_millis(left.as_millis() as u64)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_timer_is_set_to_nothing() {
        let moment = Duration::from_nanos(1);
        assert_eq!([Duration::ZERO, SPIN - moment, SPIN].map(asleep), [None; 3]);
        assert_eq!(asleep(SPIN + moment), Some(moment));
    }
}
