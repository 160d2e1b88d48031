//! Every target that can be named here, where its name comes from, and whether its key is there.

use std::fmt;

use serde::Serialize;

use super::targets::{self, CASSETTE, MOCK, TargetFile};
use super::{AuthKind, Environment, LiveSettings, Settings, SettingsError, TargetEntry};
use crate::wire::Dialect;

/// A target that `LLMLAB_TARGET` may name.
#[derive(Debug, Clone)]
pub struct KnownTarget {
    /// Its name.
    pub name: String,
    /// Where the name comes from.
    pub origin: Origin,
    /// Whether the present settings choose it.
    pub is_chosen: bool,
    /// What it needs a key for.
    pub key: Key,
    /// What is asked, and where; absent for the mock and for recordings, which every run starts for itself.
    entry: Option<TargetEntry>,
}

/// Where a target's name comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The lab knows it.
    BuiltIn,
    /// `llmlab.toml`.
    File,
    /// It is a dialect and a URL, in the environment or on the command line.
    Url,
    /// It is a directory of recordings.
    Cassette,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::BuiltIn => "built in",
            Self::File => targets::FILE,
            Self::Url => "URL",
            Self::Cassette => "recordings",
        })
    }
}

/// The state of a target's key. The key itself is never held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Key {
    /// It takes none.
    None,
    /// It is there.
    Set {
        /// The variable that holds it.
        variable: String,
    },
    /// It is not there.
    Missing {
        /// The variable that would hold it.
        variable: String,
        /// Whether the target also answers without.
        optional: bool,
    },
}

impl KnownTarget {
    /// The mock, the built-in targets, those of `llmlab.toml`, and the URL that the environment names.
    ///
    /// # Errors
    /// When a variable or the file does not fit, or the environment names a target that is none.
    pub fn all(environment: &Environment) -> Result<Vec<Self>, SettingsError> {
        environment.reject_unknown()?;
        let file = targets::file_in_working_directory()?;
        let chosen = environment.get("LLMLAB_TARGET").unwrap_or(MOCK);
        let mut names = vec![MOCK.to_owned()];
        names.extend(targets::built_in()?.targets.into_keys());
        names.extend(file.targets.keys().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>());
        if !names.iter().any(|name| name == chosen) {
            names.push(chosen.to_owned());
        }
        names.into_iter().map(|name| Self::of(environment, &file, name)).collect()
    }

    /// The targets of these names, which may be URLs; an unknown one is refused.
    ///
    /// # Errors
    /// When a variable or the file does not fit, or a name is no target's.
    pub fn named(environment: &Environment, names: &[String]) -> Result<Vec<Self>, SettingsError> {
        environment.reject_unknown()?;
        let file = targets::file_in_working_directory()?;
        names.iter().map(|name| Self::of(environment, &file, name.clone())).collect()
    }

    fn of(environment: &Environment, file: &TargetFile, name: String) -> Result<Self, SettingsError> {
        let is_chosen = name == environment.get("LLMLAB_TARGET").unwrap_or(MOCK);
        if name == MOCK || name.starts_with(CASSETTE) {
            let origin = if name == MOCK { Origin::BuiltIn } else { Origin::Cassette };
            return Ok(Self { name, origin, is_chosen, key: Key::None, entry: None });
        }
        let Some(entry) = targets::entry(file, &name)? else {
            let variable = if is_chosen { environment.origin("LLMLAB_TARGET") } else { "NAME" };
            return Err(SettingsError::Value { name: variable, value: name, reason: targets::unknown(file) });
        };
        let origin = match &name {
            name if name.contains("://") => Origin::Url,
            name if file.targets.contains_key(name) => Origin::File,
            _ => Origin::BuiltIn,
        };
        let entry = match environment.get("LLMLAB_MODEL") {
            _ if is_chosen => targets::overridden(environment, entry),
            // A URL names no model of its own.
            Some(model) if origin == Origin::Url => TargetEntry { model: model.into(), ..entry },
            _ => entry,
        };
        Ok(Self { key: Key::of(environment, &entry), entry: Some(entry), name, origin, is_chosen })
    }

    /// The dialect it answers in; absent for what a run starts for itself.
    pub fn dialect(&self) -> Option<Dialect> {
        self.entry.as_ref().map(|entry| entry.dialect)
    }

    /// Where it answers; absent for what a run starts for itself.
    pub fn base_url(&self) -> Option<&str> {
        self.entry.as_ref().map(|entry| entry.base_url.as_str())
    }

    /// The model it is asked for; absent for what a run starts for itself.
    pub fn model(&self) -> Option<&str> {
        self.entry.as_ref().map(|entry| entry.model.as_str())
    }

    /// The settings of a run that asks it.
    ///
    /// # Errors
    /// When its recordings cannot be read, say.
    pub fn settings(&self) -> Result<Settings, SettingsError> {
        Settings::from_environment(&Environment::of(&[("LLMLAB_TARGET", &self.name)]))
    }

    /// The target ready to be asked; absent for what a run starts for itself.
    ///
    /// # Errors
    /// When its key is missing, or its address is none.
    pub fn live(&self, environment: &Environment) -> Result<Option<LiveSettings>, SettingsError> {
        self.entry.as_ref().map(|entry| targets::live(environment, &self.name, entry)).transpose()
    }
}

impl Key {
    fn of(environment: &Environment, entry: &TargetEntry) -> Self {
        let Some(variable) = entry.key_variable.clone().filter(|_| entry.auth != AuthKind::None) else {
            return Self::None;
        };
        match environment.get(&variable) {
            Some(_) => Self::Set { variable },
            None => Self::Missing { variable, optional: entry.key_optional },
        }
    }

    /// Whether the target cannot be asked for want of it.
    pub fn is_wanting(&self) -> bool {
        matches!(self, Self::Missing { optional: false, .. })
    }
}
