//! Whether two sides may be compared at all.

use std::fmt;

use super::{BenchRuns, Fits, Mismatch, Mode};

/// Something that a reader of the comparison should know: a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning(pub String);

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Holds a `new` run to the `baseline` that it is to be compared with, and returns what a reader should know.
///
/// # Errors
/// When the two were asked different things, or by another kind of machine where that decides, or when `new`
/// lacks a benchmark.
pub fn fit(baseline: &BenchRuns, new: &BenchRuns) -> Result<Vec<Warning>, Mismatch> {
    same_settings(&baseline.fits, &new.fits)?;
    if baseline.machine != new.machine && baseline.fits.mode == Mode::Live {
        return Err(Mismatch::Machine { baseline: baseline.machine.clone(), new: new.machine.clone() });
    }
    remarks(baseline, new)
}

/// As [`fit`], but another kind of machine is a warning whatever answered.
///
/// # Errors
/// As [`fit`], but for the machine.
pub fn fit_forced(baseline: &BenchRuns, new: &BenchRuns) -> Result<Vec<Warning>, Mismatch> {
    same_settings(&baseline.fits, &new.fits)?;
    remarks(baseline, new)
}

/// Refuses the first setting that differs.
pub(super) fn same_settings(baseline: &Fits, new: &Fits) -> Result<(), Mismatch> {
    let text = |value: Option<String>| value.unwrap_or_else(|| "none".into());
    let number = |value: Option<u64>| text(value.map(|value| value.to_string()));
    let settings = [
        ("mode", baseline.mode.to_string(), new.mode.to_string()),
        ("target", baseline.target.clone(), new.target.clone()),
        ("dialect", baseline.dialect.to_string(), new.dialect.to_string()),
        ("model", baseline.model.clone(), new.model.clone()),
        ("scenario", text(baseline.scenario_hash.clone()), text(new.scenario_hash.clone())),
        ("seed", number(baseline.seed), number(new.seed)),
        (
            "version of the metrics' definitions",
            baseline.metrics_version.to_string(),
            new.metrics_version.to_string(),
        ),
    ];
    match settings.into_iter().find(|(_, old, new)| old != new) {
        None => Ok(()),
        Some((setting, baseline, new)) => Err(Mismatch::Setting { setting, baseline, new }),
    }
}

fn remarks(baseline: &BenchRuns, new: &BenchRuns) -> Result<Vec<Warning>, Mismatch> {
    let lacking = |side: &BenchRuns, other: &BenchRuns| -> Vec<String> {
        let ids = side.benchmarks.iter().map(|benchmark| &benchmark.id);
        ids.filter(|id| other.benchmark(id).is_none()).cloned().collect()
    };
    let missing = lacking(baseline, new);
    if !missing.is_empty() {
        return Err(Mismatch::Benchmarks { bench: baseline.bench.clone(), missing });
    }
    let mut warnings: Vec<_> = lacking(new, baseline)
        .into_iter()
        .map(|id| format!("{id} is new: the baseline has nothing to compare it with"))
        .collect();
    if baseline.machine != new.machine {
        warnings.push(format!(
            "the baseline was measured on another kind of machine ({}, now {})",
            baseline.machine, new.machine
        ));
    }
    if baseline.fits.base_url != new.fits.base_url {
        let address = |fits: &Fits| fits.base_url.clone().unwrap_or_default();
        warnings.push(format!(
            "the target has another address ({}, now {})",
            address(&baseline.fits),
            address(&new.fits)
        ));
    }
    Ok(warnings.into_iter().map(Warning).collect())
}
