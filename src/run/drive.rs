//! From an optimisation to its result.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use super::{
    Attendance, Extent, Finished, Options, Selection, StartError, Stop, announcement, doubts, estimate,
    findings,
};
use crate::experiment::{Arm, Group, Rounds, RunError};
use crate::report::results::{ArmResult, Comparison, Ending, RESULTS_SCHEMA_VERSION};
use crate::report::{say, traces};
use crate::session::{AskError, Journal, Session, SessionEvent};
use crate::settings::Settings;
use crate::telemetry::Tracing;
use crate::verdict::{Finding, Rule};

/// Samples from which on a run may end because everything is decided.
const LEAST_ROUNDS: u32 = 5;

/// Runs an optimisation's groups, or others under a name, and writes the result, and a journal of every request, to
/// `directory`. It ends early, with what it has, once whoever attends it says so. What it does is said on standard
/// error.
///
/// # Errors
/// When it cannot start, or the result cannot be written. A run that fails half-way is no error: its result
/// says so.
///
/// ```
/// use llmlab::optimization::STREAMING;
/// use llmlab::run::{Options, Stop, run};
/// use llmlab::settings::Settings;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let directory = std::env::temp_dir().join(format!("llmlab-run-{}", std::process::id()));
/// let options = Options { filter: Some(regex::Regex::new("^streaming/on/50$")?), ..Options::default() };
/// let (_stop, interrupted) = tokio::sync::watch::channel(false);
/// let groups = STREAMING.groups();
/// let finished = run("streaming", groups, Settings::simulated(), &options, &directory, interrupted).await?;
/// assert!(finished.comparison.verdicts[0].ratio.is_some_and(|ratio| ratio.high < 1.0));
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn run(
    name: &str,
    mut groups: Vec<Group>,
    settings: Settings,
    options: &Options,
    directory: &Path,
    attendance: impl Into<Attendance>,
) -> Result<Finished, StartError> {
    let Attendance { interrupted, observers } = attendance.into();
    if options.smoke {
        groups.truncate(1);
        groups.iter_mut().for_each(shorten);
    }
    decide_by(&mut groups, name, options)?;
    let tracing = Tracing::of(&settings)?;
    let mut session = Box::pin(Session::start(settings)).await?;
    let selection = Selection::of(&session, groups, |group, arm| options.wants(group, arm));
    if selection.groups.is_empty() {
        return Err(options.nothing(&selection));
    }
    let options = &options.within(session.recorded_rounds())?;
    announce(&session, name, options, &selection)?;
    let write = |source| StartError::Write { path: directory.into(), source };
    let journal = Journal::create(directory, &session.provenance().run_id).map_err(write)?;
    say(&format!("[llmlab] every request is recorded in {}", journal.path().display()));
    session.observe(Box::new(journal));
    observers.into_iter().for_each(|observer| session.observe(observer));
    session.check_instrument().await;
    traces::begin(&tracing, &mut session, &format!("llmlab run {name}"))?;
    let run = Run {
        name,
        session: Arc::new(session),
        rule: options.rule(),
        options,
        skipped: selection.skipped,
        directory,
        interrupted,
        groups: Vec::new(),
    };
    let finished = Box::pin(run.all(selection.groups)).await;
    traces::ended(tracing).await;
    finished
}

/// Leaves the first positions of a group's sweep, in the order of its arms.
fn shorten(group: &mut Group) {
    let mut positions: Vec<f64> = group.arms.iter().filter_map(|arm| arm.x).collect();
    positions.dedup();
    positions.truncate(Options::SMOKE_POSITIONS);
    group.arms.retain(|arm| arm.x.is_none_or(|x| positions.contains(&x)));
}

