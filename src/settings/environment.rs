//! The one door to the environment.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::SettingsError;

/// A setting that the environment can hold.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it means, for the help.
    pub meaning: &'static str,
}

const fn variable(name: &'static str, meaning: &'static str) -> Variable {
    Variable { name, meaning }
}

/// Every setting.
pub const VARIABLES: [Variable; 27] = [
    variable(
        "LLMLAB_TARGET",
        "what answers: mock (default), anthropic, openai, litellm, ollama, vllm, llamacpp, a name of llmlab.toml, DIALECT+URL such as openai+http://127.0.0.1:8080, or cassette:DIR for recordings",
    ),
    variable("LLMLAB_MODEL", "the model to ask for, or to simulate"),
    variable(
        "LLMLAB_SMALL_MODEL",
        "the small model beside it, for routing (default: a small one of the simulator)",
    ),
    variable(
        "LLMLAB_EMBEDDINGS",
        "the address of an OpenAI-compatible /v1/embeddings for the semantic cache, as URL or URL#MODEL (default: none, vectors of character n-grams)",
    ),
    variable("LLMLAB_EMBEDDINGS_KEY", "its key, if it wants one"),
    variable("LLMLAB_BASE_URL", "another address for the target"),
    variable("LLMLAB_PROFILE", "the engine that the mock simulates (default: fast)"),
    variable(
        "LLMLAB_MOCK_SLOWDOWN",
        "multiplies every simulated or replayed time, such as 1.3 (default: 1), or those of a group or an arm, such as caching/cached=1.3; commas between several",
    ),
    variable(
        "LLMLAB_MOCK_DEFECT",
        "lets the simulated world break an assumption, so that a prediction must fail: buffered, uncached, hidden-cache, contended, slow-small, serial-tools, stale-guesses, closing, answer-cache (default: none)",
    ),
    variable(
        "LLMLAB_RECORD",
        "a new directory to which every exchange is recorded, for cassette:DIR to replay",
    ),
    variable("LLMLAB_SEED", "the seed of all randomness (default: 20)"),
    variable("LLMLAB_RUNS", "samples for each benchmark (default: 20); --sample-size wins"),
    variable("LLMLAB_MAX_USD", "the most dollars a live run may cost (default: 2)"),
    variable("LLMLAB_MAX_REQUESTS", "the most requests a run may send"),
    variable("LLMLAB_TIMEOUT", "seconds for a whole exchange (default: 600)"),
    variable("LLMLAB_CONTEXT_TOKENS", "the target's context length, if it does not say"),
    variable(
        "LLMLAB_SELFTEST",
        "off: results come without a check of the instrument against known truth, which takes 0.4 s (default: on)",
    ),
    variable(
        "LLMLAB_API_KEYS",
        "serve: the keys that are known, as NAME:SCOPE:KEY, where SCOPE is read or run; commas between several",
    ),
    variable(
        "LLMLAB_TRACE",
        "where traces go: console, otlp, langfuse; commas between several (default: none). otlp asks OTEL_EXPORTER_OTLP_ENDPOINT, _TRACES_ENDPOINT, _HEADERS and OTEL_SERVICE_NAME; langfuse LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY and LANGFUSE_HOST",
    ),
    variable("LLMLAB_TEST_LIVE", "1: a smoke run (--test) may ask a live target"),
    variable(
        "LLMLAB_TEST_STRICT",
        "tests: 1 holds measured times to their bounds, on a machine that does nothing else",
    ),
    variable("LLMLAB_TEST_CHROMIUM", "tests: the address of a Chromium binary"),
    variable(
        "LLMLAB_TEST_POSTGRES",
        "tests: the address of a PostgreSQL server on which they may make databases",
    ),
    variable("LLMLAB_TEST_REQUIRE_ALL", "tests: 1 fails those that would be left out for want of an address"),
    variable("LLMLAB_TEST_REDIS", "tests: the address of a Redis server"),
    variable("LLMLAB_TEST_PYTHON", "tests: the address of a Python that has the official client packages"),
    variable("LLMLAB_TEST_PHOENIX", "tests: the address of Arize Phoenix's executable, `phoenix`"),
];

/// The environment variables that matter to the lab.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// The flag that set a variable, for messages.
    flags: BTreeMap<&'static str, &'static str>,
}

impl Environment {
    /// The environment of this process.
    #[expect(clippy::disallowed_methods, reason = "this is the one door")]
    pub fn of_process() -> Self {
        let text = |value: std::ffi::OsString| value.into_string().ok();
        let all = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?)));
        Self { variables: all.collect(), flags: BTreeMap::new() }
    }

    /// An environment of one's own.
    pub fn of(variables: &[(&str, &str)]) -> Self {
        let all = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Self { variables: all.collect(), flags: BTreeMap::new() }
    }

    /// The same environment with a variable set by a flag, if it was given: a flag wins, and what is wrong
    /// with its value is said of the flag.
    #[must_use]
    pub fn with_flag(
        mut self,
        flag: &'static str,
        variable: &'static str,
        value: Option<&(impl ToString + ?Sized)>,
    ) -> Self {
        if let Some(value) = value {
            self.variables.insert(variable.into(), value.to_string());
            self.flags.insert(variable, flag);
        }
        self
    }

    /// The flag that set a variable, or the variable itself.
    pub(super) fn origin(&self, variable: &'static str) -> &'static str {
        self.flags.get(variable).copied().unwrap_or(variable)
    }

    /// A variable's value, unless it is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A variable's value, be it empty; absent where it is not set.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Refuses a variable that starts with `LLMLAB_` and is no setting: it was meant as one.
    pub(super) fn reject_unknown(&self) -> Result<(), SettingsError> {
        let known = |name: &str| VARIABLES.iter().any(|variable| variable.name == name);
        match self.variables.keys().find(|name| name.starts_with("LLMLAB_") && !known(name)) {
            None => Ok(()),
            Some(name) => Err(SettingsError::Unknown { name: name.clone(), suggestion: nearest(name) }),
        }
    }
}

/// The setting that differs from `name` in the fewest letters, if it is near.
fn nearest(name: &str) -> Option<&'static str> {
    let distance = |variable: &Variable| strsim::damerau_levenshtein(name, variable.name);
    VARIABLES
        .iter()
        .map(|variable| (distance(variable), variable.name))
        .min()
        .filter(|near| near.0 <= 4)
        .map(|near| near.1)
}

/// The settings as a help text.
pub fn help() -> String {
    let mut text = String::from("Environment:\n");
    for variable in VARIABLES.iter().filter(|variable| !variable.meaning.starts_with("tests:")) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {:<22} {}", variable.name, variable.meaning);
    }
    text
}
