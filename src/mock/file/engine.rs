//! An engine of one's own: what differs from a profile, in the words of the list of profiles.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::catalog::Profile;
use crate::mock::MockError;

/// Speeds that are other than the profile's; absent ones are the profile's own.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineFile {
    /// From the request to the first token, without any prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overhead_ms: Option<f64>,
    /// Processing one uncached prompt token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefill_us_per_token: Option<f64>,
    /// Reading one cached prompt token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_us_per_token: Option<f64>,
    /// One output token after the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decode_ms_per_token: Option<f64>,
    /// Sigma of the lognormal noise (mean 1) on the overhead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma_overhead: Option<f64>,
    /// Sigma of the lognormal noise (mean 1) on the prefill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma_prefill: Option<f64>,
    /// Sigma of the lognormal noise (mean 1) on each output token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma_decode: Option<f64>,
    /// A chunk holds from 1 to this many tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst_tokens: Option<u32>,
    /// Requests served at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<usize>,
    /// The longest answer in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_tokens: Option<u32>,
    /// The share of an answer spent on thinking where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_share: Option<f64>,
}

impl EngineFile {
    /// All of a profile's engine.
    pub(super) fn of(profile: &Profile) -> Self {
        let in_units = |time: Duration, unit: Duration| Some(time.as_nanos() as f64 / unit.as_nanos() as f64);
        let (ms, us) = (Duration::from_millis(1), Duration::from_micros(1));
        Self {
            overhead_ms: in_units(profile.overhead, ms),
            prefill_us_per_token: in_units(profile.prefill, us),
            cached_us_per_token: in_units(profile.cached, us),
            decode_ms_per_token: in_units(profile.decode, ms),
            sigma_overhead: Some(profile.sigma_overhead),
            sigma_prefill: Some(profile.sigma_prefill),
            sigma_decode: Some(profile.sigma_decode),
            burst_tokens: Some(profile.burst_tokens),
            slots: Some(profile.slots),
            answer_tokens: Some(profile.answer_tokens),
            thinking_share: Some(profile.thinking_share),
        }
    }

    /// The profile with what differs. If something does, its name says so: results are labelled with it.
    pub(super) fn over(&self, profile: &Profile) -> Result<Profile, MockError> {
        let changed = Profile {
            overhead: time("overhead_ms", self.overhead_ms, 1e-3, profile.overhead)?,
            prefill: time("prefill_us_per_token", self.prefill_us_per_token, 1e-6, profile.prefill)?,
            cached: time("cached_us_per_token", self.cached_us_per_token, 1e-6, profile.cached)?,
            decode: time("decode_ms_per_token", self.decode_ms_per_token, 1e-3, profile.decode)?,
            sigma_overhead: number("sigma_overhead", self.sigma_overhead, 2.0, profile.sigma_overhead)?,
            sigma_prefill: number("sigma_prefill", self.sigma_prefill, 2.0, profile.sigma_prefill)?,
            sigma_decode: number("sigma_decode", self.sigma_decode, 2.0, profile.sigma_decode)?,
            thinking_share: number("thinking_share", self.thinking_share, 1.0, profile.thinking_share)?,
            burst_tokens: self.burst_tokens.unwrap_or(profile.burst_tokens),
            slots: self.slots.unwrap_or(profile.slots),
            answer_tokens: self.answer_tokens.unwrap_or(profile.answer_tokens),
            ..profile.clone()
        };
        let name =
            if changed == *profile { profile.name.clone() } else { format!("{} (changed)", profile.name) };
        Ok(Profile { name, ..changed })
    }
}

/// A time that is given in a unit of so many seconds.
fn time(name: &'static str, given: Option<f64>, unit: f64, own: Duration) -> Result<Duration, MockError> {
    let Some(given) = given else { return Ok(own) };
    // In whole nanoseconds, as the list of profiles is read.
    let nanoseconds = (given * unit * 1e9).round();
    if (0.0..=6e13).contains(&nanoseconds) {
        return Ok(Duration::from_nanos(nanoseconds as u64));
    }
    Err(MockError::Config {
        field: name,
        reason: "it must be a time of 0 or more, and of a day at most".into(),
    })
}

fn number(name: &'static str, given: Option<f64>, most: f64, own: f64) -> Result<f64, MockError> {
    match given {
        None => Ok(own),
        Some(given) if (0.0..=most).contains(&given) => Ok(given),
        Some(_) => Err(MockError::Config { field: name, reason: format!("it must be from 0 to {most}") }),
    }
}
