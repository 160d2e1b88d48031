//! What Prometheus scrapes: requests to the service, jobs, and what the jobs measured.
//!
//! Histograms are classic ones in text, and native ones beside them where the scraper takes protocol buffers.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, prometheus_protobuf, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, NativeHistogramConfig};
use prometheus_client::registry::{Registry, Unit};

use crate::metric::Metric;
use crate::session::{Observer, Outcome, RequestRecord, SessionEvent};

/// Seconds, from a cached reply to a long job.
const BUCKETS: [f64; 20] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 180.0,
    600.0, 1800.0, 3600.0,
];

/// Where a request went and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: String,
    route: String,
    status: u16,
}

/// What kind of job, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobEnd {
    benchmark: String,
    state: String,
}

/// Who was asked what.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    group: String,
    arm: String,
    model: String,
    target: String,
    /// `simulated`, `replayed` or `live`.
    mode: String,
}

/// How a request to a model ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AskedOutcome {
    model: String,
    target: String,
    mode: String,
    outcome: String,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: String,
}

/// The counters of this process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Times<Route>,
    jobs: Times<JobEnd>,
    ttft: Times<Asked>,
    total: Times<Asked>,
    asked: Family<AskedOutcome, Counter>,
    standing: Family<State, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("llmlab");
        let metrics = Self {
            requests: family(
                &mut registry,
                "http_request_duration",
                "Time to answer a request to the service",
            ),
            jobs: family(&mut registry, "job_duration", "Time from a job's begin to its end"),
            ttft: family(&mut registry, "ttft", "Time to first token of what jobs asked"),
            total: family(&mut registry, "latency", "Total latency of what jobs asked"),
            asked: Family::default(),
            standing: Family::default(),
            registry: Registry::default(),
        };
        registry.register("requests", "Requests that jobs sent to models", metrics.asked.clone());
        registry.register("jobs", "Jobs by state", metrics.standing.clone());
        Self { registry, ..metrics }
    }
}

type Times<L> = Family<L, Histogram, fn() -> Histogram>;

/// A family of times, in seconds.
fn family<L>(registry: &mut Registry, name: &str, help: &str) -> Times<L>
where
    L: EncodeLabelSet + Clone + Eq + std::hash::Hash + std::fmt::Debug + Send + Sync + 'static,
{
    let family: Times<L> = Family::new_with_constructor(histogram);
    registry.register_with_unit(name, help, Unit::Seconds, family.clone());
    family
}

fn histogram() -> Histogram {
    Histogram::new_classic_and_native(BUCKETS, NativeHistogramConfig::default())
}

impl Metrics {
    /// Notes an answered request.
    pub fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let route = Route { method: method.into(), route: route.into(), status };
        self.requests.get_or_create(&route).observe(took.as_secs_f64());
    }

    /// Notes the end of a job.
    pub fn job_ended(&self, benchmark: &str, state: &str, took: Duration) {
        let end = JobEnd { benchmark: benchmark.into(), state: state.into() };
        self.jobs.get_or_create(&end).observe(took.as_secs_f64());
    }

    fn asked(&self, record: &RequestRecord) {
        let (model, target, mode) = (record.model.clone(), record.target.clone(), record.mode.clone());
        let outcome = match &record.outcome {
            Outcome::Ok => "ok".to_owned(),
            Outcome::Failed(class) => class.name().to_owned(),
        };
        let of = AskedOutcome { model: model.clone(), target: target.clone(), mode: mode.clone(), outcome };
        self.asked.get_or_create(&of).inc();
        // A failed request never enters a statistic of latency.
        if record.outcome != Outcome::Ok {
            return;
        }
        let asked = Asked { group: record.group.clone(), arm: record.arm.clone(), model, target, mode };
        for (family, metric) in [(&self.ttft, Metric::TTFT), (&self.total, Metric::TOTAL)] {
            if let Some(nanoseconds) = record.values.get(metric.name()) {
                family.get_or_create(&asked).observe(nanoseconds / 1e9);
            }
        }
    }

    /// Notes how many jobs are in each state.
    fn note_jobs(&self, jobs: &[(String, i64)]) {
        self.standing.clear();
        for (state, number) in jobs {
            self.standing.get_or_create(&State { state: state.clone() }).set(*number);
        }
    }

    /// As text, with how many jobs are in each state.
    pub(super) fn text(&self, jobs: &[(String, i64)]) -> String {
        self.note_jobs(jobs);
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }

    /// As protocol buffers, with native histograms.
    pub(super) fn protobuf(&self, jobs: &[(String, i64)]) -> Vec<u8> {
        self.note_jobs(jobs);
        prometheus_protobuf::encode_to_vec(&self.registry).unwrap_or_default()
    }
}

/// Notes what a job asks.
#[derive(Debug, Clone)]
pub(super) struct Asking(pub Arc<Metrics>);

impl Observer for Asking {
    fn on(&self, event: &SessionEvent<'_>) {
        if let SessionEvent::Exchange(record) = event {
            self.0.asked(record);
        }
    }
}
