//! From a file that the lab wrote to a row that can be listed, served and ranked.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::ranking::RankedMetric;
use crate::report::exported::{Configuration, Exported};
use crate::report::figure::Figure;
use crate::service::store::{NewResult, Sample};

/// What a file is called that says nothing of itself.
const UNKNOWN: &str = "unknown";
/// A larger file is no result of one run.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Reads a file of results; one that is none is listed as unknown.
pub fn read_file(path: &Path, job_id: Option<&str>) -> Option<NewResult> {
    let filename = path.file_name()?.to_str()?.to_owned();
    if path.metadata().ok()?.len() > LARGEST {
        return None;
    }
    Some(read(&filename, fs::read_to_string(path).ok()?, job_id))
}

/// Reads the text of a result.
pub fn read(filename: &str, body: String, job_id: Option<&str>) -> NewResult {
    let job_id = job_id.map(str::to_owned);
    let parsed = Exported::parse(Path::new(filename), &body);
    let Ok(exported) = parsed else {
        let unknown = NewResult {
            filename: filename.into(),
            job_id,
            benchmark_type: UNKNOWN.into(),
            model: None,
            mode: None,
            created_at: None,
            stats: None,
            body,
            samples: Vec::new(),
        };
        return unknown;
    };
    NewResult {
        filename: filename.into(),
        job_id,
        benchmark_type: plain(&exported.name),
        model: exported
            .configurations
            .iter()
            .find_map(|configuration| configuration.model.as_deref().map(plain)),
        mode: Some(plain(&exported.source.mode)),
        created_at: exported.timestamp.map(jiff::Timestamp::as_millisecond),
        stats: Some(stats(&exported).to_string()),
        samples: samples(&exported),
        body,
    }
}

/// Where a job puts its results until they are saved, beside the journal of its requests, which stays there.
pub(super) fn own_directory(directory: &Path, job_id: &str) -> PathBuf {
    directory.join("jobs").join(job_id)
}

/// Moves what a job wrote among the other results, under names that no other job's results have, and reads it.
pub(super) fn take(directory: &Path, job_id: &str) -> Vec<NewResult> {
    let mut written = from_directory(&own_directory(directory, job_id));
    written.sort();
    let taken = written.into_iter().filter_map(|(path, _)| {
        let stem = path.file_stem()?.to_str()?;
        let among = directory.join(format!("{stem}_{job_id}.json"));
        // Where it cannot be moved it is read where it is.
        let found = if fs::rename(&path, &among).is_ok() { among } else { path };
        read_file(&found, Some(job_id))
    });
    taken.collect()
}

/// Every result that lies in a directory, by its path, with when it was last written.
pub fn from_directory(directory: &Path) -> Vec<(PathBuf, std::time::SystemTime)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let files = entries.filter_map(|entry| {
        let path = entry.path();
        let is_result = path.extension().is_some_and(|extension| extension == "json");
        // A link could lead out of the directory.
        let metadata = entry.metadata().ok().filter(|metadata| is_result && metadata.is_file())?;
        Some((path, metadata.modified().ok()?))
    });
    files.collect()
}

/// The configurations in a few numbers.
fn stats(exported: &Exported) -> Value {
    let arms = exported.configurations.iter().map(|configuration| {
        let numbers = [
            ("latency_p50_ms", Figure::P50),
            ("latency_p95_ms", Figure::P95),
            ("ttft_p50_ms", Figure::TTFT_P50),
        ];
        let known =
            |(name, figure): (&str, Figure)| Some((name.to_owned(), json!(configuration.figure(figure)?)));
        let mut of_arm: Map<String, Value> = numbers.into_iter().filter_map(known).collect();
        of_arm.insert("count".into(), json!(configuration.n()));
        (configuration.name.clone(), Value::Object(of_arm))
    });
    Value::Object(arms.collect())
}

/// What a result says of models that they can be ranked by: nothing, where it decides nothing itself.
fn samples(exported: &Exported) -> Vec<Sample> {
    if exported.invalid.is_some() || exported.smoke {
        return Vec::new();
    }
    // Two arms of one name, model and group are one workload.
    let mut merged: BTreeMap<(String, String, RankedMetric), Vec<f64>> = BTreeMap::new();
    for configuration in &exported.configurations {
        for (workload, model, metric, values) in of_configuration(exported, configuration) {
            merged.entry((workload, model, metric)).or_default().extend(values);
        }
    }
    let sample = |((workload, llm_name, metric), values)| Sample {
        workload,
        mode: exported.source.mode.clone(),
        llm_name,
        metric,
        values,
    };
    merged.into_iter().map(sample).collect()
}

fn of_configuration(
    exported: &Exported,
    configuration: &Configuration,
) -> Vec<(String, String, RankedMetric, Vec<f64>)> {
    let Some(model) = &configuration.model else { return Vec::new() };
    let group = configuration.group.as_ref().unwrap_or(&exported.name);
    // A configuration that is named after its model says nothing of what was asked.
    let workload =
        if configuration.name == *model { group.clone() } else { format!("{group} {}", configuration.name) };
    let timings = &configuration.timings;
    let seconds = |milliseconds: f64| milliseconds / 1e3;
    let values: [(RankedMetric, Vec<f64>); 4] = [
        (RankedMetric::Ttft, timings.iter().filter_map(|timing| timing.ttft_ms).map(seconds).collect()),
        (RankedMetric::Tps, timings.iter().filter_map(|timing| timing.tokens_per_second).collect()),
        (RankedMetric::E2eLatency, timings.iter().map(|timing| seconds(timing.latency_ms)).collect()),
        (RankedMetric::Rps, configuration.requests_per_second.into_iter().collect()),
    ];
    let found = values.into_iter().filter(|(_, values)| !values.is_empty());
    found.map(|(metric, values)| (plain(&workload), plain(model), metric, values)).collect()
}

/// A name without what no database takes.
fn plain(name: &str) -> String {
    name.replace(char::is_control, "")
}
