//! One bench from its groups to its reports.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use criterion::Criterion;
use regex::Regex;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use super::EXIT_ERROR;
use super::bridge::{self, MAX_NAME, add, benchmark_id, criterion, declare, give, group_id};
use super::command_line::{self, CommandLine, Mode, Refusal};
use crate::baseline::{self, BenchmarkInfo};
use crate::experiment::{Arm, Group, GroupSummary, Rounds, RunError};
use crate::metric::Metric;
use crate::report::{instrument, json::RunSummary, progress::Progress, say, table, traces};
use crate::run::{self, Extent, Selection};
use crate::session::{BudgetError, Journal, Session, SessionError};
use crate::settings::{Environment, Settings, SettingsError, TargetKind};
use crate::telemetry::{Tracing, TracingError};

/// Shared by every group. A static is never dropped inside a task.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let built = Builder::new_multi_thread().enable_all().thread_name("llmlab-client").build();
    built.unwrap_or_else(|error| unreachable!("a runtime needs nothing but threads: {error}"))
});

/// Exit code of a bench that was interrupted.
const EXIT_INTERRUPTED: u8 = 130;

/// The fewest samples that Criterion takes.
const CRITERION_LEAST: usize = 10;

/// The largest share of requests that may fail.
const MOST_FAILURES: f64 = 0.05;

/// Why a bench could not measure.
#[derive(Debug, thiserror::Error)]
pub(super) enum BenchError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Budget(#[from] BudgetError),
    #[error(transparent)]
    Tracing(#[from] TracingError),
    #[error(transparent)]
    CommandLine(#[from] Refusal),
    #[error(
        "a smoke run (--test, or no --bench) asks the mock only, and LLMLAB_TARGET names {target}: unset it, or set LLMLAB_TEST_LIVE=1"
    )]
    SmokeLive { target: String },
    #[error("could not write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{failed} of {requests} requests failed, more than {}%: the figures are of those that got through", MOST_FAILURES * 100.0)]
    Failures { failed: u64, requests: u64 },
    #[error(
        "Criterion needs {CRITERION_LEAST} rounds, and those of the cassette are {rounds} and one that warms up: record more, or use llmlab run"
    )]
    FewRounds { rounds: usize },
    #[error("the benchmark group `{name}` is longer than {MAX_NAME} bytes")]
    LongName { name: String },
}

pub(super) fn run(name: &str, groups: Vec<Group>) -> Result<(), BenchError> {
    let line = CommandLine::of_process();
    if line.help {
        say(&command_line::help(name));
    }
    let pattern = line.check()?;
    // Criterion speaks first: what it refuses, or answers by itself, ends here.
    drop(Criterion::default().configure_from_args());
    let too_long =
        |group: &Group| group.metrics.iter().map(|m| group_id(group, m)).find(|id| id.len() > MAX_NAME);
    if let Some(name) = groups.iter().find_map(too_long) {
        return Err(BenchError::LongName { name });
    }
    if line.mode() == Mode::Nothing {
        for group in &groups {
            declare(group, &line, pattern.as_ref());
        }
    } else {
        Bench::start(name, &line, pattern.as_ref(), groups)?.run()?;
    }
    // Criterion's own index of all benchmarks, as `criterion_main!` writes it.
    Criterion::default().configure_from_args().final_summary();
    Ok(())
}

/// A bench that measures.
struct Bench<'a> {
    name: &'a str,
    line: &'a CommandLine,
    pattern: Option<&'a Regex>,
    session: Arc<Session>,
    tracing: Tracing,
    samples: usize,
    groups: Vec<(Arc<Group>, Vec<usize>)>,
    summaries: Vec<GroupSummary>,
    /// What Criterion measured so far.
    measured: Vec<(String, BenchmarkInfo)>,
    skipped: Vec<String>,
    /// Criterion's directory, and that of this bench's records.
    home: PathBuf,
    directory: PathBuf,
    interrupted: Arc<Notify>,
    /// Whether an interruption is being answered with what there is.
    ending: Arc<AtomicBool>,
}

