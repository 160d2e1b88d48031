//! Baselines for programs. A change of these keys is a change of the version.

use serde_json::{Value, json};

use super::Listed;
use crate::baseline::{BaselineError, Change, Pair, Warning, changes, fit};

/// The version of the forms below.
const SCHEMA_VERSION: u32 = 1;

/// Every baseline that can be read, and why the others cannot.
pub fn list(listed: &[Listed<'_>], broken: &[(String, BaselineError)]) -> Value {
    let entry = |entry: &Listed<'_>| {
        let bench = entry.runs;
        let samples =
            bench.benchmarks.iter().map(|benchmark| benchmark.runs.iter().map(Vec::len).sum::<usize>());
        json!({
            "name": entry.name,
            "bench": bench.bench,
            "fits": bench.fits,
            "machine": bench.machine,
            "runs": bench.runs.len(),
            "benchmarks": bench.benchmarks.len(),
            "fewest_samples": samples.clone().min(),
            "most_samples": samples.max(),
            "last_run": bench.runs.last().map(|run| &run.started),
            "bytes": entry.bytes,
        })
    };
    let unusable =
        |(name, error): &(String, BaselineError)| json!({"name": name, "reason": error.to_string()});
    json!({
        "schema_version": SCHEMA_VERSION,
        "baselines": listed.iter().map(entry).collect::<Vec<_>>(),
        "unusable": broken.iter().map(unusable).collect::<Vec<_>>(),
    })
}

/// How two sides of each bench differ. Values are in the unit of their metric.
pub fn differences(differences: &[Pair<'_>]) -> Value {
    let benches = differences.iter().map(difference).collect::<Vec<_>>();
    json!({"schema_version": SCHEMA_VERSION, "benches": benches})
}

fn difference(Pair { before, after, name, other }: &Pair<'_>) -> Value {
    let (notes, mismatch) = match fit(before, after) {
        Ok(warnings) => (warnings.into_iter().map(|Warning(text)| text).collect::<Vec<_>>(), None),
        Err(mismatch) => (Vec::new(), Some(mismatch.to_string())),
    };
    let benchmark = |change: Change| {
        json!({
            "id": change.id,
            "metric": change.metric,
            "p50_before": change.before,
            "p50_after": change.after,
            "change": change.share(),
            "samples_before": change.samples.0,
            "samples_after": change.samples.1,
        })
    };
    json!({
        "bench": before.bench,
        "before": {"name": name, "fits": before.fits},
        "after": {"name": other, "fits": after.fits},
        "mismatch": mismatch,
        "notes": notes,
        "benchmarks": changes(before, after).into_iter().map(benchmark).collect::<Vec<_>>(),
    })
}
