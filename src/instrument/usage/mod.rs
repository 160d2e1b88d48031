//! What a process costs: processor time and memory; and what it may use.

#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
use elsewhere as system;
#[cfg(unix)]
use unix as system;

use std::io;
use std::time::Duration;

/// What this process has used since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Processor time of all its threads, its own and the system's for it.
    pub cpu: Duration,
    /// The most memory it ever held, in bytes.
    pub peak_memory: u64,
}

impl Usage {
    /// What this process has used so far. Absent where the system does not say.
    pub fn of_process() -> Option<Self> {
        system::process()
    }
}

/// Processor time that the calling thread has used so far. Absent where the system does not say.
pub fn cpu_of_thread() -> Option<Duration> {
    system::thread()
}

/// The cores that this process may run on; 1 where the system does not say.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Lets this process open as many files as the system allows it to, a socket being one, and says how many those are.
/// Absent where the system does not say.
pub fn raise_open_files() -> Option<u64> {
    system::raise_open_files()
}

/// Keeps the calling thread, and those that it starts, on one core.
///
/// # Errors
/// When there is no such core, and where the system cannot.
pub fn pin_to(core: usize) -> io::Result<()> {
    system::pin_to(core)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_uses_grows() {
        let before = Usage::of_process().unwrap();
        let block = std::hint::black_box(vec![1_u8; 8 << 20]);
        while Usage::of_process().unwrap().cpu < before.cpu + Duration::from_millis(2) {
            std::hint::black_box(&block);
        }
        let after = Usage::of_process().unwrap();
        assert!(after.peak_memory >= before.peak_memory && after.peak_memory > 8 << 20);
        assert!(cores() >= 1);
    }

    #[test]
    fn open_files_are_raised_once() {
        let raised = raise_open_files();
        assert!(raised.is_some_and(|files| files > 3));
        assert_eq!(raise_open_files(), raised);
    }

    #[test]
    fn there_is_no_core_of_that_number() {
        assert!(pin_to(100_000).is_err());
    }
}
