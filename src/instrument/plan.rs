//! What the truth server answers, and when.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// How much a request's tokens are later than those of the request before it, up to the spread of phases: no
/// divisor of a usual gap, so that streams do not beat in step.
const PHASE_STEP: Duration = Duration::from_micros(1_237);

/// Every answer of a truth server. It is one word on a command line:
/// `first=100ms,gap=10ms,tokens=64[,stall=INDEX:300ms][,phase=10ms][,core=1]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// From the request's first byte to the first token.
    pub first: Duration,
    /// From one token to the next.
    pub gap: Duration,
    /// Tokens of an answer, each an event of its own.
    pub tokens: u32,
    /// One gap of each answer that is longer.
    pub stall: Option<Stall>,
    /// The tokens of different requests are shifted by less than this, each request by as much as it likes; the
    /// gap, unless it was set.
    pub phase: Option<Duration>,
    /// The core that the server stays on.
    pub core: Option<usize>,
}

/// A longer gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// The token, counted from 0, that comes late.
    pub token: u32,
    /// How long after the token before it.
    pub gap: Duration,
}

/// Why a word is no plan.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    /// Neither `key=value` nor known.
    #[error("read `{0}`: expected first=, gap=, tokens=, stall=INDEX:TIME, phase= or core=")]
    Unknown(String),
    /// Not such as `300ms`.
    #[error("read `{0}` as a time such as 300ms")]
    Time(String),
    /// Not a whole number.
    #[error("read `{0}` as a number")]
    Number(String),
    /// An answer has a token, and the first one has no gap before it.
    #[error("plan an answer of {tokens} tokens{}", if *.stalled { " with a stall outside them" } else { "" })]
    Tokens {
        /// How many were asked for.
        tokens: u32,
        /// Whether the stall is what does not fit.
        stalled: bool,
    },
}

impl Plan {
    /// A first token, then one after another, evenly.
    pub const fn paced(first: Duration, gap: Duration, tokens: u32) -> Self {
        Self { first, gap, tokens, stall: None, phase: None, core: None }
    }

    /// Tokens as fast as a socket takes them.
    pub const fn flat_out(tokens: u32) -> Self {
        Self::paced(Duration::ZERO, Duration::ZERO, tokens)
    }

    /// The same with a longer gap before `token`, counted from 0.
    #[must_use]
    pub const fn with_stall(self, token: u32, gap: Duration) -> Self {
        Self { stall: Some(Stall { token, gap }), ..self }
    }

    /// The same on a core of its own.
    #[must_use]
    pub const fn on_core(self, core: Option<usize>) -> Self {
        Self { core, ..self }
    }

    /// Whether nothing is waited for: an answer is then written as one piece, and the offsets in it are 0.
    pub fn is_flat(&self) -> bool {
        self.first.is_zero() && self.stall.is_none() && (self.gap.is_zero() || self.tokens == 1)
    }

    /// From the first byte of request `number` to its token `token`, both counted from 0.
    pub fn due(&self, number: u64, token: u32) -> Duration {
        let longer = match self.stall {
            Some(stall) if token >= stall.token => stall.gap.saturating_sub(self.gap),
            _ => Duration::ZERO,
        };
        self.first + self.shift(number) + self.gap * token + longer
    }

    /// How long an answer takes, but for its phase.
    pub fn answer(&self) -> Duration {
        self.due(0, self.tokens - 1)
    }

    fn shift(&self, number: u64) -> Duration {
        let spread = self.phase.unwrap_or(self.gap).as_nanos();
        if spread == 0 {
            return Duration::ZERO;
        }
        Duration::from_nanos((u128::from(number) * PHASE_STEP.as_nanos() % spread) as u64)
    }

    fn checked(self) -> Result<Self, PlanError> {
        let stalled = self.stall.is_some_and(|stall| stall.token == 0 || stall.token >= self.tokens);
        if self.tokens == 0 || stalled {
            return Err(PlanError::Tokens { tokens: self.tokens, stalled });
        }
        Ok(self)
    }
}

