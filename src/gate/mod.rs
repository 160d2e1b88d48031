//! The gate: the latest runs of a baseline's benches against it, with a second look at what seems slower.
//!
//! [`run`] reads, judges ([`crate::verdict::gate`]) and, if asked to, measures suspects again before anything
//! fails. It prints nothing; the exporters of [`crate::report::gate`] do.

mod cases;
mod confirm;
mod error;
mod percentile;
mod rules;

pub use confirm::Confirm;
pub use error::GateError;
pub use rules::{BenchmarkRule, RulesFile};

use std::path::PathBuf;

use serde::Serialize;

use crate::baseline::{self, Baseline, BenchRuns, LIVE_RUNS, RunInfo};
use crate::verdict::Quantile;
use crate::verdict::gate::{Decision, Judged, Kind, Outcome, Verdict, judge_in_looks};
use cases::Cases;

/// The version of [`Report`]'s format; its schema is `fixtures/schemas/gate.v1.json`.
pub const GATE_SCHEMA_VERSION: u32 = 1;

/// The slowdown from which on a benchmark fails unless told otherwise, as a fraction.
pub const MAX_REGRESS: f64 = 0.1;

/// What is gated, and by which rules.
#[derive(Debug, Clone)]
pub struct Options {
    /// The baseline.
    pub name: String,
    /// The folder of baselines.
    pub directory: PathBuf,
    /// Criterion's directory.
    pub criterion_home: PathBuf,
    /// This bench alone.
    pub bench: Option<String>,
    /// The slowdown from which on a benchmark fails, as a fraction; absent for what the rules say, or
    /// [`MAX_REGRESS`].
    pub max_regress: Option<f64>,
    /// What a benchmark must be able to show, as a fraction; else it is inconclusive.
    pub detect: f64,
    /// Limits of single benchmarks.
    pub rules: RulesFile,
    /// The percentile to judge, each benchmark by itself; absent to judge the whole distribution.
    pub quantile: Option<Quantile>,
    /// How suspects are measured again; absent to judge at once.
    pub confirm: Option<Confirm>,
    /// Whether a live baseline of another kind of machine is compared all the same.
    pub force: bool,
}

impl Options {
    /// The limit of benchmarks that no rule names: the flag's, else the file's.
    fn limit(&self) -> f64 {
        self.max_regress.or(self.rules.max_regress).unwrap_or(MAX_REGRESS)
    }
}

/// What a gate found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The version of this format.
    pub schema_version: u32,
    /// The baseline.
    pub baseline: String,
    /// What everything comes to.
    pub outcome: Outcome,
    /// The benches, by name.
    pub benches: Vec<BenchReport>,
}

/// What a gate found of one bench.
#[derive(Debug, Clone, Serialize)]
pub struct BenchReport {
    /// The bench.
    pub bench: String,
    /// What answered: `simulated (fast)`, say.
    pub mode: String,
    /// The model that was asked.
    pub model: String,
    /// The baseline's runs, oldest first.
    pub baseline_runs: Vec<RunInfo>,
    /// The new run.
    pub new_run: RunInfo,
    /// Further runs of suspects, on their own ids.
    pub confirming_runs: Vec<String>,
    /// What else a reader should know.
    pub notes: Vec<String>,
    /// What this bench comes to.
    pub outcome: Outcome,
    /// The judgement.
    #[serde(flatten)]
    pub verdict: Verdict,
}

impl Report {
    /// How many benchmarks ended so, of all benches.
    pub fn count(&self, of: impl Fn(&Decision) -> bool) -> usize {
        self.judged().filter(|judged| judged.gated && of(&judged.decision)).count()
    }

    /// Every benchmark, judged.
    pub fn judged(&self) -> impl Iterator<Item = &Judged> {
        self.benches.iter().flat_map(|bench| &bench.verdict.benchmarks)
    }
}

/// Gates. `say` is told what takes long.
///
/// # Errors
/// When the baseline or a run is missing, broken or does not fit the other, a rule matches nothing, or a
/// suspect cannot be measured again.
pub fn run(options: &Options, say: &mut dyn FnMut(&str)) -> Result<Report, GateError> {
    let baseline = Baseline::load(&options.directory, &options.name)?;
    let chosen =
        baseline.benches().iter().filter(|bench| options.bench.as_ref().is_none_or(|b| *b == bench.bench));
    let chosen: Vec<_> = chosen.collect();
    if let (true, Some(bench)) = (chosen.is_empty(), &options.bench) {
        return Err(GateError::NoBench { name: options.name.clone(), bench: bench.clone() });
    }
    options.rules.check(baseline.benches().iter().flat_map(|bench| &bench.benchmarks))?;
    let benches = chosen.into_iter().map(|bench| gate(bench, options, say)).collect::<Result<Vec<_>, _>>()?;
    let outcomes = benches.iter().map(|bench| bench.outcome);
    Ok(Report {
        schema_version: GATE_SCHEMA_VERSION,
        baseline: options.name.clone(),
        outcome: worst(outcomes),
        benches,
    })
}

