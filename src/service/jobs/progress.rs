//! How far a job is, in one message.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::provenance;
use crate::service::store::JobState;

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProgressUpdate {
    /// The job.
    pub job_id: String,
    /// Its state.
    pub state: JobState,
    /// The round of the group that was completed last; 0 before the first.
    pub current_run: u32,
    /// The rounds of each group, where that is known.
    pub total_runs: u32,
    /// The group of arms that is being run; empty before the first.
    pub current_benchmark: String,
    /// What happens, in words.
    pub message: String,
    /// When it was said, RFC 3339 in UTC.
    pub timestamp: String,
    /// The round's figures by arm; empty where no round was completed.
    pub metrics: BTreeMap<String, ArmFigures>,
}

/// What an arm's requests of one round took: the medians of those that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct ArmFigures {
    /// To the first content; absent where nothing was streamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<f64>,
    /// From the first written byte to the last content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// Output tokens a second over the whole latency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_second: Option<f64>,
    /// Requests, those that failed included.
    pub requests: u32,
    /// Those that failed.
    pub failures: u32,
}

impl ProgressUpdate {
    /// A job that waits for its turn, or of which nothing else is known.
    pub fn new(job_id: &str, state: JobState, message: impl Into<String>) -> Self {
        Self {
            job_id: job_id.into(),
            state,
            current_run: 0,
            total_runs: 0,
            current_benchmark: String::new(),
            message: message.into(),
            timestamp: provenance::rfc3339(provenance::now()),
            metrics: BTreeMap::new(),
        }
    }

    /// The same job, another word of it.
    #[must_use]
    pub fn then(&self, state: JobState, message: impl Into<String>) -> Self {
        let Self { current_run, total_runs, .. } = *self;
        let current_benchmark = self.current_benchmark.clone();
        Self { current_run, total_runs, current_benchmark, ..Self::new(&self.job_id, state, message) }
    }

    /// As JSON.
    pub fn json(&self) -> String {
        // Names and numbers: nothing in it can fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}