impl FromStr for Plan {
    type Err = PlanError;

    fn from_str(word: &str) -> Result<Self, PlanError> {
        let mut plan = Self::flat_out(1);
        for part in word.split(',') {
            let (key, value) = part.split_once('=').ok_or_else(|| PlanError::Unknown(part.into()))?;
            match key {
                "first" => plan.first = time(value)?,
                "gap" => plan.gap = time(value)?,
                "tokens" => plan.tokens = number(value)?,
                "phase" => plan.phase = Some(time(value)?),
                "core" => plan.core = Some(number(value)?),
                "stall" => {
                    let (token, gap) =
                        value.split_once(':').ok_or_else(|| PlanError::Unknown(part.into()))?;
                    plan.stall = Some(Stall { token: number(token)?, gap: time(gap)? });
                }
                _ => return Err(PlanError::Unknown(part.into())),
            }
        }
        plan.checked()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "first={:?},gap={:?},tokens={}", self.first, self.gap, self.tokens)?;
        if let Some(Stall { token, gap }) = self.stall {
            write!(formatter, ",stall={token}:{gap:?}")?;
        }
        if let Some(phase) = self.phase {
            write!(formatter, ",phase={phase:?}")?;
        }
        self.core.map_or(Ok(()), |core| write!(formatter, ",core={core}"))
    }
}

/// A time such as `300ms`; 0 needs no unit.
fn time(text: &str) -> Result<Duration, PlanError> {
    let wrong = || PlanError::Time(text.into());
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let seconds = match &text[digits..] {
        "s" => 1.0,
        "ms" => 1e-3,
        "us" | "µs" => 1e-6,
        "ns" => 1e-9,
        "" if text == "0" => 0.0,
        _ => return Err(wrong()),
    };
    let count: f64 = text[..digits].parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(count * seconds).map_err(|_| wrong())
}

fn number<T: FromStr>(text: &str) -> Result<T, PlanError> {
    text.parse().map_err(|_| PlanError::Number(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_plan_is_one_word() {
        let plan = Plan::paced(ms(100), Duration::from_micros(1_500), 64).with_stall(30, ms(300));
        for plan in [plan, plan.on_core(Some(1)), Plan { phase: Some(ms(0)), ..plan }, Plan::flat_out(7)] {
            assert_eq!(plan.to_string().parse(), Ok(plan));
        }
        assert_eq!("first=0,gap=0,tokens=9".parse(), Ok(Plan::flat_out(9)));
        for word in ["", "first", "first=1", "first=-1ms", "gap=ms", "tokens=-1", "speed=1ms", "stall=3"] {
            assert!(word.parse::<Plan>().is_err(), "{word}");
        }
        for word in ["tokens=0", "tokens=4,stall=0:1s", "tokens=4,stall=4:1s"] {
            assert!(matches!(word.parse::<Plan>(), Err(PlanError::Tokens { .. })), "{word}");
        }
    }

    #[test]
    fn tokens_are_due_from_the_start_of_their_request() {
        let plan = Plan::paced(ms(100), ms(10), 64).with_stall(30, ms(300));
        assert_eq!([0, 1, 29].map(|token| plan.due(0, token)), [ms(100), ms(110), ms(390)]);
        assert_eq!([30, 31].map(|token| plan.due(0, token)), [ms(690), ms(700)]);
        assert_eq!(plan.due(1, 0), ms(100) + PHASE_STEP);
        assert_eq!(plan.due(9, 0), ms(100) + 9 * PHASE_STEP - ms(10));
        assert_eq!(plan.answer(), ms(690) + ms(330));
        assert!(Plan::flat_out(1_000).is_flat() && Plan::paced(ms(0), ms(10), 1).is_flat());
        assert!(!plan.is_flat() && !Plan::paced(ms(0), ms(10), 2).is_flat());
    }
}
