//! The tools of one turn, in turn and together.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, join_all};
use serde_json::json;

use super::schedule::{Graph, Start, list_schedule};
use crate::experiment::{
    self, Arm, ArmSummary, Draw, Group, Needs, Observation, Predict, Prediction, RunError, Tally, Workload,
};
use crate::metric::Metric;
use crate::optimization::agent::{AT_MOST, Order, Output, Toolbox};
use crate::optimization::formula::{MS, world};
use crate::scenario::{Call, Tool};
use crate::session::{Demand, Session};

const SEQUENTIAL: &str = "sequential";
const PARALLEL: &str = "parallel";
/// The time of a tool where all take the same, in the real world.
const TOOL: Duration = Duration::from_millis(400);

/// The four tools that the lab's plan began with: name, input, milliseconds, and how much longer at most.
const FOUR: [(&str, &str, f64, f64); 4] = [
    ("query_db", "SELECT * FROM users", 500.0, 100.0),
    ("call_api", "/analytics", 300.0, 100.0),
    ("read_file", "/config.json", 100.0, 50.0),
    ("compute", "monthly_summary", 400.0, 100.0),
];

fn four() -> Vec<Tool> {
    let tool = |(name, _, delay, spread): (&str, _, f64, f64)| Tool {
        spread_ms: spread,
        ..Tool::taking(name, Duration::from_secs_f64(delay / 1e3))
    };
    FOUR.map(tool).into()
}

/// What an arm does with its tools.
#[derive(Debug, Clone)]
enum Plan {
    /// Calls that do not depend on each other.
    Turn(Vec<Tool>, Order),
    /// Calls that wait for others.
    Graph(Graph, Start),
    /// The first group in turn, then the second together.
    Mixed(Vec<Tool>, Vec<Tool>),
}

impl Plan {
    fn tools(&self) -> Vec<Tool> {
        match self {
            Self::Turn(tools, _) => tools.clone(),
            Self::Graph(graph, _) => graph.tools.clone(),
            Self::Mixed(first, second) => [first.clone(), second.clone()].concat(),
        }
    }

    /// How long it takes in the real world, each tool taking its average time.
    fn makespan(&self) -> Duration {
        let means = |tools: &[Tool]| tools.iter().map(Tool::mean).collect::<Vec<_>>();
        match self {
            Self::Turn(tools, order) => list_schedule(&means(tools), order.width()),
            Self::Graph(graph, start) => graph.makespan(*start),
            Self::Mixed(first, second) => {
                list_schedule(&means(first), 1) + list_schedule(&means(second), second.len())
            }
        }
    }

    async fn run(&self, toolbox: &Toolbox<'_>) -> Result<Vec<Output>, RunError> {
        match self {
            Self::Turn(tools, order) => toolbox.call_all(&calls(tools), *order).await,
            Self::Graph(graph, start) => run_graph(toolbox, graph, *start).await,
            Self::Mixed(first, second) => {
                let mut outputs = toolbox.call_all(&calls(first), Order::InTurn).await?;
                let together = Order::Together { at_most: second.len() };
                outputs.extend(toolbox.call_all(&calls(second), together).await?);
                Ok(outputs)
            }
        }
    }
}

fn calls(tools: &[Tool]) -> Vec<Call> {
    tools.iter().enumerate().map(|(number, tool)| call(number, tool)).collect()
}

fn call(number: usize, tool: &Tool) -> Call {
    let input = FOUR.iter().find(|(name, ..)| *name == tool.name).map(|(_, input, ..)| (*input).to_owned());
    Call {
        tool: tool.name.clone(),
        input: json!({ "query": input.unwrap_or_else(|| format!("part {number}")) }),
    }
}

/// Starts each tool when those that it waits for have ended.
async fn run_graph(toolbox: &Toolbox<'_>, graph: &Graph, start: Start) -> Result<Vec<Output>, RunError> {
    let mut started: BTreeMap<usize, Shared<BoxFuture<'_, Result<Output, RunError>>>> = BTreeMap::new();
    for number in graph.order(start) {
        let waits: Vec<_> =
            graph.waits_for(number, start).iter().filter_map(|before| started.get(before).cloned()).collect();
        let call = call(number, &graph.tools[number]);
        let run = async move {
            for before in join_all(waits).await {
                before?;
            }
            toolbox.call(&call).await
        };
        started.insert(number, run.boxed().shared());
    }
    join_all(started.into_values()).await.into_iter().collect()
}

/// The four tools of the lab's plan, which do not depend on each other.
pub fn tools() -> Group {
    group(
        "parallelism/tools",
        "What do the tools of one turn save that run together?",
        vec![
            (SEQUENTIAL, None, Plan::Turn(four(), Order::InTurn)),
            (PARALLEL, None, Plan::Turn(four(), Order::Together { at_most: AT_MOST })),
        ],
    )
}

/// Equal tools, by how many a turn has.
pub fn width() -> Group {
    let points = [1_usize, 2, 3, 4, 8].into_iter().flat_map(|k| {
        let equal: Vec<_> = (0..k).map(|number| Tool::taking(format!("part_{number}"), TOOL)).collect();
        let x = Some(k as f64);
        [
            (SEQUENTIAL, x, Plan::Turn(equal.clone(), Order::InTurn)),
            (PARALLEL, x, Plan::Turn(equal, Order::Together { at_most: k })),
        ]
    });
    Group {
        x_label: Some("tools of a turn".into()),
        ..group("parallelism/width", "What do they save, by how many there are?", points.collect())
    }
}

