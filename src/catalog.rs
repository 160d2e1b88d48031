//! What is known of models and engines: one dated data file, `fixtures/models.toml`.
//!
//! Prices, cache minimums and model names change often and sources disagree; the file names source and day of
//! each entry. A model that it does not hold is no error: its price is unknown and defaults apply.

use std::sync::LazyLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::price::{Price, Usd};
use crate::wire::Usage;

/// A model, as its provider names it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Its name in requests.
    pub id: String,
    /// Other names of the same model.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Who serves it first-hand: `anthropic`, `openai`.
    pub provider: String,
    /// Whether it still answers.
    pub status: ModelStatus,
    /// The longest prompt in tokens.
    pub context_tokens: Option<u64>,
    /// Prices for a million tokens.
    pub price: Option<Price>,
    /// Prices of a request whose prompt is longer than a limit.
    pub long_price: Option<LongPrice>,
    /// Rules of its prompt cache.
    #[serde(default)]
    pub cache: CacheRules,
    /// Where the numbers come from.
    pub source: String,
    /// The day, or month, on which the source said so.
    pub date: String,
    /// Doubts, and where sources disagree.
    pub note: Option<String>,
}

/// Whether a model still answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelStatus {
    /// Current.
    Active,
    /// Served, with a successor.
    Legacy,
    /// Served until an announced day.
    Deprecated,
    /// Requests to it fail.
    Retired,
}

/// The prices of a request whose prompt has more than `above_tokens` tokens.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct LongPrice {
    /// The longest prompt, in tokens, that the ordinary price holds for.
    pub above_tokens: u64,
    /// The prices beyond it, for every token of the request.
    #[serde(flatten)]
    pub price: Price,
}

/// The rules of a model's prompt cache that differ between models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheRules {
    /// The fewest tokens a cached prefix has. Shorter ones are silently not cached.
    pub min_tokens: Option<u64>,
    /// Cached prefixes grow by this many tokens (automatic caches only).
    pub step_tokens: Option<u64>,
    /// Seconds that an automatic entry lives without being used.
    pub idle_s: Option<u64>,
}

impl Model {
    /// What `usage` costs. Absent if the price or a count that it needs is unknown.
    pub fn cost(&self, usage: &Usage) -> Option<Usd> {
        let long = self.long_price.filter(|long| usage.input.is_some_and(|input| input > long.above_tokens));
        long.map(|long| long.price).or(self.price)?.cost(usage)
    }

    fn answers_to(&self, name: &str) -> bool {
        self.id == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// The length of the longest of its names that `name` is a snapshot of.
    fn prefix_of(&self, name: &str) -> Option<usize> {
        let names = self.aliases.iter().chain([&self.id]);
        names.filter(|own| name.strip_prefix(own.as_str()).is_some_and(is_snapshot)).map(String::len).max()
    }
}

/// Whether what follows a model's name only picks a snapshot of it, rather than naming another model.
fn is_snapshot(suffix: &str) -> bool {
    suffix.starts_with(['@', ':'])
        || suffix
            .strip_prefix('-')
            .is_some_and(|rest| rest == "latest" || rest.bytes().take_while(u8::is_ascii_digit).count() >= 4)
}

/// The speed of a simulated engine. Times are those of the real thing; a mock may be slowed further.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "ProfileData")]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// What it stands for.
    pub description: String,
    /// Where the numbers come from.
    pub source: String,
    /// The day, or month, on which the source said so.
    pub date: String,
    /// Which of the numbers are our choice and not published.
    pub assumed: String,
    /// From the request to the first token, without any prompt: network, queue, scheduling.
    pub overhead: Duration,
    /// Prefill of one uncached prompt token.
    pub prefill: Duration,
    /// Reading one cached prompt token.
    pub cached: Duration,
    /// One output token after the first.
    pub decode: Duration,
    /// Sigma of the lognormal noise (mean 1) on the overhead.
    pub sigma_overhead: f64,
    /// Sigma of the lognormal noise (mean 1) on the prefill.
    pub sigma_prefill: f64,
    /// Sigma of the lognormal noise (mean 1) on each output token.
    pub sigma_decode: f64,
    /// A chunk holds from 1 to this many tokens.
    pub burst_tokens: u32,
    /// Requests served at once; more wait in the order they came.
    pub slots: usize,
    /// The longest answer in tokens.
    pub answer_tokens: u32,
    /// The share of an answer spent on thinking where it was asked for, in 0..=1.
    pub thinking_share: f64,
    /// How much less time the world around the engine takes than the real one, its tools and stores: 0.05 for an
    /// engine twenty times as fast as a real one.
    pub time_scale: f64,
    /// The profile of the small model that is served beside it.
    pub small: Option<String>,
}

/// A profile as the file writes it, each number with its unit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileData {
    name: String,
    description: String,
    source: String,
    date: String,
    assumed: String,
    overhead_ms: f64,
    prefill_us_per_token: f64,
    cached_us_per_token: f64,
    decode_ms_per_token: f64,
    sigma_overhead: f64,
    sigma_prefill: f64,
    sigma_decode: f64,
    burst_tokens: u32,
    slots: usize,
    answer_tokens: u32,
    thinking_share: f64,
    #[serde(default = "real_time")]
    time_scale: f64,
    #[serde(default)]
    small: Option<String>,
}

fn real_time() -> f64 {
    1.0
}

