//! How a profile came to its end, and the exit code of it.

use crate::cli::{EXIT_ERROR, EXIT_INTERRUPTED, EXIT_REGRESSION};
use crate::profile::Counted;
use crate::report::say;

/// Exit code of a profile that is complete.
const EXIT_DONE: u8 = 0;

/// How a profile came to its end.
pub(super) enum Ended {
    Complete,
    /// By Ctrl-C.
    Interrupted,
    /// No further request may be sent, for this reason.
    Stopped(String),
}

impl Ended {
    /// Why it is not complete, unless somebody wanted that.
    pub(super) fn error(&self) -> Option<String> {
        if let Self::Stopped(why) = self { Some(why.clone()) } else { None }
    }

    /// The exit code, with its reason on standard error.
    pub(super) fn code(&self, counted: &Counted) -> u8 {
        let (code, reason) = match (self, counted.unclean()) {
            (Self::Interrupted, _) => return EXIT_INTERRUPTED,
            (Self::Stopped(why), _) => (EXIT_ERROR, why.clone()),
            (Self::Complete, _) if counted.is_without_success() => {
                (EXIT_ERROR, "no request succeeded".into())
            }
            (Self::Complete, Some(unclean)) => (EXIT_REGRESSION, unclean),
            (Self::Complete, None) => return EXIT_DONE,
        };
        say(&format!("error: {reason}"));
        code
    }
}
