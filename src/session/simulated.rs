//! The mock that a session starts for itself, and the models that it stands for.

use std::collections::BTreeMap;

use super::{Session, SessionError};
use crate::catalog::{self, Profile};
use crate::client::{Auth, Target};
use crate::mock::{Mock, MockConfig};
use crate::provenance::Truth;
use crate::settings::MockSettings;
use crate::wire::Dialect;

/// The model whose rules and prices the mock follows unless another is named.
const SIMULATED_MODEL: [(Dialect, &str); 4] = [
    (Dialect::Anthropic, "claude-sonnet-4-6"),
    (Dialect::OpenAi, "gpt-4o"),
    (Dialect::Completions, "gpt-4o"),
    (Dialect::Generate, "default"),
];

/// The small model beside it.
const SIMULATED_SMALL_MODEL: [(Dialect, &str); 4] = [
    (Dialect::Anthropic, "claude-haiku-4-5"),
    (Dialect::OpenAi, "gpt-4o-mini"),
    (Dialect::Completions, "gpt-4o-mini"),
    (Dialect::Generate, "small"),
];

impl Session {
    /// The name of the small model beside the one asked for in `dialect`; absent when nobody named one.
    pub fn small_model(&self, dialect: Dialect) -> Option<&str> {
        let named = self.settings.small_model.as_deref();
        let known =
            || SIMULATED_SMALL_MODEL.into_iter().find(|(of, _)| *of == dialect).map(|(_, model)| model);
        if self.is_simulated() { named.filter(|name| is_of(name, dialect)).or_else(known) } else { named }
    }
}

/// What answers, the mock that does, and how it is asked in each dialect.
pub(super) type Answering = (Truth, Option<Mock>, Vec<Target>);

pub(super) fn start_mock(settings: &MockSettings, seed: u64) -> Result<Answering, SessionError> {
    let mock = Mock::start(MockConfig {
        profile: settings.profile.clone(),
        slowdown: settings.slowdown,
        slowed: settings.slowed.clone(),
        models: small_models(settings),
        defect: settings.defect,
        seed,
        ..MockConfig::default()
    })?;
    let target = |(dialect, model): (Dialect, &str)| {
        let named = settings.model.as_deref().filter(|name| is_of(name, dialect));
        let model = named.unwrap_or(model);
        Target::new(crate::settings::MOCK, dialect, &mock.url(), model, &Auth::None)
    };
    let targets = SIMULATED_MODEL.into_iter().map(target).collect::<Result<Vec<_>, _>>()?;
    let truth = Truth::Simulated {
        profile: settings.profile.name.clone(),
        slowdown: settings.slowdown,
        slowed: settings.slowed.clone(),
    };
    Ok((truth, Some(mock), targets))
}

/// The engine of each model that a run may ask for as the small one.
fn small_models(settings: &MockSettings) -> BTreeMap<String, Profile> {
    let known = SIMULATED_SMALL_MODEL.map(|(_, model)| model.to_owned());
    known
        .into_iter()
        .chain(settings.small_model.clone())
        .map(|model| (model, settings.small.clone()))
        .collect()
}

/// Whether a named model may be simulated in `dialect`: a known one only in its provider's own.
fn is_of(name: &str, dialect: Dialect) -> bool {
    let provider = if dialect == Dialect::Completions { Dialect::OpenAi } else { dialect }.name();
    catalog::model(name).is_none_or(|model| model.provider == provider)
}