impl<'a> Bench<'a> {
    fn start(
        name: &'a str,
        line: &'a CommandLine,
        pattern: Option<&'a Regex>,
        groups: Vec<Group>,
    ) -> Result<Self, BenchError> {
        let settings = Settings::from_process()?;
        if let (TargetKind::Live(live), Mode::Smoke, false) =
            (&settings.target, line.mode(), settings.test_live)
        {
            return Err(BenchError::SmokeLive { target: live.target.name().into() });
        }
        let wanted = line.sample_size.unwrap_or(settings.runs);
        let tracing = Tracing::of(&settings)?;
        let mut session = RUNTIME.block_on(Box::pin(Session::start(settings)))?;
        traces::begin(&tracing, &mut session, &format!("cargo bench --bench {name}"))?;
        let recorded = session.recorded_rounds().filter(|_| line.mode() != Mode::Smoke);
        let samples = within(recorded, wanted)?;
        let home = baseline::criterion_home(&Environment::of_process());
        let mut bench = Self {
            name,
            line,
            pattern,
            session: Arc::new(session),
            tracing,
            samples,
            groups: Vec::new(),
            summaries: Vec::new(),
            measured: Vec::new(),
            skipped: Vec::new(),
            directory: baseline::records(&home, name),
            home,
            interrupted: Arc::new(Notify::new()),
            ending: Arc::default(),
        };
        bench.select(groups);
        bench.announce()?;
        bench.observe()?;
        if bench.line.mode() == Mode::Measure {
            RUNTIME.block_on(bench.session.check_instrument());
        }
        Ok(bench)
    }

    /// Keeps the arms that the command line selects and the target can run.
    fn select(&mut self, groups: Vec<Group>) {
        let groups = groups.into_iter().map(|group| self.narrowed(group)).collect();
        let selection = Selection::of(&self.session, groups, |group, arm| self.is_wanted(group, arm));
        self.groups = selection.groups;
        self.skipped = selection.skipped;
    }

    fn is_wanted(&self, group: &Group, arm: &Arm) -> bool {
        let defined = group.metrics.iter().filter(|metric| group.has(arm, metric));
        defined.into_iter().any(|metric| self.line.selects(self.pattern, &benchmark_id(group, metric, arm)))
    }

    /// The group with the metrics that the command line selects: an answer is not asked for again because it
    /// lacks one that nobody wants.
    fn narrowed(&self, mut group: Group) -> Group {
        let wanted = |metric: &Metric| {
            let mut defined = group.arms.iter().filter(|arm| group.has(arm, metric));
            defined.any(|arm| self.line.selects(self.pattern, &benchmark_id(&group, metric, arm)))
        };
        let metrics = group.metrics.iter().filter(|metric| wanted(metric)).cloned().collect();
        group.metrics = metrics;
        group
    }

    fn rounds(&self) -> u32 {
        if self.line.mode() == Mode::Smoke { 1 } else { self.samples as u32 + 1 }
    }

    /// Says what will be asked and what it costs, and refuses what does not fit the budget.
    fn announce(&self) -> Result<(), BenchError> {
        let (session, runs) = (&self.session, self.samples);
        let provenance = session.provenance();
        let estimate = run::estimate(session, &self.groups, self.rounds());
        let lab = |text: &str| say(&format!("[llmlab] {text}"));
        let seed = provenance.seed;
        lab(&format!("{} · {} · {runs} samples a benchmark · seed {seed}", self.name, provenance.truth));
        run::announcement(session, &Extent::Whole(estimate), &self.skipped).iter().for_each(|text| lab(text));
        if self.line.mode() == Mode::Measure && self.samples < Settings::DEFAULT_RUNS {
            lab(&format!("{runs} samples are few: intervals are wide, 20 to 50 are advised"));
        }
        Ok(session.budget().check(&estimate)?)
    }

