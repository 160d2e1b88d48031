//! Sessions that replay, and sessions that record.

use crate::client::{Auth, Target};
use crate::mock::{Mock, MockConfig, Replay};
use crate::provenance::Truth;
use crate::recorder::{Recorder, RecorderConfig, RecorderError};
use crate::settings::{CASSETTE, CassetteSettings, Settings, TargetKind};

use super::simulated::Answering;
use super::{Session, SessionError};

impl Session {
    /// What records every exchange, if anything does.
    pub fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref()
    }

    /// The rounds of every arm that recordings hold, the one that warms up included: another would have no answer.
    /// Absent where the answers are not recorded.
    pub fn recorded_rounds(&self) -> Option<u32> {
        match &self.settings.target {
            TargetKind::Cassette(replayed) => Some(replayed.cassette.rounds().unwrap_or_default()),
            _ => None,
        }
    }

    /// Why recordings cannot answer an arm of a group, in a sentence; absent if they can, or if nothing is replayed.
    pub fn unrecorded(&self, group: &str, label: &str) -> Option<String> {
        let TargetKind::Cassette(replayed) = &self.settings.target else { return None };
        let cassette = &replayed.cassette;
        let missing = || format!("it is not in the cassette {}", cassette.name());
        (!cassette.has_arm(group, label)).then(missing)
    }
}

/// The mock that plays the recordings, and a target for each dialect in them.
pub(super) fn start(settings: &CassetteSettings) -> Result<Answering, SessionError> {
    let cassette = &settings.cassette;
    let mock = Mock::start(MockConfig {
        slowdown: settings.slowdown,
        replay: Some(Replay { cassette: cassette.clone(), next: false }),
        ..MockConfig::default()
    })?;
    let name = format!("{CASSETTE}{}", cassette.name());
    let target = |(dialect, model)| {
        let model = settings.model.as_deref().unwrap_or(model);
        Target::new(&name, dialect, &mock.url(), model, &Auth::None)
    };
    let targets = cassette.models().into_iter().map(target).collect::<Result<Vec<_>, _>>()?;
    let truth = Truth::Replayed { cassette: cassette.label(), slowdown: settings.slowdown };
    Ok((truth, Some(mock), targets))
}

/// What records the exchanges with `target`, if they are to be.
pub(super) fn recorder(settings: &Settings, target: &Target) -> Result<Option<Recorder>, RecorderError> {
    let Some(record) = &settings.record else { return Ok(None) };
    let config = RecorderConfig {
        upstream: target.clone(),
        port: 0,
        directory: record.directory.clone(),
        engine: record.engine.clone(),
        upstream_is_mock: !matches!(settings.target, TargetKind::Live(_)),
    };
    Recorder::start_afresh(config).map(Some)
}