/// A regression outweighs doubt about another bench.
fn worst(mut outcomes: impl Iterator<Item = Outcome> + Clone) -> Outcome {
    let any = |outcome| outcomes.clone().any(|other| other == outcome);
    if any(Outcome::Regression) {
        Outcome::Regression
    } else {
        outcomes.find(|outcome| *outcome != Outcome::Pass).unwrap_or(Outcome::Pass)
    }
}

fn gate(old: &BenchRuns, options: &Options, say: &mut dyn FnMut(&str)) -> Result<BenchReport, GateError> {
    let new = baseline::latest_run(&options.criterion_home, &old.bench)?;
    let fit = if options.force { baseline::fit_forced } else { baseline::fit };
    let mismatch = |source| GateError::Mismatch { bench: old.bench.clone(), source };
    let notes = fit(old, &new).map_err(mismatch)?;
    let new_run = new.runs.last().cloned().ok_or_else(|| GateError::Empty { bench: old.bench.clone() })?;
    if old.runs.iter().any(|run| run.run_id == new_run.run_id) {
        return Err(GateError::Same { bench: old.bench.clone(), name: options.name.clone() });
    }
    let mut notes: Vec<_> = notes.into_iter().map(|note| note.to_string()).collect();
    if old.runs.last().is_some_and(|last| last.started > new_run.started) {
        notes.push(format!("the run of {} is older than the baseline's last one", new_run.started));
    }
    let cases = Cases::of(old, &new, options);
    if cases.cases.iter().all(|case| !case.gated) {
        return Err(GateError::Nothing { bench: old.bench.clone() });
    }
    let samples =
        new.benchmarks.iter().flat_map(|benchmark| benchmark.runs.iter().map(Vec::len)).max().unwrap_or(0);
    let run = Looked { bench: old, new_run: &new_run, samples };
    let (verdict, confirming_runs) = look(cases, &run, options, say)?;
    Ok(BenchReport {
        bench: old.bench.clone(),
        mode: old.fits.mode.to_string(),
        model: old.fits.model.clone(),
        baseline_runs: old.runs.clone(),
        new_run,
        confirming_runs,
        notes,
        outcome: verdict.outcome(),
        verdict,
    })
}

/// A run that is looked at again.
struct Looked<'a> {
    bench: &'a BenchRuns,
    new_run: &'a RunInfo,
    /// How many samples each benchmark had.
    samples: usize,
}

/// Judges, and looks again at suspects if that is asked for. Returns the ids of the runs that did.
fn look(
    cases: Cases,
    run: &Looked<'_>,
    options: &Options,
    say: &mut dyn FnMut(&str),
) -> Result<(Verdict, Vec<String>), GateError> {
    let Cases { kind, mut cases } = cases;
    if let Some(quantile) = options.quantile {
        return Ok((percentile::judge(&cases, kind, quantile), Vec::new()));
    }
    // Nothing that could not fail is worth another request.
    let can_fail = kind == Kind::Paired || run.bench.runs.len() >= LIVE_RUNS;
    let looks = options.confirm.as_ref().filter(|_| can_fail).map_or(0, |confirm| confirm.runs);
    let mut runs = Vec::new();
    let verdict = judge_in_looks(&mut cases, kind, options.detect, looks, |look, cases, wanted| {
        let Some(confirm) = &options.confirm else { return Ok::<(), GateError>(()) };
        let suspects = cases.iter().filter(|case| case.suspect).count();
        say(&format!("{}: look {look} of at most {looks} at {suspects} that seem slower", run.bench.bench));
        let ids: Vec<_> = wanted.iter().map(|&index| cases[index].id.clone()).collect();
        let again = confirm.measure(run, &ids, &options.criterion_home, look)?;
        for &index in wanted {
            let id = &cases[index].id;
            let values = again.benchmark(id).ok_or_else(|| GateError::Unconfirmed { id: id.clone() })?;
            cases[index].new.extend(values.runs.iter().cloned());
        }
        runs.extend(again.runs.into_iter().map(|run| run.run_id));
        Ok(())
    })?;
    Ok((verdict, runs))
}
