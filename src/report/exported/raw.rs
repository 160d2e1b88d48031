//! The fields of the exported formats, each of which may be missing.

use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{Configuration, Cost, Figure, ReadError, Source, Timing};
use crate::verdict::Quantile;

/// The mode of a result that does not say what it is.
const UNLABELLED: &str = "unlabelled";

/// What is wrong with a field, before the file is known.
pub(super) enum Fault {
    Missing(String),
    NoLatency(String, f64),
}

impl Fault {
    pub(super) fn of(self, path: &Path) -> ReadError {
        let path = path.into();
        match self {
            Self::Missing(field) => ReadError::Missing { path, field },
            Self::NoLatency(field, value) => ReadError::NoLatency { path, field, value },
        }
    }
}

/// A file of any of the formats.
#[derive(Debug, Deserialize)]
pub(super) struct Raw {
    pub(super) schema_version: Option<u64>,
    pub(super) name: Option<String>,
    timestamp: Option<Value>,
    #[serde(default)]
    pub(super) interrupted: bool,
    #[serde(default)]
    pub(super) smoke: bool,
    #[serde(default)]
    provenance: RawProvenance,
    instrument: Option<RawInstrument>,
    /// Of a run, or of a comparison of providers.
    results: Option<Vec<RawResult>>,
    /// Of a latency profile.
    measurements: Option<Vec<RawMeasurement>>,
    #[serde(default, deserialize_with = "of_profile")]
    summary: Option<RawStats>,
    /// Of a throughput profile.
    levels: Option<Vec<RawLevel>>,
    model: Option<String>,
}

/// The summary of a latency profile; a run's is a list of groups, whose values stand in `results` too.
fn of_profile<'de, D: serde::Deserializer<'de>>(json: D) -> Result<Option<RawStats>, D::Error> {
    let value = Value::deserialize(json)?;
    if !value.is_object() {
        return Ok(None);
    }
    serde_json::from_value(value).map(Some).map_err(serde::de::Error::custom)
}

#[derive(Debug, Deserialize)]
struct RawInstrument {
    valid: Option<bool>,
    #[serde(default)]
    reasons: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct RawLevel {
    concurrency: u32,
    goodput_rps: Option<f64>,
    measurements: Option<Vec<RawMeasurement>>,
    #[serde(flatten)]
    stats: RawStats,
}

#[derive(Debug, Default, Deserialize)]
struct RawProvenance {
    mode: Option<String>,
    profile: Option<String>,
    target: Option<String>,
    model: Option<String>,
    started: Option<String>,
}

#[derive(Debug, Deserialize)]
struct RawResult {
    config: Option<RawConfig>,
    timing_results: Option<Vec<RawMeasurement>>,
    stats: Option<RawStats>,
    start_time: Option<Value>,
    model: Option<String>,
    /// A comparison of providers has its requests here, if it has them.
    measurements: Option<Vec<RawMeasurement>>,
    /// A comparison of providers has its figures here.
    #[serde(flatten)]
    flat: RawStats,
}

#[derive(Debug, Deserialize)]
struct RawConfig {
    name: Option<String>,
    group: Option<String>,
    model: Option<String>,
}

#[derive(Debug, Deserialize)]
struct RawMeasurement {
    latency_ms: Option<f64>,
    /// What a latency profile calls it.
    total_ms: Option<f64>,
    ttft_ms: Option<f64>,
    ttfb_ms: Option<f64>,
    tokens_per_second: Option<f64>,
    model: Option<String>,
    success: Option<bool>,
}

#[derive(Debug, Default, Clone, Deserialize)]
struct RawStats {
    count: Option<usize>,
    successful: Option<usize>,
    latency_p50_ms: Option<f64>,
    median_latency_ms: Option<f64>,
    latency_p90_ms: Option<f64>,
    p90_latency_ms: Option<f64>,
    latency_p95_ms: Option<f64>,
    p95_latency_ms: Option<f64>,
    latency_p99_ms: Option<f64>,
    p99_latency_ms: Option<f64>,
    ttft_p50_ms: Option<f64>,
    ttft_p95_ms: Option<f64>,
    ttft_p99_ms: Option<f64>,
}

impl Raw {
    /// Why the figures count for nothing, by the file's own word.
    pub(super) fn invalid(&self) -> Option<String> {
        let instrument = self.instrument.as_ref()?;
        (instrument.valid == Some(false)).then(|| instrument.reasons.join("; "))
    }

