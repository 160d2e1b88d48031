//! How often somebody may ask.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::service::error::ApiError;

/// Wrong keys that one address may show at once, and how many more a second.
const GUESSES: Quota =
    Quota::per_second(NonZeroU32::new(1).expect("not 0")).allow_burst(NonZeroU32::new(20).expect("not 0"));

/// How often somebody may ask, and guess.
pub(crate) struct Limits {
    asking: Option<DefaultKeyedRateLimiter<String>>,
    guessing: DefaultKeyedRateLimiter<IpAddr>,
}

impl fmt::Debug for Limits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Limits").finish_non_exhaustive()
    }
}

impl Limits {
    /// So many requests a second for each key, and as many at once; none at all for 0.
    pub(crate) fn new(per_second: u32) -> Self {
        let quota = NonZeroU32::new(per_second).map(Quota::per_second);
        Self { asking: quota.map(RateLimiter::keyed), guessing: RateLimiter::keyed(GUESSES) }
    }

    /// Counts a request of a key's holder.
    pub(crate) fn check(&self, key_name: &String) -> Result<(), ApiError> {
        let Some(asking) = &self.asking else { return Ok(()) };
        asking.check_key(key_name).map_err(|until| {
            let after = until.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
            ApiError::TooMany { reason: "Too many requests", after }
        })
    }

    /// What is replied to a wrong key: that it is wrong, until there are too many of them. A right
    /// key counts all the same, so that who guesses keeps nobody out who shares the address; keys are too long to be
    /// guessed.
    pub(crate) fn wrong_key(&self, peer: IpAddr) -> ApiError {
        match self.guessing.check_key(&peer) {
            Ok(()) => ApiError::Forbidden("Invalid API key"),
            Err(_) => ApiError::TooMany { reason: "Too many wrong keys", after: 1 },
        }
    }
}
