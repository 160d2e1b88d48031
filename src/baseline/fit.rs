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
///
/// # Errors
/// When one does.
pub fn same_settings(baseline: &Fits, new: &Fits) -> Result<(), Mismatch> {
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

#[cfg(test)]
mod tests {
    use super::super::Measured;
    use super::super::measured::tests::{info, live};
    use super::*;
    use crate::metric::Unit;
    use crate::wire::Dialect;

    fn bench(ids: &[&str]) -> BenchRuns {
        let measured = |id: &&str| Measured {
            id: (*id).into(),
            group: "caching".into(),
            arm: "cached".into(),
            x: None,
            metric: "ttft".into(),
            unit: Unit::Nanoseconds,
            primary: true,
            control: None,
            runs: vec![vec![1.0]],
        };
        BenchRuns {
            bench: "caching".into(),
            fits: live(),
            machine: "x86_64-linux-2c".into(),
            runs: vec![info("2026-01-01T10:00:00Z")],
            benchmarks: ids.iter().map(measured).collect(),
        }
    }

    fn simulated(seed: u64) -> Fits {
        Fits { mode: Mode::Simulated { profile: "fast".into() }, base_url: None, seed: Some(seed), ..live() }
    }

    #[test]
    fn what_was_asked_otherwise_is_refused_by_name() {
        let old = bench(&["a"]);
        assert_eq!(fit(&old, &old), Ok(vec![]));
        let others = [
            ("mode", simulated(1)),
            ("target", Fits { target: "litellm".into(), ..live() }),
            ("dialect", Fits { dialect: Dialect::OpenAi, ..live() }),
            ("model", Fits { model: "claude-opus-5".into(), ..live() }),
            ("scenario", Fits { scenario_hash: None, ..live() }),
            ("version of the metrics' definitions", Fits { metrics_version: 2, ..live() }),
        ];
        for (setting, fits) in others {
            let refused = fit(&old, &BenchRuns { fits, ..old.clone() }).unwrap_err();
            assert!(refused.to_string().starts_with(&format!("they differ in {setting}: ")), "{refused}");
        }
        let seeds = [1, 2].map(|seed| BenchRuns { fits: simulated(seed), ..old.clone() });
        assert!(fit(&seeds[0], &seeds[1]).unwrap_err().to_string().contains("seed: the baseline has 1"));
    }

    #[test]
    fn another_machine_refuses_a_live_run_unless_forced_and_is_noted_for_others() {
        let old = bench(&["a"]);
        let there = |runs: &BenchRuns| BenchRuns { machine: "aarch64-macos-8c".into(), ..runs.clone() };
        assert!(matches!(fit(&old, &there(&old)), Err(Mismatch::Machine { .. })));
        let forced = fit_forced(&old, &there(&old)).unwrap();
        assert!(forced[0].0.contains("another kind of machine"), "{forced:?}");
        let simulated = BenchRuns { fits: simulated(1), ..old };
        assert_eq!(fit(&simulated, &there(&simulated)).unwrap().len(), 1);
    }

    #[test]
    fn a_benchmark_that_is_missing_is_refused_and_one_that_is_new_is_noted() {
        let (one, two) = (bench(&["a"]), bench(&["a", "b"]));
        let missing = Mismatch::Benchmarks { bench: "caching".into(), missing: vec!["b".into()] };
        assert_eq!(fit(&two, &one), Err(missing));
        assert!(fit(&one, &two).unwrap()[0].0.starts_with("b is new"));
    }
}
