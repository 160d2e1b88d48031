//! Asking for the sake of a recording.

use std::sync::Arc;
use std::time::Instant;

use super::{Extent, Selection, announcement, estimate};
use crate::client::Road;
use crate::experiment::{Group, Rounds};
use crate::optimization::agent::{self, Toggle, Toggles, TogglesError};
use crate::report::progress::Progress;
use crate::report::{say, traces};
use crate::scenario::{Task, tokens};
use crate::seed::DrawId;
use crate::session::{AskError, BudgetError, Demand, Estimate, Place, Session, SessionError, SessionEvent};
use crate::settings::Settings;
use crate::telemetry::{Tracing, TracingError};
use crate::wire::{Ask, Dialect};

/// What is asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Prompts, each as one question.
    pub prompts: Vec<String>,
    /// The most tokens that a prompt's answer takes.
    pub max_tokens: u32,
    /// Tasks, each as `llmlab matrix` does it with streaming alone to toggle.
    pub tasks: Vec<&'static Task>,
    /// Whether streamed answers are asked for, others, or both.
    pub streamed: Vec<bool>,
    /// How often each is asked.
    pub repeat: u32,
}

/// Why nothing was recorded, or not all.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The target does not answer.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// It does not fit the budget.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// Its traces cannot be sent.
    #[error(transparent)]
    Tracing(#[from] TracingError),
    /// The toggles of a task exclude each other.
    #[error(transparent)]
    Toggles(#[from] TogglesError),
    /// Nothing came back.
    #[error("nothing was recorded: {0}")]
    Nothing(String),
    /// A recording could not be written.
    #[error("not all was recorded: {0}")]
    Incomplete(String),
}

/// The group of recorded prompts.
const PROMPTS: &str = "prompt";

/// Asks, on a session that records. Failures that the target answered with are recordings too.
///
/// # Errors
/// When nothing can be recorded.
pub async fn record(settings: Settings, asked: &Asked) -> Result<(), RecordError> {
    let tracing = Tracing::of(&settings)?;
    let mut session = Box::pin(Session::start(settings)).await?;
    traces::begin(&tracing, &mut session, "llmlab record")?;
    session.observe(Box::new(Progress::default()));
    let session = Arc::new(session);
    let toggles = |streamed: &bool| Toggles::of(streamed.then_some(Toggle::Streaming));
    let combinations = asked.streamed.iter().map(toggles).collect::<Result<Vec<_>, _>>()?;
    let groups = agent::scenarios("matrix", &asked.tasks, &combinations, Road::default());
    let selection = Selection::of(&session, groups, |_, _| true);
    let planned = questions(&session, asked);
    let all =
        estimate(&session, &selection.groups, asked.repeat).and(of_prompts(&session, asked, planned.len()));
    let provenance = session.provenance();
    say(&format!("[llmlab] record · {} · seed {}", provenance.truth, provenance.seed));
    announcement(&session, &Extent::Whole(all), &selection.skipped)
        .iter()
        .for_each(|line| say(&format!("[llmlab] {line}")));
    session.budget().check(&all)?;
    let failures = ask_all(&session, &planned, selection.groups, asked.repeat).await;
    traces::ended(tracing).await;
    conclude(&session, &failures?)
}

/// What so many questions with the prompts are expected to cost.
fn of_prompts(session: &Session, asked: &Asked, questions: usize) -> Estimate {
    let each = questions / asked.prompts.len().max(1);
    let demand = |prompt: &String| Demand::uncached(tokens(prompt), asked.max_tokens.into());
    let demands = asked.prompts.iter().flat_map(|prompt| std::iter::repeat_n(demand(prompt), each));
    Estimate::of(demands, session.pricing(session.dialect(None)).as_ref())
}

/// Every question with its place, in the order in which they are asked.
fn questions(session: &Session, asked: &Asked) -> Vec<(Place, Ask)> {
    let streams = session.dialect(None) != Dialect::Generate;
    let mut questions = Vec::new();
    for round in 0..asked.repeat {
        for (number, prompt) in (1..).zip(&asked.prompts) {
            for &stream in asked.streamed.iter().filter(|stream| streams || !**stream) {
                let arm = format!("{number}{}", if stream { "+streaming" } else { "" });
                let draw = DrawId { scenario: PROMPTS.into(), stream: arm.clone(), round, step: 0 };
                let place = Place { group: PROMPTS.into(), arm, repeat: 1, draw, ..Place::default() };
                let ask = Ask::question(prompt.as_str(), asked.max_tokens);
                questions.push((place, Ask { stream, include_usage: stream, ..ask }));
            }
        }
    }
    questions
}

/// Asks prompts, and does tasks; what failed, in words.
async fn ask_all(
    session: &Arc<Session>,
    questions: &[(Place, Ask)],
    groups: Vec<(Arc<Group>, Vec<usize>)>,
    repeat: u32,
) -> Result<Vec<String>, RecordError> {
    let mut failures = ask_prompts(session, questions, repeat).await?;
    for (group, selected) in groups {
        failures.extend(do_tasks(session, group, selected, repeat).await);
    }
    Ok(failures)
}

/// Asks prompts; what failed, in words.
async fn ask_prompts(
    session: &Session,
    questions: &[(Place, Ask)],
    repeat: u32,
) -> Result<Vec<String>, RecordError> {
    let mut failures = Vec::new();
    for (place, ask) in questions {
        let (round, planned) = (place.draw.round, Some(repeat));
        session.publish(&SessionEvent::Round { group: PROMPTS, round, planned });
        let dialect = session.dialect(None);
        match Box::pin(session.ask(dialect, place, ask, Instant::now(), None)).await {
            Ok(_) => {}
            Err((AskError::Budget(spent), _)) => return Err(spent.into()),
            Err((error, _)) => failures.push(error.to_string()),
        }
    }
    Ok(failures)
}

/// Does tasks; what failed, in words.
async fn do_tasks(
    session: &Arc<Session>,
    group: Arc<Group>,
    selected: Vec<usize>,
    repeat: u32,
) -> Option<String> {
    let mut rounds = Rounds::new(Arc::clone(session), group, selected).planned(repeat);
    for _ in 0..repeat {
        if let Err(error) = Box::pin(rounds.next()).await {
            return Some(error.to_string());
        }
    }
    None
}

fn conclude(session: &Session, failures: &[String]) -> Result<(), RecordError> {
    for failure in failures {
        say(&format!("[llmlab] failed: {failure}"));
    }
    let report = session.recorder().map(crate::recorder::Recorder::report).unwrap_or_default();
    if let Some(complaint) = report.complaint {
        return Err(RecordError::Incomplete(complaint));
    }
    match failures.first() {
        Some(failure) if report.recorded == 0 => Err(RecordError::Nothing(failure.clone())),
        _ => Ok(()),
    }
}
