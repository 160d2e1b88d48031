//! Tasks as an application has them: a prompt, tools, a corpus, and what a right answer looks like.

use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

use super::prose::tokens;
use super::tools::{Call, Tool, filler};

/// What kind of task it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// One short question, perhaps a second.
    SimpleQa,
    /// A question whose answer takes several steps.
    Reasoning,
    /// A model that calls tools until it can answer.
    ToolAgent,
    /// An answer from retrieved passages.
    Rag,
}

impl Category {
    /// Its name, which is that of its file.
    pub fn name(self) -> &'static str {
        match self {
            Self::SimpleQa => "simple_qa",
            Self::Reasoning => "reasoning",
            Self::ToolAgent => "tool_agent",
            Self::Rag => "rag",
        }
    }
}

/// How large a task is, by its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// Small.
    S,
    /// Medium.
    M,
    /// Large.
    L,
}

/// A task.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Its name, one among all files.
    pub name: String,
    /// Its size.
    pub size: Size,
    /// What it stands for.
    pub description: String,
    /// The system prompt as written.
    #[serde(default)]
    pub system: String,
    /// The length in tokens that the system prompt is filled up to.
    #[serde(default)]
    pub system_tokens: Option<u64>,
    /// What the user asks.
    pub prompt: String,
    /// The length in tokens that the prompt is filled up to.
    #[serde(default)]
    pub prompt_tokens: Option<u64>,
    /// What the user asks after the first answer.
    #[serde(default)]
    pub follow_ups: Vec<String>,
    /// The most tokens of an answer.
    pub max_tokens: u32,
    /// What the simulated model answers: it is right.
    pub answer: String,
    /// The length in tokens of that answer.
    pub answer_tokens: u32,
    /// What a right answer matches.
    pub expected: Expected,
    /// Tokens of thinking before the answer.
    #[serde(default)]
    pub thinking_tokens: u32,
    /// The tools that a right run calls, each at least once.
    #[serde(default)]
    pub expected_tools: Vec<String>,
    /// The tools that are offered.
    #[serde(default)]
    pub tools: Vec<Tool>,
    /// What the simulated model calls, turn by turn, before it answers.
    #[serde(default)]
    pub turns: Vec<Turn>,
    /// What is looked up before the model is asked.
    #[serde(default)]
    pub retrieval: Option<Retrieval>,
}

/// A turn of a simulated model: calls that do not depend on each other.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// What it calls.
    pub calls: Vec<Call>,
    /// Tokens of its output, calls included.
    pub output_tokens: u32,
}

/// What is looked up before the model is asked.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retrieval {
    /// What is searched for, one after another.
    pub queries: Vec<String>,
    /// Passages that are put into the prompt.
    pub k: usize,
    /// The passages that hold the answer.
    pub gold: Vec<String>,
    /// How long the store takes beside the search, in milliseconds of the real world.
    pub store_ms: f64,
    /// Tokens of earlier conversation in the prompt.
    #[serde(default)]
    pub history_tokens: u64,
}

/// The form of a right answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Expected(Regex);

impl TryFrom<String> for Expected {
    type Error = regex::Error;

    fn try_from(text: String) -> Result<Self, regex::Error> {
        Regex::new(&text).map(Self)
    }
}

impl Expected {
    /// Whether `answer` is right.
    pub fn fits(&self, answer: &str) -> bool {
        self.0.is_match(answer)
    }
}

impl Task {
    /// The system prompt at its length.
    pub fn full_system(&self) -> String {
        filled(&self.system, self.system_tokens, &self.name)
    }

    /// The user's first prompt at its length.
    pub fn full_prompt(&self) -> String {
        filled(&self.prompt, self.prompt_tokens, &self.name)
    }

    /// The tool of that name.
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.name == name)
    }
}

fn filled(text: &str, wanted: Option<u64>, of: &str) -> String {
    let fill = wanted.map_or(0, |wanted| wanted.saturating_sub(tokens(text)));
    if fill == 0 { text.to_owned() } else { format!("{}\n{text}", filler(fill, of)) }
}

/// Tasks of one category.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tasks {
    /// The category's name: that of its file.
    pub name: String,
    /// The category.
    pub category: Category,
    /// What its tasks have in common.
    pub description: String,
    /// Where the token profiles come from.
    pub source: String,
    /// The tasks.
    pub tasks: Vec<Task>,
}

/// The passages that retrieval searches.
pub(super) const CORPUS: &str = include_str!("../../fixtures/corpus.toml");

const FILES: [&str; 4] = [
    include_str!("../../scenarios/simple_qa.toml"),
    include_str!("../../scenarios/reasoning.toml"),
    include_str!("../../scenarios/tool_agent.toml"),
    include_str!("../../scenarios/rag.toml"),
];

static TASKS: LazyLock<Vec<Tasks>> = LazyLock::new(|| {
    let read = |text: &str| toml::from_str(text);
    FILES
        .iter()
        .map(|text| read(text).unwrap_or_else(|error| unreachable!("a test reads it: {error}")))
        .collect()
});

/// What is asked by groups of that name, if they do tasks: every file, since a task may stand in any.
pub(super) fn texts(name: &str) -> &'static [&'static str] {
    static ALL: [&str; 5] = [FILES[0], FILES[1], FILES[2], FILES[3], CORPUS];
    if ["baseline", "matrix"].contains(&name) { &ALL } else { &[] }
}

/// Every task that ships, by category.
pub fn tasks() -> &'static [Tasks] {
    &TASKS
}

/// The task of that name.
pub fn task(name: &str) -> Option<&'static Task> {
    TASKS.iter().flat_map(|file| &file.tasks).find(|task| task.name == name)
}

/// The category that a task belongs to.
pub fn category(task: &Task) -> Option<Category> {
    TASKS.iter().find(|file| file.tasks.iter().any(|own| own.name == task.name)).map(|file| file.category)
}