    pub(super) fn kind(&self) -> &'static str {
        let flat = |result: &RawResult| result.config.is_none();
        match &self.results {
            None if self.levels.is_some() => "throughput",
            None => "latency",
            Some(results) if results.iter().all(flat) => "providers",
            Some(_) => "run",
        }
    }

    pub(super) fn source(&self) -> Source {
        let provenance = &self.provenance;
        Source {
            mode: provenance.mode.clone().unwrap_or_else(|| UNLABELLED.into()),
            profile: provenance.profile.clone(),
            target: provenance.target.clone(),
        }
    }

    pub(super) fn timestamp(&self) -> Option<Timestamp> {
        let started = || self.provenance.started.as_deref().and_then(instant);
        let first = || self.results.as_ref()?.first()?.start_time.as_ref().and_then(point_in_time);
        self.timestamp.as_ref().and_then(point_in_time).or_else(first).or_else(started)
    }

    pub(super) fn configurations(&self) -> Result<Vec<Configuration>, Fault> {
        if let Some(results) = &self.results {
            let numbered = results.iter().enumerate();
            return numbered.map(|(index, result)| self.of_result(index, result)).collect();
        }
        if let Some(levels) = &self.levels {
            return levels.iter().enumerate().map(|(index, level)| self.of_level(index, level)).collect();
        }
        let stats = self.summary.clone().unwrap_or_default();
        let measurements = match (&self.measurements, &self.summary) {
            (None, None) => {
                return Err(Fault::Missing("results (or measurements, or summary)".into()));
            }
            (None, Some(summary)) if summary.stated().is_empty() && summary.n() != Some(0) => {
                return Err(Fault::Missing("summary.p95_latency_ms".into()));
            }
            (measurements, _) => measurements.as_deref().unwrap_or_default(),
        };
        let first = measurements.iter().find_map(|measurement| measurement.model.clone());
        let model = first.or_else(|| self.model.clone()).or_else(|| self.provenance.model.clone());
        let name = model.clone().unwrap_or_else(|| "latency".into());
        Ok(vec![Configuration::of(name, model, measurements, &stats, "measurements")?])
    }

    fn of_level(&self, index: usize, level: &RawLevel) -> Result<Configuration, Fault> {
        let timings = level.measurements.as_deref().unwrap_or_default();
        let (name, place) =
            (format!("concurrency/{}", level.concurrency), format!("levels[{index}].measurements"));
        let of_level = Configuration::of(name, self.provenance.model.clone(), timings, &level.stats, &place)?;
        // A level without an answer has none a second, and no rate to be compared by.
        let requests_per_second = level.goodput_rps.filter(|&rate| rate > 0.0);
        Ok(Configuration { requests_per_second, ..of_level })
    }

    fn of_result(&self, index: usize, result: &RawResult) -> Result<Configuration, Fault> {
        let place = format!("results[{index}]");
        let model = result.config.as_ref().and_then(|config| config.model.clone());
        let model = model.or_else(|| result.model.clone());
        let Some(config) = &result.config else {
            let name = model.clone().ok_or_else(|| Fault::Missing(format!("{place}.config")))?;
            let timings = result.measurements.as_deref().unwrap_or_default();
            return Configuration::of(name, model, timings, &result.flat, &format!("{place}.measurements"));
        };
        let name = config.name.clone().ok_or_else(|| Fault::Missing(format!("{place}.config.name")))?;
        if result.timing_results.is_none() && result.stats.is_none() {
            return Err(Fault::Missing(format!("{place}.timing_results")));
        }
        let stats = result.stats.clone().unwrap_or_default();
        let timings = result.timing_results.as_deref().unwrap_or_default();
        let model = model.or_else(|| self.provenance.model.clone());
        let of_result = Configuration::of(name, model, timings, &stats, &format!("{place}.timing_results"))?;
        Ok(Configuration { group: config.group.clone(), ..of_result })
    }
}