/// Makes the metric that was asked for the primary one of every group that has it, and leaves out the others.
fn decide_by(groups: &mut Vec<Group>, run: &str, options: &Options) -> Result<(), StartError> {
    let Some(name) = &options.metric else { return Ok(()) };
    let mut known: Vec<String> =
        groups.iter().flat_map(|group| &group.metrics).map(|metric| metric.name().to_owned()).collect();
    groups.retain_mut(|group| {
        let position = group.metrics.iter().position(|metric| metric.name() == name);
        position.is_some_and(|position| {
            group.metrics[..=position].rotate_right(1);
            true
        })
    });
    known.sort_unstable();
    known.dedup();
    let unknown =
        || StartError::Metric { metric: name.clone(), optimization: run.into(), known: known.join(", ") };
    if groups.is_empty() { Err(unknown()) } else { Ok(()) }
}

/// Says what will be asked and what it costs, and refuses what cannot fit the budget.
fn announce(
    session: &Session,
    name: &str,
    options: &Options,
    selection: &Selection,
) -> Result<(), StartError> {
    let provenance = session.provenance();
    let of = |rounds: u32| estimate(session, &selection.groups, rounds + 1);
    let (rounds, least, extent) = match options.stop {
        Stop::After(rounds) => (format!("{rounds} rounds"), of(rounds), Extent::Whole(of(rounds))),
        Stop::Decided { most } => {
            let least = of(LEAST_ROUNDS.min(most));
            (
                format!("until decided, at most {most} rounds"),
                least,
                Extent::Between(least, session.budget().cap(of(most))),
            )
        }
    };
    let smoke = if options.smoke { "smoke run · " } else { "" };
    let lab = |text: &str| say(&format!("[llmlab] {text}"));
    lab(&format!("{name} · {smoke}{} · {rounds} · seed {}", provenance.truth, provenance.seed));
    announcement(session, &extent, &selection.skipped).iter().for_each(|text| lab(text));
    Ok(session.budget().check(&least)?)
}

impl Options {
    /// Whether an arm is asked: it matches the filter, or it is the control of one that does.
    fn wants(&self, group: &Group, arm: &Arm) -> bool {
        let Some(filter) = &self.filter else { return true };
        let matches = |arm: &Arm| filter.is_match(&format!("{}/{}", group.name, arm.label()));
        let controls = |other: &Arm| {
            group.control_of(other).is_some_and(|control| std::ptr::eq(&group.arms[control], arm))
        };
        matches(arm) || group.arms.iter().any(|other| matches(other) && controls(other))
    }

    /// As many rounds as recordings hold: replayed twice, a round would count as two.
    fn within(&self, recorded: Option<u32>) -> Result<Self, StartError> {
        let Some(recorded) = recorded else { return Ok(self.clone()) };
        let most = recorded.checked_sub(1).filter(|rounds| *rounds > 0).ok_or(StartError::OneRound)?;
        let stop = match self.stop {
            Stop::After(rounds) => Stop::After(rounds.min(most)),
            Stop::Decided { most: wanted } => Stop::Decided { most: wanted.min(most) },
        };
        if stop != self.stop {
            say(&format!(
                "[llmlab] no more rounds are made than were recorded: {most} and one that warms up"
            ));
        }
        Ok(Self { stop, ..self.clone() })
    }

    fn nothing(&self, selection: &Selection) -> StartError {
        let filter = self.filter.as_ref().map(ToString::to_string);
        let unmatched = "no arm's `group/arm/x` matches it".to_owned();
        let reason = if selection.skipped.is_empty() { unmatched } else { selection.skipped.join("; ") };
        StartError::Nothing { filter, reason }
    }
}

/// A run under way.
struct Run<'a> {
    name: &'a str,
    session: Arc<Session>,
    rule: Rule,
    options: &'a Options,
    skipped: Vec<String>,
    directory: &'a Path,
    interrupted: watch::Receiver<bool>,
    groups: Vec<Rounds>,
}

