//! Saving: from Criterion's directory to a baseline, in one step.

use std::path::{Path, PathBuf};

use super::criterion::Files;
use super::fit::{Warning, same_settings};
use super::manifest::{BenchEntry, BenchmarkEntry, FileHashes, Manifest};
use super::run::{self, Run};
use super::stage::Stage;
use super::{BaselineError, LIVE_RUNS, Mismatch, Mode, RunInfo, check_name};
use crate::provenance::Truth;

/// Live runs that began nearer to each other than this many minutes share what drifts.
const APART_MINUTES: i64 = 10;

/// What to save, and where.
#[derive(Debug, Clone)]
pub struct Save<'a> {
    /// Criterion's directory.
    pub criterion_home: &'a Path,
    /// The directory of baselines.
    pub directory: &'a Path,
    /// The baseline's name.
    pub name: &'a str,
    /// The bench to save; absent means every one whose latest run ended.
    pub bench: Option<&'a str>,
    /// Adds the runs to those that are there, where a plain save replaces them.
    pub add: bool,
}

/// What was saved.
#[derive(Debug, Clone)]
pub struct Saved {
    /// The baseline's folder.
    pub path: PathBuf,
    /// The benches that were saved.
    pub benches: Vec<SavedBench>,
    /// What the person who saved it should know.
    pub warnings: Vec<Warning>,
}

/// A bench that was saved.
#[derive(Debug, Clone)]
pub struct SavedBench {
    /// The bench.
    pub bench: String,
    /// Its benchmarks.
    pub benchmarks: usize,
    /// Its runs in the baseline, the new one included.
    pub runs: usize,
}

/// Saves the latest runs as a baseline. A save that fails leaves the baseline as it was.
///
/// # Errors
/// When there is no run to save, when its files are not its own any more, when it does not fit those it is
/// added to, or when the folder cannot be written.
pub fn save(what: &Save<'_>) -> Result<Saved, BaselineError> {
    check_name(what.name)?;
    let root = what.directory.join(what.name);
    let mut manifest = match Manifest::read(&root, what.name) {
        Err(BaselineError::Missing { .. }) => Manifest::new(what.name),
        read => read?,
    };
    let mut warnings = Vec::new();
    let mut saved = Vec::new();
    let mut stage = Stage::new(&root);
    for run in runs(what, &mut warnings)? {
        let files = run.files(what.criterion_home)?;
        let old = manifest.benches.remove(&run.bench);
        let before = old.as_ref().map(ids).unwrap_or_default();
        let entry = match old.filter(|_| what.add) {
            Some(old) => added(old, &run, &files)?,
            None => entry(&run, &files)?,
        };
        warnings.extend(
            lost(&run, &before)
                .into_iter()
                .chain(doubts(&run.bench, &run.provenance.truth, &entry))
                .map(Warning),
        );
        stage.run(&run.bench, &entry, in_order(&entry, &run, &files), what.add);
        let (benchmarks, runs) = (entry.benchmarks.len(), entry.runs.len());
        saved.push(SavedBench { bench: run.bench.clone(), benchmarks, runs });
        manifest.benches.insert(run.bench.clone(), entry);
    }
    stage.write(&manifest)?;
    Ok(Saved { path: root, benches: saved, warnings })
}

fn ids(entry: &BenchEntry) -> Vec<String> {
    entry.benchmarks.iter().map(|benchmark| benchmark.id.clone()).collect()
}

/// The files of a run in the order of the baseline's benchmarks.
fn in_order(entry: &BenchEntry, run: &Run, files: &[Files]) -> Vec<Files> {
    let of = |id: &String| run.benchmarks.iter().position(|benchmark| benchmark.id == *id);
    ids(entry).iter().filter_map(of).map(|position| files[position].clone()).collect()
}

/// The runs to save. Where no bench is named, those that did not end are left out with a sentence.
fn runs(what: &Save<'_>, warnings: &mut Vec<Warning>) -> Result<Vec<Run>, BaselineError> {
    if let Some(bench) = what.bench {
        return Ok(vec![Run::latest(what.criterion_home, bench)?]);
    }
    let mut runs = Vec::new();
    let mut first_error = None;
    for bench in run::benches(what.criterion_home) {
        match Run::latest(what.criterion_home, &bench) {
            Ok(run) => runs.push(run),
            Err(error) => {
                warnings.push(Warning(format!("{bench} was left out: {error}")));
                first_error.get_or_insert(error);
            }
        }
    }
    match (runs.is_empty(), first_error) {
        (false, _) => Ok(runs),
        (true, Some(error)) => Err(error),
        (true, None) => Err(BaselineError::NoRuns { path: what.criterion_home.to_owned() }),
    }
}

/// A bench with this run alone.
fn entry(run: &Run, files: &[Files]) -> Result<BenchEntry, BaselineError> {
    let runs = run.measured(files)?;
    let benchmark = |(benchmark, files): (&super::RunBenchmark, &Files)| BenchmarkEntry {
        id: benchmark.id.clone(),
        info: benchmark.info.clone(),
        directory: benchmark.directory.clone().unwrap_or_default(),
        files: vec![FileHashes::of(files)],
    };
    Ok(BenchEntry {
        fits: runs.fits,
        machine_class: runs.machine,
        runs: runs.runs,
        benchmarks: run.benchmarks.iter().zip(files).map(benchmark).collect(),
    })
}

