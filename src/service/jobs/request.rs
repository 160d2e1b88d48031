//! What is asked for, checked before it waits for its turn.

use regex::Regex;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Benchmark;
use crate::run::{Options, Stop};
use crate::service::error::{Complaint, complaint};
use crate::settings::{Environment, KnownTarget, Settings};

/// Rounds unless told otherwise.
pub const DEFAULT_RUNS: u32 = 5;
/// The longest answer to a prompt of one's own, unless told otherwise, in tokens.
pub const DEFAULT_MAX_TOKENS: u32 = 500;
const MOST_RUNS: u32 = 50;
const MAX_TOKENS: std::ops::RangeInclusive<u32> = 50..=4096;
/// The longest prompt, in bytes.
const LONGEST_PROMPT: usize = 32_000;
/// The longest name of a model or a target, in bytes.
const LONGEST_NAME: usize = 200;

/// What to run and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JobRequest {
    /// The model to ask for; the target's own unless given.
    #[schema(max_length = 200)]
    pub model: Option<String>,
    /// Rounds of each group, and one more that warms up.
    #[schema(minimum = 1, maximum = 50, default = 5)]
    pub runs: u32,
    /// 3 rounds of the shortest arms, which show that everything works and decide nothing.
    #[schema(default = false)]
    pub quick: bool,
    /// A prompt of one's own, for `streaming` alone: the others ask what their question needs.
    #[schema(min_length = 1, max_length = 32000)]
    pub prompt: Option<String>,
    /// The longest answer to `prompt`, in tokens.
    #[schema(minimum = 50, maximum = 4096, default = 500)]
    pub max_tokens: u32,
    /// A target by its name, of those that the service knows; its usual one unless given.
    #[schema(max_length = 200)]
    pub target: Option<String>,
    /// Only arms whose `group/arm/x` matches this regular expression, and their controls.
    #[schema(max_length = 200)]
    pub filter: Option<String>,
}

impl Default for JobRequest {
    fn default() -> Self {
        Self {
            model: None,
            runs: DEFAULT_RUNS,
            quick: false,
            prompt: None,
            max_tokens: DEFAULT_MAX_TOKENS,
            target: None,
            filter: None,
        }
    }
}

