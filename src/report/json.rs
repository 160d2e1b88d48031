//! A run's summary as a file, written in one step so that nobody reads half of it.

use std::io;
use std::path::Path;

use serde::Serialize;

use super::destination::Destination;
use crate::baseline::RunBenchmark;
use crate::experiment::{GroupSummary, SUMMARY_SCHEMA_VERSION};
use crate::instrument::Certificate;
use crate::metric::DEFINITIONS_VERSION;
use crate::mock::PacingReport;
use crate::price::Usd;
use crate::provenance::Provenance;
use crate::scenario;
use crate::session::Session;

/// Everything a run found.
#[derive(Debug, Clone, Serialize)]
pub struct RunSummary {
    /// The version of this format.
    pub schema_version: u32,
    /// The bench.
    pub bench: String,
    /// Whether every planned round was made.
    pub complete: bool,
    /// What the figures are.
    pub provenance: Provenance,
    /// The class of the machine that measured: [`Machine::class`](crate::provenance::Machine::class).
    pub machine_class: String,
    /// The version of the metrics' definitions.
    pub metrics_version: u32,
    /// What was asked: the hash of the scenarios that the groups are named after; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario_hash: Option<String>,
    /// What was sent and spent.
    pub totals: Totals,
    /// The instrument's own error.
    pub instrument: Instrument,
    /// The groups, in the order they ran.
    pub groups: Vec<GroupSummary>,
    /// The benchmarks that Criterion measured; none where it did not.
    pub benchmarks: Vec<RunBenchmark>,
    /// Arms and metrics that were left out, with the reason.
    pub skipped: Vec<String>,
}

/// What a run sent and spent.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Totals {
    /// Exchanges, retries included.
    pub requests: u64,
    /// Dollars, as far as known; simulated ones are what the model's provider would have asked.
    pub usd: Usd,
    /// Connections opened.
    pub connections: u64,
}

/// What is known of the instrument's own error.
#[derive(Debug, Clone, Serialize)]
pub struct Instrument {
    /// The longest that an answer waited until whoever asked went on, in nanoseconds.
    pub client_lag_max_ns: u64,
    /// How late the mock wrote, compared with its own plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mock_pacing: Option<PacingReport>,
    /// Its error against known truth, and what it did while it measured.
    #[serde(flatten)]
    pub certificate: Certificate,
}

impl RunSummary {
    /// The summary of what `session` did so far.
    pub fn new(
        session: &Session,
        bench: &str,
        complete: bool,
        groups: Vec<GroupSummary>,
        skipped: Vec<String>,
    ) -> Self {
        let used = session.budget().used();
        let provenance = session.provenance().clone();
        Self {
            schema_version: SUMMARY_SCHEMA_VERSION,
            bench: bench.into(),
            complete,
            machine_class: provenance.machine.class(),
            metrics_version: DEFINITIONS_VERSION,
            scenario_hash: scenario::hash_of(groups.iter().map(|group| group.name.as_str())),
            provenance,
            totals: Totals { requests: used.requests, usd: used.usd, connections: session.connections() },
            instrument: Instrument {
                client_lag_max_ns: u64::try_from(session.client_lag().as_nanos()).unwrap_or(u64::MAX),
                mock_pacing: session.pacing(),
                certificate: session.certificate(session.conduct()),
            },
            groups,
            benchmarks: Vec::new(),
            skipped,
        }
    }

    /// The same with what Criterion measured.
    #[must_use]
    pub fn measured(self, benchmarks: Vec<RunBenchmark>) -> Self {
        Self { benchmarks, ..self }
    }

    /// Writes the summary to `path`, in one step.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        Destination::new(path)?.write_json(self)
    }
}
