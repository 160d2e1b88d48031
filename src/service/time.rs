//! Times as they are kept, and as they are shown.

use jiff::Timestamp;

/// A time of so many milliseconds since 1970.
pub(super) fn timestamp(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or_default()
}

/// A time for people, in UTC, to the second.
pub(super) fn shown(milliseconds: i64) -> String {
    timestamp(milliseconds).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A time as RFC 3339 in UTC, to the millisecond.
pub(super) fn rfc3339(milliseconds: i64) -> String {
    timestamp(milliseconds).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
