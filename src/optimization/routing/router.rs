//! Ways to get a question to a model.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use rand::RngExt;

use super::classifier::{self, heuristic};
use super::decide::{Classification, Complexity, Route, decide, deserved};
use super::prompts::Prompt;
use crate::client::Road;
use crate::experiment::{Draw, RunError};
use crate::scenario;
use crate::wire::{Ask, Block, Content, Reply, Script};

/// How a question gets to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Everything goes to the large model.
    DirectLarge,
    /// Everything goes to the small model.
    DirectSmall,
    /// The small model classifies, then the chosen one answers.
    Routed,
    /// A few rules classify.
    Heuristic,
    /// The labels classify, which no application has.
    Oracle,
    /// The small model answers, and the large one as well if the small one is not sure.
    Cascade,
    /// The large model begins while the small one classifies. Its answer is thrown away where the small one then
    /// answers, and is awaited off the clock, so that its whole cost is known.
    Hedged,
}

/// What became of a question.
#[derive(Debug, Clone, Copy)]
pub(super) struct Routed {
    /// Whose answer it got.
    pub(super) route: Route,
    /// From the question to its answer.
    pub(super) took: Duration,
    /// Of that, until the route was known, where a model was asked for it.
    pub(super) classification: Option<Duration>,
}

/// How often the simulated small model doubts an answer: of a complex question, and of any other. An assumption.
pub(super) const ASSUMED_DOUBT: (f64, f64) = (0.8, 0.1);

/// How a small model begins that is sure of its answer.
const SURE: &str = "SURE";

impl Strategy {
    /// All, the control first.
    pub const ALL: [Self; 7] = [
        Self::DirectLarge,
        Self::DirectSmall,
        Self::Routed,
        Self::Heuristic,
        Self::Oracle,
        Self::Cascade,
        Self::Hedged,
    ];

    /// Its name in benchmark ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::DirectLarge => "direct_large",
            Self::DirectSmall => "direct_small",
            Self::Routed => "routed",
            Self::Heuristic => "heuristic",
            Self::Oracle => "oracle",
            Self::Cascade => "cascade",
            Self::Hedged => "hedged",
        }
    }

    /// The strategy of that name.
    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.name() == name)
    }

    /// Requests for one question at most.
    pub(super) fn requests(self) -> u64 {
        match self {
            Self::DirectLarge | Self::DirectSmall | Self::Heuristic | Self::Oracle => 1,
            Self::Routed | Self::Cascade => 2,
            Self::Hedged => 3,
        }
    }

    /// Asks `prompt`.
    pub(super) async fn run(self, draw: &Draw<'_>, prompt: &Prompt) -> Result<Routed, RunError> {
        let begin = Instant::now();
        let (route, classification) = match self {
            Self::DirectLarge => (Route::Large, None),
            Self::DirectSmall => (Route::Small, None),
            Self::Heuristic => (decide(&heuristic(&prompt.text)), None),
            Self::Oracle => (deserved(prompt.complexity), None),
            Self::Routed => {
                let said = classify(draw, prompt).await?;
                (decide(&said), Some(begin.elapsed()))
            }
            Self::Cascade => return cascade(draw, prompt).boxed().await,
            Self::Hedged => return hedged(draw, prompt).boxed().await,
        };
        answer(draw, prompt, route).await?;
        Ok(Routed { route, took: begin.elapsed(), classification })
    }
}

/// The model that a prompt is sent to once the small model has classified it; empty means the target's.
pub(in crate::optimization) async fn chosen_model<'a>(
    draw: &Draw<'a>,
    road: &Road,
    prompt: &Prompt,
) -> Result<&'a str, RunError> {
    let route = decide(&classify_over(draw, road, prompt).await?);
    if route == Route::Small { small(draw) } else { Ok("") }
}

/// What the small model says of a prompt.
pub(super) async fn classify(draw: &Draw<'_>, prompt: &Prompt) -> Result<Classification, RunError> {
    classify_over(draw, &Road::default(), prompt).await
}

async fn classify_over(draw: &Draw<'_>, road: &Road, prompt: &Prompt) -> Result<Classification, RunError> {
    let answer = draw.ask_over(road, &classifier::ask(draw, small(draw)?, prompt)).await?;
    Ok(Classification::read(&text(&answer.reply)))
}

async fn answer(draw: &Draw<'_>, prompt: &Prompt, route: Route) -> Result<(), RunError> {
    draw.ask(&question(draw, prompt, route)?).await?;
    Ok(())
}

fn question(draw: &Draw<'_>, prompt: &Prompt, route: Route) -> Result<Ask, RunError> {
    let scenario = scenario::routing();
    Ok(Ask {
        model: if route == Route::Small { small(draw)?.to_owned() } else { String::new() },
        system: vec![Block::text(scenario.system.as_str())],
        ..Ask::question(prompt.text.as_str(), scenario.max_tokens)
    })
}

fn small<'a>(draw: &Draw<'a>) -> Result<&'a str, RunError> {
    let model = draw.session().small_model(draw.dialect());
    model.ok_or_else(|| RunError::Workload("no small model is named (LLMLAB_SMALL_MODEL)".into()))
}

async fn cascade(draw: &Draw<'_>, prompt: &Prompt) -> Result<Routed, RunError> {
    let begin = Instant::now();
    let (doubt_hard, doubt_easy) = ASSUMED_DOUBT;
    let doubt = if prompt.complexity == Complexity::Complex { doubt_hard } else { doubt_easy };
    let doubts = draw.shared_rng(&format!("doubt {}", prompt.text)).random_bool(doubt);
    let mut ask = question(draw, prompt, Route::Small)?;
    ask.system.push(Block::text(" Begin with the word SURE or UNSURE: whether the answer will be right."));
    let script = Script::text(if doubts { "UNSURE" } else { SURE }, scenario::routing().max_tokens);
    ask.script = Some(Arc::new(script));
    let first = draw.ask(&ask).await?;
    let classification = Some(begin.elapsed());
    let route = if text(&first.reply).trim_start().starts_with(SURE) { Route::Small } else { Route::Large };
    if route == Route::Large {
        answer(draw, prompt, Route::Large).await?;
    }
    Ok(Routed { route, took: begin.elapsed(), classification })
}

async fn hedged(draw: &Draw<'_>, prompt: &Prompt) -> Result<Routed, RunError> {
    let begin = Instant::now();
    let (ahead, behind) = (draw.branch("ahead"), draw.branch("classified"));
    let large = async {
        answer(&ahead, prompt, Route::Large).await?;
        Ok::<_, RunError>(begin.elapsed())
    };
    let small = async {
        let said = classify(&behind, prompt).await?;
        let (route, known) = (decide(&said), begin.elapsed());
        if route == Route::Small {
            answer(&behind, prompt, Route::Small).await?;
        }
        Ok((route, known, begin.elapsed()))
    };
    let (large, (route, known, small)) = futures::try_join!(large, small)?;
    let took = if route == Route::Small { small } else { large.max(known) };
    Ok(Routed { route, took, classification: Some(known) })
}

fn text(reply: &Reply) -> String {
    let text = |content: &Content| match content {
        Content::Text(text) => Some(text.to_string()),
        _ => None,
    };
    reply.content.iter().filter_map(text).collect()
}
