//! What a simulated world does that no prediction expects.
//!
//! A simulator can only confirm what it assumes. Each defect breaks one assumption of one prediction, so that one
//! can see that the prediction then fails.

use std::fmt;
use std::str::FromStr;

/// An assumption that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Defect {
    /// Something on the way holds a streamed answer back until it is complete.
    Buffered,
    /// Cached prompt tokens are counted and billed as such, and processed like any other.
    Uncached,
    /// Every prompt is in a cache that the server does not report: its tokens take no time.
    HiddenCache,
    /// Each request in flight slows every other by half.
    Contended,
    /// The small model is no faster than the large one.
    SlowSmall,
    /// Tools share one worker: what is called together runs one after another.
    SerialTools,
    /// What was looked up before it was asked for is out of date, and has to be looked up again.
    StaleGuesses,
    /// The server closes every HTTP/1.1 connection after its response.
    Closing,
    /// The server keeps whole answers and gives them again at once.
    AnswerCache,
}

impl Defect {
    /// Every defect.
    pub const ALL: [Self; 9] = [
        Self::Buffered,
        Self::Uncached,
        Self::HiddenCache,
        Self::Contended,
        Self::SlowSmall,
        Self::SerialTools,
        Self::StaleGuesses,
        Self::Closing,
        Self::AnswerCache,
    ];

    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Buffered => "buffered",
            Self::Uncached => "uncached",
            Self::HiddenCache => "hidden-cache",
            Self::Contended => "contended",
            Self::SlowSmall => "slow-small",
            Self::SerialTools => "serial-tools",
            Self::StaleGuesses => "stale-guesses",
            Self::Closing => "closing",
            Self::AnswerCache => "answer-cache",
        }
    }

    /// All names, for a message.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A name that is no defect's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no defect; there are {}", Defect::names())]
pub struct UnknownDefect;

impl FromStr for Defect {
    type Err = UnknownDefect;

    fn from_str(text: &str) -> Result<Self, UnknownDefect> {
        Self::ALL.into_iter().find(|defect| defect.name() == text).ok_or(UnknownDefect)
    }
}