impl JobRequest {
    /// Reads a body; an empty one asks for the defaults.
    ///
    /// # Errors
    /// When it is no request; the complaint names the field.
    pub fn parse(body: &[u8]) -> Result<Self, Vec<Complaint>> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let value: serde_json::Value =
            serde_json::from_slice(body).map_err(|error| vec![complaint("", &error.to_string())])?;
        if value.is_null() {
            return Ok(Self::default());
        }
        if !value.is_object() {
            return Err(vec![complaint("", "expected an object")]);
        }
        let parsed = serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            let field = if matches!(path.as_str(), "." | "?") { String::new() } else { path };
            vec![complaint(&field, &error.inner().to_string())]
        })?;
        Ok(parsed)
    }

    /// Refuses what does not fit, before it is put in the queue.
    ///
    /// # Errors
    /// The complaints, each with its field.
    pub fn check(&self, benchmark: &Benchmark, environment: &Environment) -> Result<(), Vec<Complaint>> {
        let mut complaints = Vec::new();
        let mut refuse = |field: &str, reason: String| complaints.push(complaint(field, &reason));
        if !(1..=MOST_RUNS).contains(&self.runs) {
            refuse("runs", format!("{} is not between 1 and {MOST_RUNS}", self.runs));
        }
        if !MAX_TOKENS.contains(&self.max_tokens) {
            let (least, most) = (MAX_TOKENS.start(), MAX_TOKENS.end());
            refuse("max_tokens", format!("{} is not between {least} and {most}", self.max_tokens));
        }
        match &self.prompt {
            Some(prompt) if prompt.trim().is_empty() || prompt.len() > LONGEST_PROMPT => {
                refuse("prompt", format!("it must have from 1 to {LONGEST_PROMPT} bytes"));
            }
            Some(_) if !benchmark.takes_prompt() => {
                refuse("prompt", format!("{} asks its own prompts; streaming takes one", benchmark.kind));
            }
            _ => {}
        }
        for (field, value) in [("model", &self.model), ("target", &self.target), ("filter", &self.filter)] {
            let fits =
                |text: &String| (1..=LONGEST_NAME).contains(&text.len()) && !text.contains(char::is_control);
            if value.as_ref().is_some_and(|text| !fits(text)) {
                refuse(field, format!("it must have from 1 to {LONGEST_NAME} bytes of text"));
            }
        }
        if let Some(Err(error)) = self.filter.as_deref().map(Regex::new) {
            refuse("filter", error.to_string());
        }
        if !complaints.is_empty() {
            return Err(complaints);
        }
        if !self.selects_any(benchmark) {
            return Err(vec![complaint("filter", "no arm's group/arm/x matches it")]);
        }
        self.settings(environment).map(drop).map_err(|complaint| vec![complaint])
    }

    /// Whether any arm is left to run.
    fn selects_any(&self, benchmark: &Benchmark) -> bool {
        let Some(filter) = self.options().filter else { return true };
        let groups = benchmark.runs(self).into_iter().flat_map(|(_, groups)| groups);
        groups.into_iter().any(|group| {
            group.arms.iter().any(|arm| filter.is_match(&format!("{}/{}", group.name, arm.label())))
        })
    }

    /// The plan of a run: the service's own, with what the request sets instead.
    ///
    /// # Errors
    /// When the target is unknown or has no key, or the model does not fit.
    pub(super) fn settings(&self, environment: &Environment) -> Result<Settings, Complaint> {
        if let Some(target) = &self.target {
            // An address, or a directory, is the operator's to name and not a caller's.
            let known =
                KnownTarget::all(environment).map_err(|error| complaint("target", &error.to_string()))?;
            if !known.iter().any(|known| known.name == *target) {
                let names: Vec<_> = known.iter().map(|known| known.name.as_str()).collect();
                return Err(complaint("target", &format!("no such target; there are {}", names.join(", "))));
            }
        }
        let environment = environment
            .clone()
            .with_flag("model", "LLMLAB_MODEL", self.model.as_ref())
            .with_flag("target", "LLMLAB_TARGET", self.target.as_ref());
        let field = if self.target.is_some() { "target" } else { "model" };
        Settings::from_environment(&environment).map_err(|error| complaint(field, &error.to_string()))
    }

    /// How far the run goes.
    pub(super) fn options(&self) -> Options {
        let runs = if self.quick { Options::SMOKE_ROUNDS } else { self.runs };
        let filter = self.filter.as_deref().and_then(|filter| Regex::new(filter).ok());
        Options { stop: Stop::After(runs), smoke: self.quick, filter, ..Options::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;

    fn refused(kind: &str, body: &str) -> Vec<Complaint> {
        let benchmark = find(kind).unwrap();
        JobRequest::parse(body.as_bytes())
            .and_then(|request| request.check(&benchmark, &Environment::default()))
            .unwrap_err()
    }

    #[test]
    fn what_does_not_fit_is_refused_by_its_field() {
        let cases = [
            (r#"{"runs": 51}"#, "runs"),
            (r#"{"runs": 0}"#, "runs"),
            (r#"{"runs": "many"}"#, "runs"),
            (r#"{"runs": -1}"#, "runs"),
            (r#"{"max_tokens": 49}"#, "max_tokens"),
            (r#"{"prompt": " "}"#, "prompt"),
            (r#"{"target": "openai+http://127.0.0.1:1"}"#, "target"),
            (r#"{"target": "cassette:/etc"}"#, "target"),
            (r#"{"target": "anthropic"}"#, "target"),
            (r#"{"model": ""}"#, "model"),
            (r#"{"filter": "("}"#, "filter"),
            (r#"{"filter": "^warp"}"#, "filter"),
            ("[]", ""),
        ];
        for (body, field) in cases {
            assert_eq!(refused("streaming", body)[0].field(), field, "{body}");
        }
        assert_eq!(refused("caching", r#"{"prompt": "Hi"}"#)[0].field(), "prompt");
    }

    #[test]
    fn no_body_asks_for_the_defaults_and_quick_for_three_rounds() {
        let request = JobRequest::parse(b" \n").unwrap();
        assert_eq!((request.runs, request.max_tokens, request.quick), (5, 500, false));
        let quick = JobRequest { quick: true, ..request };
        assert_eq!(quick.options().stop, Stop::After(3));
        assert_eq!(JobRequest::parse(b"null").unwrap().runs, 5);
        for wrong in ["[", "[]", "{} {}", r#"{"warp": 1}"#] {
            JobRequest::parse(wrong.as_bytes()).unwrap_err();
        }
    }
}