impl Run<'_> {
    async fn all(mut self, groups: Vec<(Arc<Group>, Vec<usize>)>) -> Result<Finished, StartError> {
        let mut ending = Ending::Decided;
        let mut error = None;
        let mut path = None;
        for (group, selected) in groups {
            let mut rounds = Rounds::new(Arc::clone(&self.session), group, selected);
            if let Stop::After(planned) = self.options.stop {
                rounds = rounds.planned(planned + 1);
            }
            let (end, why) = Box::pin(self.group(&mut rounds)).await;
            self.session.publish(&SessionEvent::GroupDone);
            self.groups.push(rounds);
            (ending, error) = (ending.and(end), why);
            if matches!(ending, Ending::Budget | Ending::Interrupted | Ending::Failed) {
                break;
            }
            // Until the end is known, what is on disk says that it was not reached.
            let so_far = self.comparison(Ending::Interrupted, None);
            path = Some(self.write(path, &so_far)?);
        }
        let comparison = self.comparison(ending, error);
        let path = self.write(path, &comparison)?;
        let requests = self.session.budget().used().requests;
        let connections = self.session.connections();
        say(&format!(
            "[llmlab] {requests} requests sent over {connections} connections{}",
            doubts(&self.session)
        ));
        Ok(Finished { comparison, path })
    }

    /// Rounds of one group until there is a reason to stop.
    async fn group(&mut self, rounds: &mut Rounds) -> (Ending, Option<String>) {
        loop {
            if let Some(ending) = self.ending(rounds) {
                return (ending, None);
            }
            let drawn = tokio::select! {
                drawn = Box::pin(rounds.next()) => drawn.map(|_| ()),
                () = is_set(&mut self.interrupted) => return (Ending::Interrupted, None),
            };
            match drawn {
                Ok(()) => {}
                Err(RunError::Ask { source: AskError::Budget(spent), .. }) => {
                    self.session.notice(&spent.to_string());
                    return (Ending::Budget, Some(spent.to_string()));
                }
                Err(error) => return (Ending::Failed, Some(error.to_string())),
            }
        }
    }

    /// Whether the rounds so far are enough.
    fn ending(&self, rounds: &Rounds) -> Option<Ending> {
        let samples = (rounds.so_far().len() as u32).checked_sub(1)?;
        match self.options.stop {
            Stop::After(planned) => (samples >= planned).then_some(Ending::AllRounds),
            Stop::Decided { most } => {
                let decided = |finding: &Finding| !finding.primary || finding.verdict.is_decided();
                let clear = samples >= LEAST_ROUNDS && findings(rounds, &self.rule).iter().all(decided);
                let spent = (samples >= most).then_some(Ending::MaxRounds);
                if clear { Some(Ending::Decided) } else { spent }
            }
        }
    }

    fn comparison(&self, ending: Ending, error: Option<String>) -> Comparison {
        let provenance = self.session.provenance();
        Comparison {
            schema_version: RESULTS_SCHEMA_VERSION,
            name: self.name.into(),
            timestamp: provenance.started.clone(),
            interrupted: ending == Ending::Interrupted,
            ending,
            error,
            smoke: self.options.smoke,
            provenance: provenance.clone(),
            instrument: Some(self.session.certificate(self.session.conduct())),
            results: self.groups.iter().flat_map(ArmResult::all).collect(),
            verdicts: self.groups.iter().flat_map(|rounds| findings(rounds, &self.rule)).collect(),
            summary: self.groups.iter().map(Rounds::summary).collect(),
            skipped: self.skipped.clone(),
        }
    }

    fn write(&self, path: Option<PathBuf>, comparison: &Comparison) -> Result<PathBuf, StartError> {
        let written = match path {
            Some(path) => comparison.rewrite(&path).map(|()| path),
            None => comparison.write(self.directory),
        };
        written.map_err(|source| StartError::Write { path: self.directory.into(), source })
    }
}

/// Waits until somebody stops the run; for ever if nobody can any more.
async fn is_set(interrupted: &mut watch::Receiver<bool>) {
    if interrupted.wait_for(|set| *set).await.is_err() {
        std::future::pending::<()>().await;
    }
}
