//! Which engine or vendor serves a model, as far as its name says: `fixtures/providers.toml`, and a guess.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

const FILE: &str = include_str!("../../fixtures/providers.toml");

#[derive(Deserialize)]
struct RulesFile {
    rules: Vec<RuleEntry>,
}

#[derive(Deserialize)]
struct RuleEntry {
    provider: String,
    pattern: String,
}

static RULES: LazyLock<Vec<(Regex, String)>> = LazyLock::new(|| {
    let file: RulesFile = toml::from_str(FILE)
        .unwrap_or_else(|error| unreachable!("fixtures/providers.toml is read by a test: {error}"));
    let rule = |entry: RuleEntry| Some((Regex::new(&entry.pattern).ok()?, entry.provider));
    file.rules.into_iter().filter_map(rule).collect()
});

/// Who serves which model. What somebody said of a model comes first, then the data file, then a guess.
#[derive(Debug, Clone, Default)]
pub struct Providers {
    said: BTreeMap<String, String>,
}

/// A text that does not say who serves a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected MODEL=NAME, such as llama3.1:8b-instruct=Ollama")]
pub struct UnknownProvider;

impl Providers {
    /// With what somebody said of some models.
    pub fn with(said: impl IntoIterator<Item = Said>) -> Self {
        Self { said: said.into_iter().map(|said| (said.model, said.provider)).collect() }
    }

    /// Who serves `model`.
    pub fn of(&self, model: &str) -> &str {
        let lower = model.to_lowercase();
        let listed = || RULES.iter().find(|(pattern, _)| pattern.is_match(&lower)).map(|(_, name)| name);
        match self.said.get(model).or_else(listed) {
            Some(provider) => provider,
            None => guess(&lower),
        }
    }
}

/// What older profilers took the words of a name to mean.
fn guess(model: &str) -> &'static str {
    let says = |word: &str| model.contains(word);
    match () {
        () if says("vllm") => "vLLM",
        () if says("cpp") || says("instruct") => "llama.cpp",
        () => "Ollama",
    }
}

/// `MODEL=NAME`: who serves a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    model: String,
    provider: String,
}

impl FromStr for Said {
    type Err = UnknownProvider;

    fn from_str(text: &str) -> Result<Self, UnknownProvider> {
        let (model, provider) = text.rsplit_once('=').ok_or(UnknownProvider)?;
        let said = Self { model: model.trim().into(), provider: provider.trim().into() };
        if said.model.is_empty() || said.provider.is_empty() { Err(UnknownProvider) } else { Ok(said) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_well_formed() {
        let file: RulesFile = toml::from_str(FILE).unwrap();
        assert_eq!(RULES.len(), file.rules.len());
    }

    #[test]
    fn what_was_said_comes_before_the_file_and_the_file_before_the_guess() {
        let providers = Providers::with(["my-model=TGI".parse().unwrap()]);
        let of = |model| providers.of(model);
        assert_eq!(
            ["llama3.1:8b", "llama-3.1-8b-instruct", "qwen-coder-vllm"].map(of),
            ["Ollama", "llama.cpp", "vLLM"]
        );
        // A name that the guess alone would give to llama.cpp.
        assert_eq!(guess("llama3.1:8b-instruct"), "llama.cpp");
        assert_eq!(of("llama3.1:8b-instruct"), "Ollama");
        assert_eq!(["my-model", "claude-haiku-4-5", "gpt-4o"].map(of), ["TGI", "Anthropic", "OpenAI"]);
        assert_eq!("nothing".parse::<Said>(), Err(UnknownProvider));
    }
}
