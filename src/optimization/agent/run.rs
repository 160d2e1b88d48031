//! A task with any combination of optimisations.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;

use super::answers::{Answers, REPEATED};
use super::conversation::{Caching, How, Plan, Ran};
use super::toggles::{Toggle, Toggles};
use super::toolbox::{AT_MOST, Order};
use crate::client::Road;
use crate::experiment::{Arm, Draw, Group, Known, Needs, Observation, Remarks, RunError, Tally, Workload};
use crate::metric::Metric;
use crate::optimization::routing::{ASSUMED_ACCURACY, Complexity, Prompt, chosen_model};
use crate::optimization::speculation::{Bigram, Oracle, Predictor};
use crate::scenario::{Category, Corpus, Passage, Retrieval, Size, Task, Tasks, category, tasks, tokens};
use crate::session::Demand;
use crate::wire::{Ask, Block};

/// How often a guess is right in a simulated task: the published share of steps whose next call, arguments
/// included, follows from the one before (tau-bench, airline, gpt-4o).
const GUESSED_RIGHT: f64 = 0.4;

/// What an application remembers from one task to the next.
#[derive(Debug)]
pub struct Memory {
    bigram: Bigram,
}

impl Default for Memory {
    fn default() -> Self {
        Self { bigram: Bigram::new(1) }
    }
}

/// Does a task with some optimisations switched on: retrieval, then the loop of model and tools, then a look at
/// whether the answer is right and the tools were those that it takes. Requests go along `way`, over new connections
/// unless their reuse is switched on.
///
/// # Errors
/// When a request gets no answer.
pub async fn run(
    draw: &Draw<'_>,
    task: &Task,
    toggles: &Toggles,
    way: Road,
    memory: &Memory,
) -> Result<Observation, RunError> {
    let mut plan = Plan::of(task);
    let ask = Ask {
        system: vec![Block::text(plan.system.as_str())],
        ..Ask::question(plan.prompt.as_str(), plan.max_tokens)
    };
    let answers = Answers::prepare(draw, toggles, &ask, &plan.prompt).await?;
    let start = Instant::now();
    let mut observation = Observation::default();
    if let Some(answers) = answers {
        let hit = answers.have(&ask, &plan.prompt).await?;
        observation.tallies.insert("answers from the cache".into(), Tally::share(u64::from(hit), 1));
        if hit {
            note_times(&mut observation, start.elapsed(), start.elapsed());
            return Ok(observation);
        }
    }
    let road = if toggles.has(Toggle::ConnectionReuse) {
        way
    } else {
        Road { reuse: false, resumption: false, ..way }
    };
    let model =
        if toggles.has(Toggle::Routing) { chosen_model(draw, &road, &prompt(task)).await? } else { "" };
    if let Some(retrieval) = &task.retrieval {
        plan.prompt = ask_the_corpus(draw, &plan.prompt, retrieval, &mut observation).await;
    }
    let oracle = oracle(&plan);
    let predictor: &dyn Predictor = if draw.session().is_simulated() { &oracle } else { &memory.bigram };
    let together = Order::Together { at_most: AT_MOST };
    let how = How {
        order: if toggles.has(Toggle::ParallelTools) { together } else { Order::InTurn },
        stream: toggles.has(Toggle::Streaming),
        caching: if toggles.has(Toggle::CacheControl) { Caching::On } else { Caching::Off },
        model,
        road,
        predictor: toggles.has(Toggle::Speculation).then_some(predictor),
    };
    let ran = Box::pin(plan.run(draw, how)).await?;
    let end = start.elapsed();
    note(&mut observation, task, &ran, start, end);
    Ok(observation)
}

/// What guesses the calls of a simulated task, in the assumed share of its steps right.
fn oracle(plan: &Plan) -> Oracle {
    let calls: Vec<_> = plan.turns.iter().flat_map(|turn| turn.calls.clone()).collect();
    let right = (calls.len() as f64 * GUESSED_RIGHT).round() as usize;
    Oracle::new(calls, right, 1)
}

