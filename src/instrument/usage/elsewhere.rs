//! Systems that are not asked.

use std::io;
use std::time::Duration;

use super::Usage;

pub(super) fn process() -> Option<Usage> {
    None
}

pub(super) fn thread() -> Option<Duration> {
    None
}

pub(super) fn raise_open_files() -> Option<u64> {
    None
}

pub(super) fn pin_to(_core: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
