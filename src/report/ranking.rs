//! Rankings, as the API replies with them and as a table.

use std::collections::BTreeMap;

use comfy_table::{Cell, CellAlignment, Table, presets};
use serde::Serialize;

use crate::ranking::{Board, LLMS, Llm, RankedMetric, Simulation, Standing, rounded};
use crate::stats::Summary;

/// What values of a [`Simulation`] are called.
pub const SIMULATED: &str = "simulated";
/// What values are called for which somebody was asked.
pub const MEASURED: &str = "measured";

/// The version of [`Dump`]'s form.
pub const DUMP_SCHEMA_VERSION: u32 = 1;

/// Boards, one after another, each under the name of its metric.
#[derive(Debug, Serialize)]
pub struct Rankings {
    /// Whether the values are `simulated` or `measured`; said where what is behind the means is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'static str>,
    /// One object for each metric, with one member.
    pub data: Vec<BTreeMap<&'static str, Vec<Ranked>>>,
}

/// Boards in one object, each under the name of its metric.
#[derive(Debug, Serialize)]
pub struct Merged {
    /// As in [`Rankings`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'static str>,
    /// The boards.
    pub data: BTreeMap<&'static str, Vec<Ranked>>,
}

/// A model's place on a board.
#[derive(Debug, Serialize)]
pub struct Ranked {
    /// The model.
    pub llm_name: String,
    /// The mean of its values, to two places.
    pub mean_value: f64,
    /// What is behind it, where it was asked for.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub full: Option<Full>,
}

/// What is behind a mean.
#[derive(Debug, Serialize)]
pub struct Full {
    /// 1 and the number of models that are better by more than chance explains.
    pub rank: usize,
    /// Whether another model shares the rank.
    pub tied: bool,
    /// The unit of all its values.
    pub unit: &'static str,
    /// All values in a few numbers, not rounded.
    pub stats: Summary,
}

impl Rankings {
    /// The boards' means alone, as the API replies, or, if `full` says what the values are, with what is behind them.
    pub fn of(boards: &[Board], full: Option<&'static str>) -> Self {
        let ranked = |board: &Board, standing: &Standing| Ranked {
            llm_name: standing.llm_name.clone(),
            mean_value: rounded(standing.stats.mean),
            full: full.map(|_| Full {
                rank: standing.rank,
                tied: board.is_tied(standing),
                unit: board.metric.unit(),
                stats: standing.stats.clone(),
            }),
        };
        let list = |board: &Board| {
            let models = board.standings.iter().map(|standing| ranked(board, standing)).collect();
            BTreeMap::from([(board.metric.name(), models)])
        };
        Self { source: full, data: boards.iter().map(list).collect() }
    }

    /// The same boards in one object.
    pub fn merged(self) -> Merged {
        Merged { source: self.source, data: self.data.into_iter().flatten().collect() }
    }
}

/// The boards as a table. Ranks that are shared have an `=`.
pub fn table(boards: &[Board]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["by", "rank", "model", "mean", "95% interval", "p50", "p99", "n"]);
    for board in boards {
        for (index, standing) in board.standings.iter().enumerate() {
            table.add_row(cells(board, standing, index == 0));
        }
    }
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn cells(board: &Board, standing: &Standing, is_first: bool) -> Vec<Cell> {
    let Standing { llm_name, rank, stats, .. } = standing;
    let better = if board.metric.lower_is_better() { "lower" } else { "higher" };
    let by = format!("{} ({}, {better} is better)", board.metric, board.metric.unit());
    let interval = stats.mean_interval.map(|interval| format!("[{:.2}, {:.2}]", interval.low, interval.high));
    let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    vec![
        Cell::new(if is_first { by } else { String::new() }),
        right(format!("{}{rank}", if board.is_tied(standing) { "=" } else { "" })),
        Cell::new(llm_name),
        right(format!("{:.2}", stats.mean)),
        right(interval.unwrap_or_else(|| "–".into())),
        right(format!("{:.2}", stats.p50)),
        right(format!("{:.2}", stats.p99)),
        right(stats.n.to_string()),
    ]
}

/// Everything that was simulated, as tables of models, metrics and values.
#[derive(Debug, Serialize)]
pub struct Dump<'a> {
    /// The version of this form.
    pub schema_version: u32,
    /// Always `simulated`.
    pub source: &'static str,
    /// The seed.
    pub seed: &'a str,
    /// The models.
    pub llms: &'static [Llm],
    /// What they are ranked by.
    pub metrics: [Described; 4],
    /// The values.
    pub simulations: Vec<Row>,
}

/// A metric in words.
#[derive(Debug, Serialize)]
pub struct Described {
    /// Its name.
    pub name: RankedMetric,
    /// The unit of its values.
    pub unit: &'static str,
    /// Whether a lower value is better.
    pub lower_is_better: bool,
}

/// One value.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The model's name.
    pub llm: &'static str,
    /// The metric's name.
    pub metric: RankedMetric,
    /// The value, in the metric's unit.
    pub value: f64,
}

impl<'a> Dump<'a> {
    /// Everything of a simulation.
    pub fn of(simulation: &'a Simulation) -> Self {
        let pairs =
            RankedMetric::ALL.into_iter().flat_map(|metric| LLMS.iter().map(move |llm| (metric, llm)));
        let rows = pairs.flat_map(|(metric, llm)| {
            let values = simulation.of(llm, metric).into_iter();
            values.map(move |value| Row { llm: llm.name, metric, value })
        });
        Self {
            schema_version: DUMP_SCHEMA_VERSION,
            source: SIMULATED,
            seed: simulation.seed(),
            llms: &LLMS,
            metrics: RankedMetric::ALL.map(|name| Described {
                name,
                unit: name.unit(),
                lower_is_better: name.lower_is_better(),
            }),
            simulations: rows.collect(),
        }
    }
}
