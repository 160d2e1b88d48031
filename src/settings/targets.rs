//! From a name to a target: built in, in `llmlab.toml`, or a URL.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::{CassetteSettings, Environment, LiveSettings, MockSettings, SettingsError};
use crate::cassette::Cassette;
use crate::catalog::{self, Model};
use crate::client::{Auth, Target};
use crate::price::{Price, Usd};
use crate::wire::{Dialect, Usage};

/// The name of the target that needs no key and no network.
pub const MOCK: &str = "mock";

/// What stands before a directory of recordings that answer.
pub const CASSETTE: &str = "cassette:";

pub(super) const FILE: &str = "llmlab.toml";
const BUILT_IN: &str = include_str!("../../fixtures/targets.toml");

/// What answers.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a run has one of them")]
pub enum TargetKind {
    /// The mock, started for the run: simulated figures.
    Mock(MockSettings),
    /// Recordings, played by the mock: replayed figures.
    Cassette(CassetteSettings),
    /// A real endpoint: live figures.
    Live(LiveSettings),
}

/// A target as data: an entry of `llmlab.toml` or of the built-in list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetEntry {
    /// The dialect it answers in.
    pub dialect: Dialect,
    /// Where it answers.
    pub base_url: String,
    /// The model it is asked for.
    pub model: String,
    /// How the key is sent.
    #[serde(default)]
    pub auth: AuthKind,
    /// The variable that holds the key.
    #[serde(default)]
    pub key_variable: Option<String>,
    /// Whether it also answers without a key.
    #[serde(default)]
    pub key_optional: bool,
    /// Prices, where the list of known models has none.
    #[serde(default)]
    pub prices: Option<Price>,
    /// The most prompt tokens it takes.
    #[serde(default)]
    pub context_tokens: Option<u64>,
}

/// What tokens of a target cost.
#[derive(Debug, Clone, Copy)]
pub enum Pricing {
    /// As the target's own entry says.
    Own(Price),
    /// As the list of known models says.
    Model(&'static Model),
}

impl Pricing {
    /// The prices of a known model.
    pub fn of_model(name: &str) -> Option<Self> {
        catalog::model(name).filter(|model| model.price.is_some()).map(Self::Model)
    }

    /// What `usage` costs; absent when a price or a count that it needs is.
    pub fn cost(&self, usage: &Usage) -> Option<Usd> {
        match self {
            Self::Own(price) => price.cost(usage),
            Self::Model(model) => model.cost(usage),
        }
    }
}

/// How a key is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthKind {
    /// There is none.
    #[default]
    None,
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// `x-api-key: KEY`.
    ApiKey,
}

/// The targets of a `llmlab.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetFile {
    /// By name.
    #[serde(default)]
    pub targets: BTreeMap<String, TargetEntry>,
}

