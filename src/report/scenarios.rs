//! The tasks that ship, as a table.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::optimization::agent::Plan;
use crate::scenario::{Task, tasks, tokens};

/// A task in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its category.
    pub category: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its size: `s`, `m` or `l`.
    pub size: String,
    /// Tokens of system prompt, tools and first prompt, passages not counted.
    pub prompt_tokens: u64,
    /// Tokens of the answer, thinking included.
    pub answer_tokens: u32,
    /// Requests to the model.
    pub model_calls: usize,
    /// Calls of tools.
    pub tool_calls: usize,
    /// Passages that are retrieved.
    pub passages: usize,
    /// What it stands for.
    pub description: &'static str,
}

/// Every task, by category.
pub fn rows() -> Vec<Row> {
    let of = |category: &'static str, task: &'static Task| {
        let plan = Plan::of(task);
        let offered = plan
            .tools
            .iter()
            .map(|tool| tokens(&tool.offer().input_schema.to_string()) + tokens(&tool.description));
        Row {
            category,
            name: &task.name,
            size: format!("{:?}", task.size).to_lowercase(),
            prompt_tokens: tokens(&plan.system) + offered.sum::<u64>() + tokens(&plan.prompt),
            answer_tokens: task.answer_tokens + task.thinking_tokens,
            model_calls: plan.model_calls(),
            tool_calls: plan.turns.iter().map(|turn| turn.calls.len()).sum(),
            passages: task.retrieval.as_ref().map_or(0, |retrieval| retrieval.k),
            description: &task.description,
        }
    };
    tasks()
        .iter()
        .flat_map(|file| file.tasks.iter().map(move |task| of(file.category.name(), task)))
        .collect()
}

/// The rows as a table.
pub fn text(rows: &[Row]) -> String {
    let header = [
        "category",
        "task",
        "size",
        "prompt",
        "answer",
        "model calls",
        "tool calls",
        "passages",
        "what it is",
    ];
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for row in rows {
        table.add_row([
            row.category.into(),
            row.name.into(),
            row.size.clone(),
            row.prompt_tokens.to_string(),
            row.answer_tokens.to_string(),
            row.model_calls.to_string(),
            row.tool_calls.to_string(),
            row.passages.to_string(),
            row.description.into(),
        ]);
    }
    for column in table.column_iter_mut().skip(3).take(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{table}\nprompt and answer are in tokens, four bytes each; a live tokenizer counts its own")
}
