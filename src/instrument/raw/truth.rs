//! The truth in the bytes of an answer.

use std::time::{Duration, Instant};

use memchr::memmem;

/// What stands before the offset of a token.
const BEFORE: &[u8] = b"\"content\":\"";

/// Every token in `bytes` with the moment at which its event was complete, and the truth. `stamps` are the moments of
/// reads, and how many bytes had come by then. What is cut off is no token.
pub(super) fn tokens(bytes: &[u8], stamps: &[(Instant, usize)]) -> impl Iterator<Item = (Instant, Duration)> {
    memmem::find_iter(bytes, BEFORE).map_while(move |found| {
        let text = &bytes[found + BEFORE.len()..];
        let digits = text.iter().position(|byte| !byte.is_ascii_digit())?;
        let nanoseconds = std::str::from_utf8(&text[..digits]).ok()?.parse().ok()?;
        let complete = found + memmem::find(&bytes[found..], b"\n\n")? + 2;
        let read = stamps.partition_point(|&(_, until)| until < complete);
        Some((stamps.get(read)?.0, Duration::from_nanos(nanoseconds)))
    })
}
