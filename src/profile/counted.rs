//! How many requests failed, and whether that is too many.

use super::Measurement;

/// The share of failed requests above which a profile is no clean one.
const FAILED_SHARE: f64 = 0.05;

/// The requests that a profile measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// All of them.
    pub requests: usize,
    /// Those that failed.
    pub failed: usize,
}

impl Counted {
    /// The requests among `measurements`.
    pub(super) fn of<'a>(measurements: impl Iterator<Item = &'a Measurement>) -> Self {
        let count = |counted: Self, measurement: &Measurement| Self {
            requests: counted.requests + 1,
            failed: counted.failed + usize::from(!measurement.success),
        };
        measurements.fold(Self { requests: 0, failed: 0 }, count)
    }

    /// Why the figures are no clean ones, in words: more than 5% of the requests failed. Absent where they are clean.
    pub fn unclean(&self) -> Option<String> {
        let Self { requests, failed } = self;
        let limit = FAILED_SHARE * *requests as f64;
        let percent = FAILED_SHARE * 100.0;
        (*failed as f64 > limit)
            .then(|| format!("{failed} of {requests} requests failed, more than {percent}%"))
    }

    /// Whether there is no figure at all.
    pub fn is_without_success(&self) -> bool {
        self.failed == self.requests
    }
}
