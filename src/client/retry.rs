//! Whether and when a failed exchange is tried again.

use std::time::Duration;

use super::failure::{ErrorClass, Failure};

/// How often and how patiently a failed exchange is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Exchanges in all, the first included.
    pub attempts: u32,
    /// All waiting together. A `retry-after` beyond what is left of it ends the trying.
    pub patience: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 4, patience: Duration::from_secs(90) }
    }
}

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Try again after this pause.
    For(Duration),
    /// The failure stands.
    GiveUp,
}

impl RetryPolicy {
    /// A policy that never tries again.
    pub const NEVER: Self = Self { attempts: 1, patience: Duration::ZERO };

    /// What follows `failure`, the outcome of attempt number `attempt` (from 1), after `waited` in all.
    ///
    /// The server's `retry-after` is honoured; without one the pause doubles from 250 ms. A refusal of
    /// the request itself (4xx) or an answer that cannot be parsed would fail again, so it stands.
    pub fn after(&self, failure: &Failure, attempt: u32, waited: Duration) -> Wait {
        if attempt >= self.attempts || !may_pass(failure.class) {
            return Wait::GiveUp;
        }
        let doubling = Duration::from_millis(250) * 2u32.saturating_pow(attempt.saturating_sub(1).min(6));
        let pause = failure.retry_after.unwrap_or(doubling);
        if waited + pause > self.patience { Wait::GiveUp } else { Wait::For(pause) }
    }
}

fn may_pass(class: ErrorClass) -> bool {
    use ErrorClass::*;
    match class {
        Connect | Timeout | Disconnect | RateLimited | Overloaded | Http5xx | MidStreamError | Truncated => {
            true
        }
        Tls | Http4xx | HttpOther | Parse => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(class: ErrorClass, retry_after: Option<u64>) -> Failure {
        Failure { retry_after: retry_after.map(Duration::from_secs), ..Failure::new(class, "") }
    }

    #[test]
    fn retry_after_is_honoured_within_the_patience() {
        let policy = RetryPolicy { attempts: 4, patience: Duration::from_secs(10) };
        let limited = failure(ErrorClass::RateLimited, Some(7));
        assert_eq!(policy.after(&limited, 1, Duration::ZERO), Wait::For(Duration::from_secs(7)));
        assert_eq!(policy.after(&limited, 2, Duration::from_secs(7)), Wait::GiveUp);
    }

    #[test]
    fn the_pause_doubles_and_the_attempts_end() {
        let policy = RetryPolicy::default();
        let overloaded = failure(ErrorClass::Overloaded, None);
        let pauses: Vec<_> =
            (1..=4).map(|attempt| policy.after(&overloaded, attempt, Duration::ZERO)).collect();
        let ms = |n| Wait::For(Duration::from_millis(n));
        assert_eq!(pauses, [ms(250), ms(500), ms(1000), Wait::GiveUp]);
    }

    #[test]
    fn a_refusal_is_final() {
        for class in [ErrorClass::Http4xx, ErrorClass::Parse, ErrorClass::Tls, ErrorClass::HttpOther] {
            assert_eq!(RetryPolicy::default().after(&failure(class, None), 1, Duration::ZERO), Wait::GiveUp);
        }
    }
}