impl From<ProfileData> for Profile {
    fn from(data: ProfileData) -> Self {
        let micros = |us: f64| Duration::from_nanos((us * 1e3).round() as u64);
        Self {
            name: data.name,
            description: data.description,
            source: data.source,
            date: data.date,
            assumed: data.assumed,
            overhead: micros(data.overhead_ms * 1e3),
            prefill: micros(data.prefill_us_per_token),
            cached: micros(data.cached_us_per_token),
            decode: micros(data.decode_ms_per_token * 1e3),
            sigma_overhead: data.sigma_overhead,
            sigma_prefill: data.sigma_prefill,
            sigma_decode: data.sigma_decode,
            burst_tokens: data.burst_tokens,
            slots: data.slots,
            answer_tokens: data.answer_tokens,
            thinking_share: data.thinking_share,
            time_scale: data.time_scale,
            small: data.small,
        }
    }
}

impl Profile {
    /// The name of the profile that is used unless another is asked for.
    pub const DEFAULT: &'static str = "fast";

    /// The engine of the small model beside it; one that has none is served by itself.
    pub fn of_small_model(&self) -> Self {
        self.small.as_deref().and_then(|name| profile(name).ok()).unwrap_or(self).clone()
    }

    /// How long an answer of `output` tokens to a prompt of `input` uncached ones takes on average, where it waits
    /// for nothing: `overhead + prefill · input + decode · (output − 1)`.
    pub fn answer_time(&self, input: f64, output: f64) -> Duration {
        self.overhead + self.prefill.mul_f64(input) + self.decode.mul_f64((output - 1.0).max(0.0))
    }

    /// The same profile without any noise, for checks that want exact numbers.
    #[must_use]
    pub fn without_noise(self) -> Self {
        Self { sigma_overhead: 0.0, sigma_prefill: 0.0, sigma_decode: 0.0, ..self }
    }
}

impl Default for Profile {
    fn default() -> Self {
        // The embedded file holds it; a test reads the file.
        profile(Self::DEFAULT).expect("the data file holds the default profile").clone()
    }
}

/// A profile that the data file does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no profile {name:?}: known are {known}")]
pub struct UnknownProfile {
    /// What was asked for.
    pub name: String,
    /// The names there are, joined by commas.
    pub known: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalog {
    #[serde(rename = "version")]
    _version: u32,
    date: String,
    models: Vec<Model>,
    profiles: Vec<Profile>,
}

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    toml::from_str(include_str!("../fixtures/models.toml"))
        .expect("the embedded data file parses: a test reads it")
});

/// The day on which the data file was last brought up to date.
pub fn date() -> &'static str {
    &CATALOG.date
}

/// All known models.
pub fn models() -> &'static [Model] {
    &CATALOG.models
}

/// All engine profiles, the default first.
pub fn profiles() -> &'static [Profile] {
    &CATALOG.profiles
}

/// The model of that name: by id or alias, else as a snapshot of the longest name that fits
/// (`claude-opus-5-20260724`). A provider before a slash (`anthropic/...`) is ignored.
pub fn model(name: &str) -> Option<&'static Model> {
    let name = name.rsplit('/').next().unwrap_or(name);
    let exact = models().iter().find(|model| model.answers_to(name));
    exact.or_else(|| {
        models().iter().filter(|model| model.prefix_of(name).is_some()).max_by_key(|m| m.prefix_of(name))
    })
}

/// The engine profile of that name.
///
/// # Errors
/// [`UnknownProfile`] lists the names there are.
pub fn profile(name: &str) -> Result<&'static Profile, UnknownProfile> {
    profiles().iter().find(|profile| profile.name == name).ok_or_else(|| {
        let known: Vec<_> = profiles().iter().map(|profile| profile.name.as_str()).collect();
        UnknownProfile { name: name.to_owned(), known: known.join(", ") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_file_parses_and_names_everything_once() {
        let mut names: Vec<_> = models().iter().flat_map(|m| m.aliases.iter().chain([&m.id])).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
        assert_eq!(profiles()[0], Profile::default());
        assert!(models().iter().all(|model| !model.source.is_empty() && !model.date.is_empty()));
    }

    #[test]
    fn a_snapshot_is_its_model_and_a_successor_is_not() {
        assert_eq!(model("claude-opus-5-20260724").map(|m| m.id.as_str()), Some("claude-opus-5"));
        assert_eq!(model("anthropic/claude-opus-5-5").map(|m| m.id.as_str()), Some("claude-opus-5-5"));
        assert_eq!(model("gpt-4o-2024-08-06").map(|m| m.id.as_str()), Some("gpt-4o"));
        assert_eq!(model("gpt-4o-2024-05-13").map(|m| m.id.as_str()), Some("gpt-4o-2024-05-13"));
        assert_eq!(model("claude-opus-5-7"), None);
        assert_eq!(model("gpt-5.9"), None);
    }

    #[test]
    fn models_of_older_material_are_known_with_their_status() {
        for (name, status) in [
            ("claude-sonnet-4-20250514", ModelStatus::Retired),
            ("claude-opus-4-5-20251101", ModelStatus::Legacy),
            ("claude-3-5-haiku-20241022", ModelStatus::Retired),
        ] {
            assert_eq!(model(name).map(|m| m.status), Some(status), "{name}");
        }
    }

    #[test]
    fn a_long_prompt_has_its_own_price() {
        let usage = |input| Usage {
            input: Some(input),
            output: Some(0),
            cache_read: Some(0),
            cache_write: Some(0),
            ..Usage::default()
        };
        let haiku = model("claude-haiku-5-5").unwrap();
        assert_eq!(haiku.cost(&usage(100_000)), Some(Usd(0.01)));
        assert_eq!(haiku.cost(&usage(200_000)), Some(Usd(0.1)));
    }

    #[test]
    fn an_unknown_profile_names_those_there_are() {
        let error = profile("slow").unwrap_err().to_string();
        assert!(
            error.contains("\"slow\"") && error.contains("fast, fast-small, claude-sonnet-4.6"),
            "{error}"
        );
    }
}
