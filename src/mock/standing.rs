//! Failures that stay: a share of all requests meets them for as long as the mock runs.
//!
//! Which requests is a function of the seed, the request and how often it came before, and of nothing else: a
//! request that is sent again has another fate, as it would have at a provider that is sometimes overloaded.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::seed::Noise;

use super::faults::FaultKind;
use super::time::Time;

/// The events of a stream that come before a failure in its middle, unless it says otherwise: some content.
const SOME_EVENTS: usize = 5;

/// A failure that a share of all requests meets.
///
/// As text it is a kind and its settings, commas between them: `status=529,retry-after=2,share=5%`, `cut,after=3`,
/// `stall=2s`, `slow-headers=500ms`, `error`, `garbage`, `close`. Without a share it hits every request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StandingFault {
    /// What goes wrong.
    pub what: FaultKind,
    /// For which share of requests: above 0, and 1 at most.
    pub share: f64,
}

/// Why a text is no failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The first word is no kind of failure.
    #[error(
        "`{0}` is no fault: one of status=CODE, cut, error, garbage, stall=TIME, slow-headers=TIME, close"
    )]
    Kind(String),
    /// A setting that the kind does not have.
    #[error("`{setting}` is no setting of a {kind} fault: {known}")]
    Setting {
        /// What was said.
        setting: String,
        /// The kind of failure.
        kind: String,
        /// What could have been said.
        known: &'static str,
    },
    /// A value that does not fit.
    #[error("`{name}={value}`: expected {expected}")]
    Value {
        /// The setting.
        name: &'static str,
        /// What was said.
        value: String,
        /// What would fit.
        expected: &'static str,
    },
}

impl FromStr for StandingFault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut parts = text.split(',').map(|part| part.trim().split_once('=').unwrap_or((part.trim(), "")));
        let (kind, value) = parts.next().unwrap_or_default();
        let mut fault = Self { what: kind_of(kind, value)?, share: 1.0 };
        for (name, value) in parts {
            fault.set(kind, name, value)?;
        }
        Ok(fault)
    }
}

fn kind_of(kind: &str, value: &str) -> Result<FaultKind, FaultError> {
    let after_events = SOME_EVENTS;
    let ms = |name| {
        let time = value.parse::<Time>().ok().and_then(|time| u64::try_from(time.0.as_millis()).ok());
        time.ok_or_else(|| wrong(name, value, "a time such as 500ms or 2s"))
    };
    match (kind, value) {
        ("status", code) => {
            let status = code.parse().ok().filter(|code| (400..=599).contains(code));
            let status = status.ok_or_else(|| wrong("status", code, "an HTTP error, 400 to 599"))?;
            Ok(FaultKind::Status { status, retry_after_s: None })
        }
        ("stall", _) => Ok(FaultKind::Stall { after_events, ms: ms("stall")? }),
        ("slow-headers", _) => Ok(FaultKind::SlowHeaders { ms: ms("slow-headers")? }),
        ("cut", "") => Ok(FaultKind::Cut { after_events }),
        ("error", "") => Ok(FaultKind::Error { after_events }),
        ("garbage", "") => Ok(FaultKind::Garbage { after_events }),
        ("close", "") => Ok(FaultKind::Close),
        _ => Err(FaultError::Kind(if value.is_empty() { kind.into() } else { format!("{kind}={value}") })),
    }
}

fn wrong(name: &'static str, value: &str, expected: &'static str) -> FaultError {
    FaultError::Value { name, value: value.into(), expected }
}

impl StandingFault {
    fn set(&mut self, kind: &str, name: &str, value: &str) -> Result<(), FaultError> {
        match (name, &mut self.what) {
            ("share", _) => self.share = share(value)?,
            ("retry-after", FaultKind::Status { retry_after_s, .. }) => {
                let seconds = value.parse().map_err(|_| wrong("retry-after", value, "a number of seconds"));
                *retry_after_s = Some(seconds?);
            }
            (
                "after",
                FaultKind::Cut { after_events }
                | FaultKind::Error { after_events }
                | FaultKind::Garbage { after_events }
                | FaultKind::Stall { after_events, .. },
            ) => {
                *after_events = value.parse().map_err(|_| wrong("after", value, "a number of events"))?;
            }
            (name, what) => {
                let known = match what {
                    FaultKind::Status { .. } => "it has share=5% and retry-after=SECONDS",
                    FaultKind::SlowHeaders { .. } | FaultKind::Close => "it has share=5%",
                    _ => "it has share=5% and after=EVENTS",
                };
                return Err(FaultError::Setting { setting: name.into(), kind: kind.into(), known });
            }
        }
        Ok(())
    }
}

fn share(text: &str) -> Result<f64, FaultError> {
    let (number, scale) = text.strip_suffix('%').map_or((text, 1.0), |percent| (percent, 100.0));
    let share = number.trim().parse().map(|number: f64| number / scale).ok();
    let share = share.filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| wrong("share", text, "a share above 0 and up to 100%, such as 5% or 0.05"))
}

impl fmt::Display for StandingFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |ms: u64| Time(Duration::from_millis(ms));
        match self.what {
            FaultKind::Status { status, retry_after_s } => {
                write!(formatter, "status={status}")?;
                retry_after_s.map_or(Ok(()), |seconds| write!(formatter, ",retry-after={seconds}"))?;
            }
            FaultKind::Cut { after_events } => write!(formatter, "cut,after={after_events}")?,
            FaultKind::Error { after_events } => write!(formatter, "error,after={after_events}")?,
            FaultKind::Garbage { after_events } => write!(formatter, "garbage,after={after_events}")?,
            FaultKind::Stall { after_events, ms } => {
                write!(formatter, "stall={},after={after_events}", time(ms))?;
            }
            FaultKind::SlowHeaders { ms } => write!(formatter, "slow-headers={}", time(ms))?,
            FaultKind::Close => formatter.write_str("close")?,
        }
        if self.share < 1.0 { write!(formatter, ",share={}", self.share) } else { Ok(()) }
    }
}

impl TryFrom<String> for StandingFault {
    type Error = FaultError;

    fn try_from(text: String) -> Result<Self, FaultError> {
        text.parse()
    }
}

impl From<StandingFault> for String {
    fn from(fault: StandingFault) -> Self {
        fault.to_string()
    }
}

/// How often each request came, while there are failures that stay.
#[derive(Debug, Default)]
pub(crate) struct Fates(HashMap<u64, u64>);

impl Fates {
    /// The failure that a request with this noise meets, if any: each hits its share, and none two.
    pub(crate) fn draw(&mut self, faults: &[StandingFault], noise: &Noise) -> Option<FaultKind> {
        if faults.is_empty() {
            return None;
        }
        let times = self.0.entry(noise.rng("fate").next_u64()).or_default();
        let mut place: f64 = noise.rng(&format!("fate {times}")).random();
        *times += 1;
        let hit = faults.iter().find(|fault| {
            place -= fault.share;
            place < 0.0
        });
        hit.map(|fault| fault.what)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