/// Searches for passages, notes how that went, and puts what was found before the question.
async fn ask_the_corpus(
    draw: &Draw<'_>,
    question: &str,
    retrieval: &Retrieval,
    observation: &mut Observation,
) -> String {
    let begin = Instant::now();
    let found = retrieve(draw, retrieval).await;
    observation.values.insert(Metric::RETRIEVAL, begin.elapsed().as_nanos() as f64);
    let is_found = |gold: &&String| found.iter().any(|passage| passage.id == **gold);
    let gold = retrieval.gold.iter().filter(is_found).count() as u64;
    let tally = Tally::share(gold, retrieval.gold.len() as u64);
    observation.tallies.insert("gold passages found".into(), tally);
    with_passages(question, retrieval, &found)
}

/// The times of a run, and what is counted.
fn note(observation: &mut Observation, task: &Task, ran: &Ran, start: Instant, end: Duration) {
    note_times(observation, end, ran.visible - start);
    if !ran.tool_calls.is_empty() {
        observation.values.insert(Metric::TOOLS, ran.tools.as_nanos() as f64);
    }
    let called: BTreeSet<&str> = ran.tool_calls.iter().map(|call| call.tool.as_str()).collect();
    let expected: BTreeSet<&str> = task.expected_tools.iter().map(String::as_str).collect();
    let right = |is: bool| Tally::share(u64::from(is), 1);
    let mut count = |name: &'static str, tally| observation.tallies.insert(Cow::from(name), tally);
    count("right answers", right(task.expected.fits(&ran.text)));
    count("model calls", Tally::count(ran.model_calls));
    if !expected.is_empty() {
        count("right tools", right(expected.is_subset(&called)));
        count("tool calls", Tally::count(ran.tool_calls.len() as u64));
        count("calls of a turn at most", Tally::count(ran.width));
    }
    if ran.guessed > 0 {
        count("wasted calls", Tally::share(ran.guessed - ran.guessed_right, ran.guessed));
    }
}

fn note_times(observation: &mut Observation, end: Duration, visible: Duration) {
    observation.values.insert(Metric::MAKESPAN, end.as_nanos() as f64);
    observation.values.insert(Metric::PERCEIVED, visible.as_nanos() as f64);
}

/// A task's question, labelled with what a router should say of it.
fn prompt(task: &Task) -> Prompt {
    let complexity = match (category(task), task.size) {
        (Some(Category::SimpleQa), _) => Complexity::Simple,
        (Some(Category::Reasoning | Category::Rag), Size::S) => Complexity::Moderate,
        _ => Complexity::Complex,
    };
    Prompt { text: task.prompt.clone(), complexity, smoke: false, latency: false }
}

/// The passages that are found for each query, one search after another: a second hop needs the first.
async fn retrieve(draw: &Draw<'_>, retrieval: &Retrieval) -> Vec<&'static Passage> {
    let mut found: Vec<&Passage> = Vec::new();
    let each = retrieval.k.div_ceil(retrieval.queries.len().max(1));
    for query in &retrieval.queries {
        draw.pass(Duration::from_secs_f64(retrieval.store_ms / 1e3)).await;
        for passage in Corpus::shipped().search(query, each) {
            if !found.iter().any(|known| known.id == passage.id) {
                found.push(passage);
            }
        }
    }
    found
}

/// The prompt with what was found before the question, so that passages that come often can be cached.
fn with_passages(question: &str, retrieval: &Retrieval, found: &[&Passage]) -> String {
    let passages: Vec<_> =
        found.iter().map(|passage| format!("[{}] {}\n{}", passage.id, passage.title, passage.text)).collect();
    let history = crate::scenario::prose(retrieval.history_tokens, 7);
    format!("{}\n\n{history}\n\n{question}", passages.join("\n\n"))
}

/// Tasks, each as a group of its own with an arm for every combination of toggles; the unoptimised one is the
/// control.
pub fn scenarios(name: &str, tasks: &[&'static Task], combinations: &[Toggles], way: Road) -> Vec<Group> {
    let group = |task: &&'static Task| Group {
        name: format!("{name}/{}", task.name),
        question: task.description.clone(),
        control: Toggles::default().to_string(),
        arms: combinations.iter().map(|toggles| arm(&toggles.to_string(), task, toggles, way)).collect(),
        metrics: vec![Metric::MAKESPAN, Metric::PERCEIVED],
        remarks: remarks(combinations),
        ..Group::default()
    };
    tasks.iter().map(group).collect()
}

/// One task of each category, each of moderate length.
pub const REPRESENTATIVE: [&str; 4] =
    ["simple_factual", "reasoning_math_word_problem", "tool_multi_step", "rag_multi_doc_synthesis"];

/// Tasks unoptimised, those of one category a group: nothing is compared, and nothing pooled.
pub fn baseline(names: &[&str]) -> Vec<Group> {
    let group = |file: &'static Tasks| {
        let chosen = file.tasks.iter().filter(|task| names.contains(&task.name.as_str()));
        Group {
            name: format!("baseline/{}", file.category.name()),
            question: "How long do tasks take without any optimisation?".into(),
            arms: chosen.map(|task| arm(&task.name, task, &Toggles::default(), Road::default())).collect(),
            metrics: vec![Metric::MAKESPAN],
            ..Group::default()
        }
    };
    tasks().iter().map(group).filter(|group| !group.arms.is_empty()).collect()
}