/// A bench with this run beside those that are there, which it must be like in everything.
fn added(old: BenchEntry, run: &Run, files: &[Files]) -> Result<BenchEntry, BaselineError> {
    let new = entry(run, files)?;
    if old.runs.iter().any(|known| known.run_id == run.provenance.run_id) {
        return Err(BaselineError::Known { bench: run.bench.clone(), run_id: run.provenance.run_id.clone() });
    }
    alike(&old, &new, &run.bench)
        .map_err(|source| BaselineError::Unlike { bench: run.bench.clone(), source })?;
    let mut entry = old;
    entry.runs.extend(new.runs);
    for benchmark in &mut entry.benchmarks {
        let same = new.benchmarks.iter().find(|other| other.id == benchmark.id);
        benchmark.files.extend(same.into_iter().flat_map(|same| same.files.clone()));
    }
    Ok(entry)
}

fn alike(old: &BenchEntry, new: &BenchEntry, bench: &str) -> Result<(), Mismatch> {
    same_settings(&old.fits, &new.fits)?;
    if old.machine_class != new.machine_class {
        let (baseline, new) = (old.machine_class.clone(), new.machine_class.clone());
        return Err(Mismatch::Setting { setting: "class of machine", baseline, new });
    }
    let has = |side: &BenchEntry, id: &str| side.benchmarks.iter().any(|benchmark| benchmark.id == id);
    let ids = old.benchmarks.iter().map(|benchmark| &benchmark.id);
    let missing: Vec<_> = ids.filter(|id| !has(new, id)).cloned().collect();
    if !missing.is_empty() {
        return Err(Mismatch::Benchmarks { bench: bench.into(), missing });
    }
    let count = |side: &BenchEntry| side.benchmarks.len().to_string();
    if new.benchmarks.len() > old.benchmarks.len() {
        let (baseline, new) = (count(old), count(new));
        return Err(Mismatch::Setting { setting: "number of benchmarks", baseline, new });
    }
    Ok(())
}

/// What the baseline had, and this run did not measure.
fn lost(run: &Run, before: &[String]) -> Option<String> {
    let measured = |id: &&String| run.benchmarks.iter().any(|benchmark| benchmark.id == **id);
    let lost: Vec<_> = before.iter().filter(|id| !measured(id)).map(String::as_str).collect();
    (!lost.is_empty()).then(|| {
        format!(
            "the baseline no longer has {}: the latest run of {} did not measure them (a filter?)",
            lost.join(", "),
            run.bench
        )
    })
}

/// What makes a weak baseline.
fn doubts(bench: &str, truth: &Truth, entry: &BenchEntry) -> Vec<String> {
    let mut doubts = Vec::new();
    let slowed_on_purpose = match truth {
        Truth::Simulated { slowdown, slowed, .. } => *slowdown != 1.0 || !slowed.is_empty(),
        Truth::Replayed { slowdown, .. } => *slowdown != 1.0,
        Truth::Live => false,
    };
    if slowed_on_purpose {
        doubts.push(format!("{bench} was slowed on purpose (LLMLAB_MOCK_SLOWDOWN): {truth}"));
    }
    if entry.fits.mode != Mode::Live {
        return doubts;
    }
    let runs = entry.runs.len();
    if runs < LIVE_RUNS {
        doubts.push(format!(
            "{bench} has {runs} live {} and needs {LIVE_RUNS} at different times to tell a change from drift: \
             run it again later, then save with --add",
            if runs == 1 { "run" } else { "runs" }
        ));
    }
    if let [.., before, last] = entry.runs.as_slice()
        && let Some(minutes) = minutes_between(before, last).filter(|minutes| *minutes < APART_MINUTES)
    {
        doubts.push(format!(
            "{bench} ran {minutes} minutes after the run before it: less than {APART_MINUTES} minutes apart, \
             two runs share what drifts"
        ));
    }
    doubts
}

fn minutes_between(before: &RunInfo, after: &RunInfo) -> Option<i64> {
    let start = |run: &RunInfo| run.started.parse::<jiff::Timestamp>().ok();
    Some((start(after)?.as_second() - start(before)?.as_second()) / 60)
}

#[cfg(test)]
mod tests {
    use super::super::measured::tests::{info, live};
    use super::*;

    fn entry(starts: &[&str]) -> BenchEntry {
        let runs = starts.iter().map(|start| info(start)).collect();
        BenchEntry { fits: live(), machine_class: "x86_64-linux-2c".into(), runs, benchmarks: Vec::new() }
    }

    #[test]
    fn few_live_runs_and_those_near_each_other_are_doubted() {
        let first = ["2026-01-01T10:00:00Z"];
        let doubt = &doubts("caching", &Truth::Live, &entry(&first))[..];
        assert!(doubt.len() == 1 && doubt[0].contains("has 1 live run and needs 4"), "{doubt:?}");
        let near = entry(&[first[0], "2026-01-01T10:05:00Z"]);
        let doubt = doubts("caching", &Truth::Live, &near);
        assert!(doubt.len() == 2 && doubt[1].contains("ran 5 minutes after"), "{doubt:?}");
        let hours = ["10", "11", "12", "13"].map(|hour| format!("2026-01-01T{hour}:00:00Z"));
        let apart = entry(&hours.each_ref().map(String::as_str));
        assert_eq!(doubts("caching", &Truth::Live, &apart), Vec::<String>::new());
    }
}
