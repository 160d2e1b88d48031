//! Tools that an agent may call: what they take, how long they take, and what they change.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};
use serde::Deserialize;
use serde_json::{Value, json};

use super::prose::{TOKEN_BYTES, prose, tokens};
use crate::wire;

/// A tool as a scenario describes it. Its times are those of the real world.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// Its parameters' types in JSON Schema's words, by name; all are required.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// How long it takes at least, in milliseconds; with [`sigma`](Self::sigma), the median.
    pub delay_ms: f64,
    /// What it takes longer at most, evenly spread, in milliseconds.
    #[serde(default)]
    pub spread_ms: f64,
    /// The sigma of a lognormal time, which has a slow tail, instead of an even spread.
    #[serde(default)]
    pub sigma: Option<f64>,
    /// Whether it changes something: such a tool is never called on suspicion, nor twice.
    #[serde(default)]
    pub side_effects: bool,
    /// Whether it always fails.
    #[serde(default)]
    pub fails: bool,
    /// What it returns.
    pub result: String,
    /// The length of what it returns in tokens; absent means the text alone.
    #[serde(default)]
    pub result_tokens: Option<u64>,
}

impl Tool {
    /// A read-only tool that takes exactly `delay`.
    pub fn taking(name: impl Into<String>, delay: Duration) -> Self {
        Self {
            name: name.into(),
            description: "Looks something up.".into(),
            parameters: BTreeMap::from([("query".into(), "string".into())]),
            delay_ms: delay.as_secs_f64() * 1e3,
            spread_ms: 0.0,
            sigma: None,
            side_effects: false,
            fails: false,
            result: "ok".into(),
            result_tokens: None,
        }
    }

    /// As a model is offered it.
    pub fn offer(&self) -> wire::Tool {
        let properties: BTreeMap<_, _> =
            self.parameters.iter().map(|(name, kind)| (name, json!({ "type": kind }))).collect();
        let required: Vec<_> = self.parameters.keys().collect();
        wire::Tool {
            name: self.name.clone(),
            description: self.description.clone(),
            input_schema: json!({ "type": "object", "properties": properties, "required": required }),
            cache: None,
        }
    }

    /// How long a call takes.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> Duration {
        let ms = match self.sigma.and_then(|sigma| LogNormal::new(self.delay_ms.ln(), sigma).ok()) {
            Some(lognormal) => lognormal.sample(rng),
            None => self.delay_ms + self.spread_ms * rng.random::<f64>(),
        };
        Duration::from_secs_f64(ms / 1e3)
    }

    /// How long a call takes on average.
    pub fn mean(&self) -> Duration {
        let ms = match self.sigma {
            Some(sigma) => self.delay_ms * (sigma * sigma / 2.0).exp(),
            None => self.delay_ms + self.spread_ms / 2.0,
        };
        Duration::from_secs_f64(ms / 1e3)
    }

    /// What a call returns: its text, filled up to its length.
    pub fn output(&self) -> String {
        let said = tokens(&self.result);
        let fill = self.result_tokens.map_or(0, |wanted| wanted.saturating_sub(said));
        if fill == 0 { self.result.clone() } else { format!("{}\n{}", self.result, filler(fill, &self.name)) }
    }
}

/// `tokens` tokens of prose, less the byte of a line end before it, the same for the same `of`.
pub(super) fn filler(tokens: u64, of: &str) -> String {
    let text = prose(tokens, xxhash_rust::xxh3::xxh3_64(of.as_bytes()));
    text[..(tokens as usize * TOKEN_BYTES).saturating_sub(1)].to_owned()
}

/// A call that a simulated model makes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The tool's name.
    pub tool: String,
    /// Its input.
    #[serde(default)]
    pub input: Value,
}
