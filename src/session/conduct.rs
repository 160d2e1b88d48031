//! What a session's process does while it measures.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

use super::{Place, Session};
use crate::client::Exchange;
use crate::instrument::usage::{Usage, cores, cpu_of_thread};
use crate::instrument::{self, Certificate, Conduct, Spread};

/// What is noted meanwhile.
#[derive(Debug, Default)]
pub(super) struct Watched(Mutex<Notes>);

#[derive(Debug, Default)]
struct Notes {
    /// Whether something is measured now.
    measuring: bool,
    wall: Duration,
    /// Absent once the system did not say.
    cpu: Option<Duration>,
    /// Of the one thread that measures, where there is but one.
    cpu_of_thread: Duration,
    /// In nanoseconds; what took longer than these hold, some four seconds, counts as four.
    send_lags: Vec<u32>,
    late_answers: u64,
}

/// Something is measured for as long as this lives.
#[derive(Debug)]
pub struct Measuring<'a> {
    watched: &'a Watched,
    began: Instant,
    before: Option<Usage>,
    /// The time of the one thread that measures, where there is but one.
    before_of_thread: Option<Duration>,
}

impl Watched {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how long this process took to send a request, what was waited for on purpose or by the network left out.
    pub(super) fn sent(&self, exchange: &Exchange, place: &Place) {
        let Some(sent) = exchange.sent else { return };
        let opened = exchange.connection.and_then(|connection| connection.opened);
        let opening =
            opened.map_or(0, |phases| phases.dns_ns + phases.tcp_ns + phases.tls_ns.unwrap_or_default());
        let waited = place.held + Duration::from_nanos(opening);
        let lag = sent.saturating_duration_since(exchange.intended).saturating_sub(waited);
        let mut notes = self.notes();
        if notes.measuring {
            notes.send_lags.push(u32::try_from(lag.as_nanos()).unwrap_or(u32::MAX));
        }
    }

    /// Notes an answer that this process looked at late.
    pub(super) fn late(&self) {
        let mut notes = self.notes();
        notes.late_answers += u64::from(notes.measuring);
    }
}

impl Drop for Measuring<'_> {
    fn drop(&mut self) {
        let cpu = Usage::of_process().zip(self.before);
        let cpu = cpu.map(|(after, before)| after.cpu.saturating_sub(before.cpu));
        let thread = self.before_of_thread.zip(cpu_of_thread());
        let mut notes = self.watched.notes();
        notes.cpu_of_thread += thread.map_or(Duration::ZERO, |(before, after)| after.saturating_sub(before));
        let known = if notes.wall.is_zero() { Some(Duration::ZERO) } else { notes.cpu };
        notes.cpu = known.zip(cpu).map(|(known, more)| known + more);
        notes.wall += self.began.elapsed();
        notes.measuring = false;
    }
}

impl Session {
    /// Says that what is asked from here on is measured, until the value is dropped.
    pub fn measuring(&self) -> Measuring<'_> {
        self.watched.notes().measuring = true;
        let runtime = Handle::try_current().map(|runtime| runtime.runtime_flavor());
        Measuring {
            watched: &self.watched,
            began: Instant::now(),
            before: Usage::of_process(),
            before_of_thread: cpu_of_thread().filter(|_| matches!(runtime, Ok(RuntimeFlavor::CurrentThread))),
        }
    }

    /// Checks the instrument against known truth, once in a process, unless the settings forbid it. It takes some
    /// 0.4 s, in which nothing may be measured.
    pub async fn check_instrument(&self) {
        let checked = if self.settings.selftest {
            Box::pin(instrument::truth()).await
        } else {
            Err("LLMLAB_SELFTEST=off".into())
        };
        // Whoever checks twice in a process finds the same.
        let _ = self.truth.set(checked);
    }

    /// What this process did while it measured.
    pub fn conduct(&self) -> Conduct {
        let notes = self.watched.notes();
        let wall = notes.wall.as_secs_f64();
        // One thread alone is at its end long before the machine is.
        let share = |cpu: Duration| {
            (cpu.as_secs_f64() / (wall * cores() as f64)).max(notes.cpu_of_thread.as_secs_f64() / wall)
        };
        let lags: Vec<_> = notes.send_lags.iter().map(|&lag| Duration::from_nanos(lag.into())).collect();
        Conduct {
            send_lag: Spread::of(&lags),
            late_answers: notes.late_answers,
            cpu_share: notes.cpu.filter(|_| wall > 0.0).map(share),
            peak_memory_bytes: Usage::of_process().map(|usage| usage.peak_memory),
            open_ttft_ms: None,
        }
    }

    /// What results say of the instrument, by its conduct and by the check, if there was one.
    pub fn certificate(&self, conduct: Conduct) -> Certificate {
        let unchecked = || Err("the run ended before it".into());
        Certificate::new(self.truth.get().cloned().unwrap_or_else(unchecked), conduct)
    }
}