/// What is assumed about the optimisations that a simulator cannot measure.
fn remarks(combinations: &[Toggles]) -> Option<Remarks> {
    let percent = |share: f64| format!("{:.0}%", share * 100.0);
    let known = [
        (Toggle::Speculation, format!("speculation: {} of the guesses are right", percent(GUESSED_RIGHT))),
        (
            Toggle::ExactCache,
            format!("exact_cache: {} of the questions were asked before", percent(REPEATED)),
        ),
        (
            Toggle::SemanticCache,
            format!(
                "semantic_cache: {} of the questions were asked before, word for word",
                percent(REPEATED)
            ),
        ),
        (
            Toggle::Routing,
            format!(
                "routing: the classifier is right {} of the time, and both models answer equally well",
                percent(ASSUMED_ACCURACY)
            ),
        ),
    ];
    let used =
        known.into_iter().filter(|(toggle, _)| combinations.iter().any(|toggles| toggles.has(*toggle)));
    let assumed: Vec<_> = used.map(|(_, text)| format!("Assumed, {text}.")).collect();
    Some(Arc::new(move |known: &Known<'_>| known.engine.map(|_| assumed.clone()).unwrap_or_default()))
}

fn arm(name: &str, task: &'static Task, toggles: &Toggles, way: Road) -> Arm {
    let whole = Whole { task, toggles: toggles.clone(), way, memory: Memory::default() };
    let needs = Needs {
        context_tokens: whole.most_tokens(),
        streaming: toggles.has(Toggle::Streaming),
        tools: !task.tools.is_empty(),
        small_model: toggles.has(Toggle::Routing),
        simulator: (!way.is_open_to_all()).then_some("nobody can choose how far a real target is"),
        ..Needs::default()
    };
    Arm { needs, ..Arm::new(name, whole) }
}

/// A whole task.
#[derive(Debug)]
struct Whole {
    task: &'static Task,
    toggles: Toggles,
    way: Road,
    memory: Memory,
}

impl Whole {
    /// Prompt tokens of the last request, about.
    fn most_tokens(&self) -> u64 {
        let plan = Plan::of(self.task);
        let offered: u64 = plan
            .tools
            .iter()
            .map(|tool| tokens(&tool.offer().input_schema.to_string()) + tokens(&tool.description))
            .sum();
        let result = |name: &str| plan.tool(name).map_or(0, |tool| tokens(&tool.output()));
        let turns =
            plan.turns.iter().flat_map(|turn| &turn.calls).map(|call| result(&call.tool) + 40).sum::<u64>();
        let passages = self
            .task
            .retrieval
            .as_ref()
            .map_or(0, |retrieval| retrieval.k as u64 * 230 + retrieval.history_tokens);
        let answers = u64::from(self.task.answer_tokens + self.task.thinking_tokens)
            * (1 + plan.follow_ups.len() as u64);
        tokens(&plan.system) + tokens(&plan.prompt) + offered + turns + passages + answers
    }
}

impl Workload for Whole {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(run(draw, self.task, &self.toggles, self.way, &self.memory))
    }

    fn demand(&self, _round: u32) -> Demand {
        let plan = Plan::of(self.task);
        let one = Demand::uncached(self.most_tokens(), plan.max_tokens.into());
        let whole = (1..plan.model_calls()).fold(one, |sum, _| sum.and(one));
        let classified = Demand::uncached(tokens(&self.task.prompt) + 100, 40);
        if self.toggles.has(Toggle::Routing) { whole.and(classified) } else { whole }
    }
}