    /// Journal and progress. A smoke run leaves no file.
    fn observe(&mut self) -> Result<(), BenchError> {
        if self.line.mode() == Mode::Smoke {
            return Ok(());
        }
        let run_id = self.session.provenance().run_id.clone();
        let journal = Journal::create(&self.directory, &run_id)
            .map_err(|source| BenchError::Write { path: self.directory.clone(), source })?;
        say(&format!("[llmlab] every request is recorded in {}", journal.path().display()));
        let session =
            Arc::get_mut(&mut self.session).unwrap_or_else(|| unreachable!("nobody shares the session yet"));
        session.observe(Box::new(journal));
        session.observe(Box::new(Progress::default()));
        let (interrupted, ending) = (Arc::clone(&self.interrupted), Arc::clone(&self.ending));
        let tracing = self.tracing.clone();
        RUNTIME.spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                interrupted.notify_one();
                // Whoever waits for a round prints what there is; Criterion's own work waits for nobody.
                tokio::time::sleep(Duration::from_millis(500)).await;
                if !ending.load(Ordering::SeqCst) {
                    say("[llmlab] interrupted");
                    traces::end(&tracing);
                    std::process::exit(EXIT_INTERRUPTED.into());
                }
            }
        });
        Ok(())
    }

    fn run(mut self) -> Result<(), BenchError> {
        let groups = std::mem::take(&mut self.groups);
        let last = groups.len();
        for (number, (group, selected)) in (1..).zip(groups) {
            let rounds = Rounds::new(Arc::clone(&self.session), Arc::clone(&group), selected);
            let mut rounds = rounds.planned(self.rounds());
            for metric in &group.metrics {
                self.metric(metric, &mut rounds);
            }
            if self.line.mode() == Mode::Measure && !rounds.so_far().is_empty() {
                self.conclude(&rounds);
                self.write(number == last)?;
            }
        }
        traces::end(&self.tracing);
        let used = self.session.budget().used();
        say(&format!(
            "[llmlab] {} requests sent over {} connections{}",
            used.requests,
            self.session.connections(),
            run::doubts(&self.session)
        ));
        if self.line.mode() == Mode::Measure {
            let certificate = self.session.certificate(self.session.conduct());
            instrument::lines(&certificate).iter().for_each(|line| say(&format!("[llmlab] {line}")));
        }
        self.check_failures(used.requests)
    }

    /// Too many failures make a run that says little of the target: its answers are those that got through.
    fn check_failures(&self, requests: u64) -> Result<(), BenchError> {
        let failed = self.summaries.iter().flat_map(|summary| summary.failures.values()).sum::<u64>();
        if failed as f64 > MOST_FAILURES * requests as f64 {
            return Err(BenchError::Failures { failed, requests });
        }
        Ok(())
    }

    /// One Criterion group: one metric of every selected arm.
    fn metric(&mut self, metric: &Metric, rounds: &mut Rounds) {
        let group = Arc::clone(rounds.group());
        let chosen: Vec<_> = rounds
            .selected()
            .iter()
            .copied()
            .filter(|&arm| group.has(&group.arms[arm], metric))
            .filter(|&arm| self.line.selects(self.pattern, &benchmark_id(&group, metric, &group.arms[arm])))
            .collect();
        if chosen.is_empty() {
            return;
        }
        let mut criterion = criterion(metric, self.samples);
        let mut benchmarks = bridge::group(&mut criterion, &group, metric);
        for arm in chosen {
            // Criterion looks for its baseline before it asks for a value. The first benchmark therefore
            // goes in unseen; once there is a round, an arm without the metric is left out.
            let unknown = rounds.so_far().first().is_some_and(|first| {
                first.observations[arm]
                    .as_ref()
                    .is_none_or(|observation| !observation.values.contains_key(metric))
            });
            if unknown {
                self.leave_out(metric, &group, arm);
                continue;
            }
            let mut next = 0..;
            add(&mut benchmarks, &group.arms[arm], &mut |bencher| {
                let round = next.next().unwrap_or_default();
                let value = self.draw(rounds, round, arm, metric);
                give(bencher, value);
            });
            let benchmark = bridge::describe(&group, metric, &group.arms[arm]);
            self.measured.push((benchmark_id(&group, metric, &group.arms[arm]), benchmark));
        }
        benchmarks.finish();
    }

    fn leave_out(&mut self, metric: &Metric, group: &Group, arm: usize) {
        let id = benchmark_id(group, metric, &group.arms[arm]);
        let sentence = format!(
            "{id}: skipped: no {metric} in the first answer (a stream that comes in one read has none)"
        );
        self.session.notice(&sentence);
        self.skipped.push(sentence);
    }

    /// The value of one sample. There is no way back from inside Criterion, so a failure ends the process
    /// here, after everything that was measured is written and shown.
    fn draw(&mut self, rounds: &mut Rounds, round: u32, arm: usize, metric: &Metric) -> f64 {
        let interrupted = Arc::clone(&self.interrupted);
        let drawn = RUNTIME.block_on(async {
            tokio::select! {
                drawn = Box::pin(rounds.get(round)) => Some(drawn.map(|round| value(&round.observations, arm, metric))),
                () = interrupted.notified() => None,
            }
        });
        match drawn {
            Some(Ok(Some(value))) => value,
            Some(Ok(None)) => {
                let id = benchmark_id(rounds.group(), metric, &rounds.group().arms[arm]);
                self.end(
                    rounds,
                    &format!("error: {id}: the answer of round {round} has no {metric}"),
                    EXIT_ERROR,
                )
            }
            Some(Err(error)) => self.end(rounds, &failure(&error), EXIT_ERROR),
            None => self.end(rounds, "[llmlab] interrupted", EXIT_INTERRUPTED),
        }
    }

    fn end(&mut self, rounds: &Rounds, why: &str, exit: u8) -> ! {
        self.ending.store(true, Ordering::SeqCst);
        say("");
        if rounds.so_far().len() > 1 {
            self.conclude(rounds);
        }
        if let Err(error) = self.write(false) {
            say(&format!("error: {error}"));
        }
        say(why);
        traces::end(&self.tracing);
        say(&format!(
            "[llmlab] {} requests were sent; all are kept in {}",
            self.session.budget().used().requests,
            self.directory.display()
        ));
        std::process::exit(exit.into())
    }

    /// Shows a group's summary.
    fn conclude(&mut self, rounds: &Rounds) {
        let summary = rounds.summary();
        say(&format!("\n{}\n", table::group(&summary, self.session.provenance())));
        self.summaries.push(summary);
    }

    fn write(&self, complete: bool) -> Result<(), BenchError> {
        let run_id = &self.session.provenance().run_id;
        let path = self.directory.join(format!("{run_id}.summary.json"));
        let summary =
            RunSummary::new(&self.session, self.name, complete, self.summaries.clone(), self.skipped.clone());
        let summary = summary.measured(baseline::found(&self.home, self.measured.clone(), self.samples));
        summary.write(&path).map_err(|source| BenchError::Write { path, source })
    }
}

/// As many samples as recordings hold rounds that count: replayed twice, a round would count as two.
fn within(recorded: Option<u32>, wanted: usize) -> Result<usize, BenchError> {
    let Some(rounds) = recorded.map(|rounds| rounds.saturating_sub(1) as usize) else { return Ok(wanted) };
    if rounds < CRITERION_LEAST {
        return Err(BenchError::FewRounds { rounds });
    }
    if rounds < wanted {
        say(&format!("[llmlab] no more rounds are made than were recorded: {rounds} and one that warms up"));
    }
    Ok(rounds.min(wanted))
}

fn value(
    observations: &[Option<crate::experiment::Observation>],
    arm: usize,
    metric: &Metric,
) -> Option<f64> {
    observations[arm].as_ref()?.values.get(metric).copied()
}

fn failure(error: &RunError) -> String {
    format!("error: {error}")
}