/// Reads `llmlab.toml`, if the working directory has one.
pub(super) fn file_in_working_directory() -> Result<TargetFile, SettingsError> {
    let refuse = |reason: String| SettingsError::File { path: PathBuf::from(FILE), reason };
    match std::fs::read_to_string(FILE) {
        Ok(text) => toml::from_str(&text).map_err(|error| refuse(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(TargetFile::default()),
        Err(error) => Err(refuse(error.to_string())),
    }
}

/// The target that the environment names.
pub(super) fn choose(
    environment: &Environment,
    file: &TargetFile,
    mock: MockSettings,
) -> Result<TargetKind, SettingsError> {
    let name = environment.get("LLMLAB_TARGET").unwrap_or(MOCK);
    if name == MOCK {
        if environment.get("LLMLAB_BASE_URL").is_some() {
            return Err(
                environment.misfit("LLMLAB_BASE_URL", "the mock has no address; set LLMLAB_TARGET as well")
            );
        }
        return Ok(TargetKind::Mock(mock));
    }
    if let Some(directory) = name.strip_prefix(CASSETTE) {
        return cassette(environment, Path::new(directory), mock).map(TargetKind::Cassette);
    }
    let entry = entry(file, name)?.ok_or_else(|| environment.misfit("LLMLAB_TARGET", &unknown(file)))?;
    live(environment, name, &overridden(environment, entry)).map(TargetKind::Live)
}

/// The entry with what the environment says of the target that it names.
pub(super) fn overridden(environment: &Environment, mut entry: TargetEntry) -> TargetEntry {
    if let Some(base_url) = environment.get("LLMLAB_BASE_URL") {
        entry.base_url = base_url.into();
    }
    if let Some(model) = environment.get("LLMLAB_MODEL") {
        entry.model = model.into();
    }
    entry
}

/// The recordings of a directory.
fn cassette(
    environment: &Environment,
    directory: &Path,
    mock: MockSettings,
) -> Result<CassetteSettings, SettingsError> {
    if !mock.slowed.is_empty() {
        let reason = "of recordings, all times are multiplied or none: give a factor alone";
        return Err(environment.misfit("LLMLAB_MOCK_SLOWDOWN", reason));
    }
    let cassette = Cassette::read(directory);
    let cassette = cassette.map_err(|error| environment.misfit("LLMLAB_TARGET", &error.to_string()))?;
    let asked_for = |name: &&str| cassette.recordings().iter().any(|one| one.request.model == **name);
    let model = environment.get("LLMLAB_MODEL");
    if let Some(unknown) = model.filter(|model| !asked_for(model)) {
        let models: BTreeSet<_> = cassette.recordings().iter().map(|one| &*one.request.model).collect();
        let models = models.into_iter().collect::<Vec<_>>().join(", ");
        let reason = format!("no recording asks for {unknown}; there are {models}");
        return Err(environment.misfit("LLMLAB_MODEL", &reason));
    }
    let model = model.map(str::to_owned);
    Ok(CassetteSettings { cassette: Arc::new(cassette), slowdown: mock.slowdown, model })
}

/// The endpoint that turns texts into vectors, where one is named.
pub(super) fn embeddings(environment: &Environment) -> Result<Option<Target>, SettingsError> {
    const VARIABLE: &str = "LLMLAB_EMBEDDINGS";
    let Some(named) = environment.get(VARIABLE) else { return Ok(None) };
    let (url, model) = named.split_once('#').unwrap_or((named, "default"));
    let key = environment.get("LLMLAB_EMBEDDINGS_KEY");
    let auth = key.map_or(Auth::None, |key| Auth::Bearer(key.into()));
    let target = Target::new("embeddings", Dialect::OpenAi, url, model, &auth);
    target.map(Some).map_err(|source| SettingsError::Target { name: VARIABLE.into(), source })
}

/// `openai+http://127.0.0.1:8080`: a dialect and a URL.
fn by_url(name: &str) -> Option<TargetEntry> {
    let (dialect, url) = name.split_once('+').filter(|(_, url)| url.contains("://"))?;
    Some(TargetEntry {
        dialect: dialect.parse().ok()?,
        base_url: url.into(),
        model: "default".into(),
        auth: AuthKind::default(),
        key_variable: None,
        key_optional: false,
        prices: None,
        context_tokens: None,
    })
}

/// The target of that name: a URL, of the file, or built in.
pub(super) fn entry(file: &TargetFile, name: &str) -> Result<Option<TargetEntry>, SettingsError> {
    if let Some(entry) = by_url(name).or_else(|| file.targets.get(name).cloned()) {
        return Ok(Some(entry));
    }
    Ok(built_in()?.targets.remove(name))
}

/// The targets that are known without any file.
pub(super) fn built_in() -> Result<TargetFile, SettingsError> {
    toml::from_str(BUILT_IN).map_err(|error| SettingsError::File {
        path: "fixtures/targets.toml".into(),
        reason: error.to_string(),
    })
}

/// What to say of a name that is no target's.
pub(super) fn unknown(file: &TargetFile) -> String {
    let built_in = built_in().unwrap_or_default();
    let known: Vec<_> = [MOCK]
        .into_iter()
        .chain(built_in.targets.keys().chain(file.targets.keys()).map(String::as_str))
        .collect();
    let dialects = Dialect::ALL.map(Dialect::name).join(", ");
    format!(
        "no such target; known are {}, a [targets.NAME] of {FILE}, DIALECT+URL with a dialect of {dialects}, or \
         {CASSETTE}DIR",
        known.join(", ")
    )
}

pub(super) fn live(
    environment: &Environment,
    name: &str,
    entry: &TargetEntry,
) -> Result<LiveSettings, SettingsError> {
    let auth = auth(environment, name, entry)?;
    let target = Target::new(name, entry.dialect, &entry.base_url, &entry.model, &auth);
    let mut target = target.map_err(|source| SettingsError::Target { name: name.into(), source })?;
    target.context_tokens = entry.context_tokens;
    let prices = entry.prices.map(Pricing::Own).or_else(|| Pricing::of_model(&entry.model));
    Ok(LiveSettings { target, prices })
}

fn auth(environment: &Environment, name: &str, entry: &TargetEntry) -> Result<Auth, SettingsError> {
    let Some(variable) = entry.key_variable.as_deref().filter(|_| entry.auth != AuthKind::None) else {
        return Ok(Auth::None);
    };
    match (environment.get(variable), entry.auth) {
        (Some(key), AuthKind::Bearer) => Ok(Auth::Bearer(key.into())),
        (Some(key), AuthKind::ApiKey) => Ok(Auth::ApiKey(key.into())),
        (Some(_), AuthKind::None) => Ok(Auth::None),
        (None, _) if entry.key_optional => Ok(Auth::None),
        (None, _) => Err(SettingsError::NoKey { target: name.into(), variable: variable.into() }),
    }
}
