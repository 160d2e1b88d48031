//! As POSIX systems say it.

use std::io;
use std::time::Duration;

use nix::sys::resource::{Resource, Usage as Raw, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::{TimeVal, TimeValLike};

use super::Usage;

/// Bytes of a unit of `ru_maxrss`.
const MEMORY_UNIT: u64 = if cfg!(target_vendor = "apple") { 1 } else { 1024 };

pub(super) fn process() -> Option<Usage> {
    let raw = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    Some(Usage { cpu: cpu(&raw), peak_memory: u64::try_from(raw.max_rss()).ok()? * MEMORY_UNIT })
}

#[cfg(target_os = "linux")]
pub(super) fn thread() -> Option<Duration> {
    getrusage(UsageWho::RUSAGE_THREAD).ok().as_ref().map(cpu)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn thread() -> Option<Duration> {
    None
}

fn cpu(raw: &Raw) -> Duration {
    let time = |value: TimeVal| Duration::from_micros(value.num_microseconds().unsigned_abs());
    time(raw.user_time()) + time(raw.system_time())
}

pub(super) fn raise_open_files() -> Option<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    // Some systems name a hard limit that they do not grant.
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => Some(hard),
        Err(_) => Some(soft),
    }
}

#[cfg(target_os = "linux")]
pub(super) fn pin_to(core: usize) -> io::Result<()> {
    use nix::sched::{CpuSet, sched_setaffinity};
    use nix::unistd::Pid;

    let mut cores = CpuSet::new();
    cores.set(core)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &cores)?)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn pin_to(_core: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
