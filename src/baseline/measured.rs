//! What a bench measured, ready to be compared.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::BenchmarkInfo;
use crate::metric::{Metric, Unit};
use crate::provenance::{Machine, Provenance, Truth, Versions};
use crate::settings::TargetKind;
use crate::wire::Dialect;

/// One bench's runs: several in a baseline, one where a run was just made.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchRuns {
    /// The bench.
    pub bench: String,
    /// What two sides of a comparison must have in common.
    pub fits: Fits,
    /// The class of the machine that measured, such as `x86_64-linux-8c`: [`Machine::class`].
    pub machine: String,
    /// The runs, oldest first.
    pub runs: Vec<RunInfo>,
    /// The benchmarks, in the order in which they ran.
    pub benchmarks: Vec<Measured>,
}

impl BenchRuns {
    /// The benchmark of that id.
    pub fn benchmark(&self, id: &str) -> Option<&Measured> {
        self.benchmarks.iter().find(|benchmark| benchmark.id == id)
    }
}

/// One benchmark's values.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Criterion's id, such as `caching/ttft/cached/1500`.
    pub id: String,
    /// The group, such as `caching`.
    pub group: String,
    /// The arm, such as `cached`.
    pub arm: String,
    /// The arm's position on the sweep.
    pub x: Option<f64>,
    /// The metric's name.
    pub metric: String,
    /// The unit of every value.
    pub unit: Unit,
    /// Whether the metric is the one that its group speaks of first.
    pub primary: bool,
    /// The id of the control's benchmark of the same metric at the same `x`; absent for the control itself.
    /// A filtered run may lack it.
    pub control: Option<String>,
    /// For each run, oldest first, its values in the metric's unit in the order of rounds: the values of two
    /// benchmarks of one group and run are paired by position.
    pub runs: Vec<Vec<f64>>,
}

impl Measured {
    pub(super) fn of(id: &str, info: &BenchmarkInfo, runs: Vec<Vec<f64>>) -> Self {
        let BenchmarkInfo { group, arm, x, metric, unit, primary, control } = info.clone();
        Self { id: id.into(), group, arm, x, metric, unit, primary, control, runs }
    }

    /// The metric, as a name with its unit.
    pub fn metric(&self) -> Metric {
        Metric::new(self.metric.clone(), self.unit)
    }
}

/// One run of a bench.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Its id.
    pub run_id: String,
    /// When it started, RFC 3339 in UTC.
    pub started: String,
    /// The machine that measured.
    pub machine: Machine,
    /// The software that measured.
    pub versions: Versions,
}

/// What two runs must have in common to be compared. What slows the mock on purpose is no part of it: that is
/// how a regression is made to test a gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fits {
    /// What answered.
    #[serde(flatten)]
    pub mode: Mode,
    /// The target's name.
    pub target: String,
    /// The target's scheme, host and port; live runs alone have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The dialect it was asked in.
    pub dialect: Dialect,
    /// The model that was asked.
    pub model: String,
    /// What was asked: the hash of the bench's scenario; absent for a bench without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario_hash: Option<String>,
    /// The seed of all randomness; simulated and replayed runs alone have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The version of the metrics' definitions: [`crate::metric::DEFINITIONS_VERSION`].
    pub metrics_version: u32,
}

/// What answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Mode {
    /// The mock's engine model.
    Simulated {
        /// The engine.
        profile: String,
    },
    /// A recorded exchange.
    Replayed {
        /// The recording.
        cassette: String,
    },
    /// A real endpoint.
    Live,
}

impl Mode {
    /// What a run on `target` would be.
    pub fn of_target(target: &TargetKind) -> Self {
        match target {
            TargetKind::Mock(mock) => Self::Simulated { profile: mock.profile.name.clone() },
            TargetKind::Cassette(replayed) => Self::Replayed { cassette: replayed.cassette.label() },
            TargetKind::Live(_) => Self::Live,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simulated { profile } => write!(formatter, "simulated ({profile})"),
            Self::Replayed { cassette } => write!(formatter, "replayed ({cassette})"),
            Self::Live => formatter.write_str("live"),
        }
    }
}

impl Fits {
    pub(super) fn of(provenance: &Provenance, scenario_hash: Option<String>, metrics_version: u32) -> Self {
        let mode = match &provenance.truth {
            Truth::Simulated { profile, .. } => Mode::Simulated { profile: profile.clone() },
            Truth::Replayed { cassette, .. } => Mode::Replayed { cassette: cassette.clone() },
            Truth::Live => Mode::Live,
        };
        let live = mode == Mode::Live;
        Self {
            mode,
            target: provenance.target.clone(),
            base_url: live.then(|| provenance.base_url.clone()),
            dialect: provenance.dialect,
            model: provenance.model.clone(),
            scenario_hash,
            seed: (!live).then_some(provenance.seed),
            metrics_version,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What a live run is.
    pub(in crate::baseline) fn live() -> Fits {
        Fits {
            mode: Mode::Live,
            target: "anthropic".into(),
            base_url: Some("https://api.anthropic.com".into()),
            dialect: Dialect::Anthropic,
            model: "claude-sonnet-4-6".into(),
            scenario_hash: Some("0123456789abcdef".into()),
            seed: None,
            metrics_version: 1,
        }
    }

    /// A run that started then, here.
    pub(in crate::baseline) fn info(started: &str) -> RunInfo {
        let (machine, versions) = (Machine::here(), Versions::here());
        RunInfo { run_id: format!("run-{started}"), started: started.into(), machine, versions }
    }

    #[test]
    fn what_a_run_must_have_in_common_reads_back() {
        for mode in [Mode::Live, Mode::Replayed { cassette: "c".into() }] {
            let fits = Fits { mode, ..live() };
            let text = serde_json::to_string(&fits).unwrap();
            assert_eq!(serde_json::from_str::<Fits>(&text).unwrap(), fits, "{text}");
        }
    }
}