/// Eight tools of very different lengths, so many at a time.
pub fn cap() -> Group {
    let skewed: Vec<_> = [100, 100, 200, 100, 400, 100, 200, 800]
        .into_iter()
        .enumerate()
        .map(|(number, ms)| Tool::taking(format!("part_{number}"), Duration::from_millis(ms)))
        .collect();
    let together = |at_most| Plan::Turn(skewed.clone(), Order::Together { at_most });
    group(
        "parallelism/cap",
        "What does a cap on concurrent tools cost where one takes four times the average?",
        vec![
            (SEQUENTIAL, None, Plan::Turn(skewed.clone(), Order::InTurn)),
            ("at_most_2", None, together(2)),
            ("at_most_5", None, together(5)),
            ("all", None, together(skewed.len())),
        ],
    )
}

/// Tools of which some need what others return.
pub fn order() -> Group {
    let named = [
        ("find_user", 200),
        ("list_orders", 600),
        ("get_profile", 300),
        ("price_list", 100),
        ("invoice", 200),
    ];
    let graph = Graph {
        tools: named.map(|(name, ms)| Tool::taking(name, Duration::from_millis(ms))).into(),
        after: vec![vec![], vec![], vec![0], vec![], vec![1, 2, 3]],
    };
    let arm = |name, start| (name, None, Plan::Graph(graph.clone(), start));
    group(
        "parallelism/order",
        "What is left to save where tools need what others return?",
        vec![
            arm(SEQUENTIAL, Start::InTurn),
            arm("by_level", Start::ByLevel),
            arm("when_ready", Start::WhenReady),
        ],
    )
}

/// The four tools of the lab's plan, one of which fails after its time.
pub fn failing() -> Group {
    let mut some = four();
    some[1].fails = true;
    group(
        "parallelism/failing",
        "Does a tool that fails hold up or stop the others?",
        vec![
            (SEQUENTIAL, None, Plan::Turn(some.clone(), Order::InTurn)),
            (PARALLEL, None, Plan::Turn(some, Order::Together { at_most: AT_MOST })),
        ],
    )
}

/// Eight equal pieces of work, of which a share can be spread.
pub fn fraction() -> Group {
    let pieces: Vec<_> =
        (0..8).map(|number| Tool::taking(format!("piece_{number}"), Duration::from_millis(200))).collect();
    let points = [0_usize, 2, 4, 6, 8].into_iter().flat_map(|spread| {
        let (alone, together) = pieces.split_at(pieces.len() - spread);
        let x = Some(spread as f64 / pieces.len() as f64);
        [
            (SEQUENTIAL, x, Plan::Turn(pieces.clone(), Order::InTurn)),
            (PARALLEL, x, Plan::Mixed(alone.into(), together.into())),
        ]
    });
    let points = points.collect();
    Group {
        x_label: Some("share that can be spread".into()),
        ..group("parallelism/fraction", "Is the gain proportional to the work that can be spread?", points)
    }
}

fn group(name: &str, question: &str, points: Vec<(&'static str, Option<f64>, Plan)>) -> Group {
    let arm = |(name, x, plan): &(&str, Option<f64>, Plan)| Arm {
        x: *x,
        needs: Needs::default(),
        ..Arm::new(*name, Turn { tools: plan.tools(), plan: plan.clone() })
    };
    Group {
        name: name.into(),
        question: question.into(),
        control: SEQUENTIAL.into(),
        metrics: vec![Metric::MAKESPAN],
        arms: points.iter().map(arm).collect(),
        predict: Some(predict(points)),
        ..Group::default()
    }
}

fn predict(points: Vec<(&'static str, Option<f64>, Plan)>) -> Predict {
    Arc::new(move |known, arm, metric| {
        let plan = |name: &str| {
            points.iter().find(|(own, x, _)| *own == name && *x == arm.x).map(|(_, _, plan)| plan.makespan())
        };
        let (before, after) = (plan(SEQUENTIAL)?, plan(&arm.name).filter(|_| *metric == Metric::MAKESPAN)?);
        let (before, after) = (world(known, before), world(known, after));
        let source =
            format!("average times of the tools: {:.1} ms and {:.1} ms in all", before / MS, after / MS);
        Some(Prediction { saving: before - after, source: Cow::Owned(source) })
    })
}

/// Runs the tools of one turn. No model is asked.
struct Turn {
    tools: Vec<Tool>,
    plan: Plan,
}

impl Turn {
    async fn go(&self, draw: &Draw<'_>) -> Result<Observation, RunError> {
        let start = Instant::now();
        let toolbox = Toolbox::new(draw, &self.tools);
        let outputs = self.plan.run(&toolbox).await?;
        let mut observation = Observation::value(Metric::MAKESPAN, start.elapsed().as_nanos() as f64);
        let failed = outputs.iter().filter(|output| output.is_error).count() as u64;
        if failed > 0 {
            let tally = Tally::share(failed, outputs.len() as u64);
            observation.tallies = BTreeMap::from([(Cow::from("failed tools"), tally)]);
        }
        Ok(observation)
    }
}

impl Workload for Turn {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(self.go(draw))
    }

    fn demand(&self, _round: u32) -> Demand {
        Demand::default()
    }
}

/// The same tools in turn and together, over the same rounds.
#[derive(Debug, Clone, PartialEq)]
pub struct ParallelComparison {
    /// One after another.
    pub sequential: ArmSummary,
    /// Together.
    pub parallel: ArmSummary,
}

/// Compares the four tools of the lab's plan in turn and together, over `runs` rounds and one to warm up.
///
/// # Errors
/// When an arm fails for good.
pub async fn compare(session: &Arc<Session>, runs: u32) -> Result<ParallelComparison, RunError> {
    let summary = experiment::compare(session, tools(), runs).await?;
    let mut arms = summary.arms.into_iter();
    let mut next = || arms.next().ok_or_else(|| RunError::Workload("an arm is missing".into()));
    Ok(ParallelComparison { sequential: next()?, parallel: next()? })
}