impl Configuration {
    fn of(
        name: String,
        model: Option<String>,
        measurements: &[RawMeasurement],
        stats: &RawStats,
        place: &str,
    ) -> Result<Self, Fault> {
        let numbered = measurements.iter().enumerate();
        let succeeded = numbered.filter(|(_, measurement)| measurement.success != Some(false));
        let timings = succeeded.map(|(index, measurement)| measurement.timing(&format!("{place}[{index}]")));
        Ok(Self {
            name,
            model,
            timings: timings.collect::<Result<_, _>>()?,
            requests_per_second: None,
            group: None,
            stated: stats.stated(),
            count: stats.n(),
        })
    }
}

impl RawMeasurement {
    fn timing(&self, place: &str) -> Result<Timing, Fault> {
        let cost = |field: &str, value: f64| {
            if value > 0.0 { Ok(value) } else { Err(Fault::NoLatency(format!("{place}.{field}"), value)) }
        };
        let latency = self.latency_ms.or(self.total_ms);
        let latency = latency.ok_or_else(|| Fault::Missing(format!("{place}.latency_ms")))?;
        Ok(Timing {
            latency_ms: cost("latency_ms", latency)?,
            ttft_ms: self.ttft_ms.map(|ttft| cost("ttft_ms", ttft)).transpose()?,
            ttfb_ms: self.ttfb_ms,
            tokens_per_second: self.tokens_per_second,
        })
    }
}

impl RawStats {
    fn n(&self) -> Option<usize> {
        self.count.or(self.successful)
    }

    /// What is stated; a zero stands for "no request succeeded" in the profilers' files.
    fn stated(&self) -> Vec<(Figure, f64)> {
        let latency = [
            (Quantile::P50, self.latency_p50_ms.or(self.median_latency_ms)),
            (Quantile::P90, self.latency_p90_ms.or(self.p90_latency_ms)),
            (Quantile::P95, self.latency_p95_ms.or(self.p95_latency_ms)),
            (Quantile::P99, self.latency_p99_ms.or(self.p99_latency_ms)),
        ];
        let ttft = [
            (Quantile::P50, self.ttft_p50_ms),
            (Quantile::P95, self.ttft_p95_ms),
            (Quantile::P99, self.ttft_p99_ms),
        ];
        let of = |cost| {
            move |(quantile, value): (Quantile, Option<f64>)| {
                Some((Figure { cost, quantile }, value.filter(|&value| value > 0.0)?))
            }
        };
        latency
            .into_iter()
            .filter_map(of(Cost::Latency))
            .chain(ttft.into_iter().filter_map(of(Cost::Ttft)))
            .collect()
    }
}

/// A time as text, or as seconds since 1970.
fn point_in_time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => instant(text),
        Value::Number(seconds) => Timestamp::from_millisecond((seconds.as_f64()? * 1e3) as i64).ok(),
        _ => None,
    }
}

/// A time as RFC 3339; without a zone it is taken as UTC.
fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })
}

/// The date, and the time if there is one, in a name such as `latency-2026-01-31.json` or
/// `streaming_20260131_101500.json`.
pub(super) fn date_in_name(path: &Path) -> Option<Timestamp> {
    let pattern = r"(20\d\d)-?([01]\d)-?([0-3]\d)(?:[T_-]([0-2]\d)-?([0-5]\d)-?([0-5]\d))?";
    let found = regex::Regex::new(pattern).ok()?.captures(path.file_stem()?.to_str()?)?;
    let part = |number: usize| found.get(number).map_or("00", |part| part.as_str());
    instant(&format!("{}-{}-{}T{}:{}:{}Z", part(1), part(2), part(3), part(4), part(5), part(6)))
}
