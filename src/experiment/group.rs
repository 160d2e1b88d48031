//! A question, and its arms.

use std::borrow::Cow;
use std::sync::Arc;

use super::{GroupSummary, Guard, Workload};
use crate::catalog::{Model, Profile};
use crate::metric::Metric;
use crate::session::{Session, Turn};
use crate::wire::Dialect;

/// Arms that answer one question.
#[derive(Clone, Default)]
pub struct Group {
    /// The first part of every benchmark id: the optimisation's name, with the group's own after a slash if it
    /// has several. Keep it short: Criterion's plots crop ids of more than some 25 characters.
    pub name: String,
    /// The question in a sentence.
    pub question: String,
    /// What the sweep varies, with its unit, such as `"prefix tokens"`; absent without a sweep.
    pub x_label: Option<String>,
    /// The name of the arm that the others are compared with, at the same `x`.
    pub control: String,
    /// The arms.
    pub arms: Vec<Arm>,
    /// The metrics that become benchmarks; the first one is the primary.
    pub metrics: Vec<Metric>,
    /// The dialect the group insists on; absent means the target's.
    pub dialect: Option<Dialect>,
    /// What an arm is expected to save.
    pub predict: Option<Predict>,
    /// What else theory says, in sentences: prices, minimums.
    pub remarks: Option<Remarks>,
    /// What the figures themselves say, in sentences: a knee, a crossing.
    pub conclude: Option<Conclude>,
    /// The reduction of the primary metric that is claimed "up to", as a share: where it is reached is said.
    pub claimed: Option<f64>,
    /// What an arm may do wrong at most before it is called unsafe.
    pub guards: Vec<Guard>,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Group")
            .field("name", &self.name)
            .field("arms", &self.arms)
            .finish_non_exhaustive()
    }
}

/// One way of doing it.
#[derive(Clone)]
pub struct Arm {
    /// Its name, the second part of a benchmark id.
    pub name: String,
    /// Its position on the sweep, the last part of a benchmark id.
    pub x: Option<f64>,
    /// What it needs of the target.
    pub needs: Needs,
    /// What the prompt cache must do for the arm to mean what it says.
    pub cache: CacheState,
    /// Metrics of the group that this arm does not define, such as TTFT of an unstreamed answer.
    pub without: Vec<Metric>,
    /// What it does.
    pub workload: Arc<dyn Workload>,
}

impl std::fmt::Debug for Arm {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Arm").field("name", &self.name).field("x", &self.x).finish_non_exhaustive()
    }
}

/// What an arm needs of the target. A target that cannot give it is not asked, and a sentence says why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Only the simulator can do it, for this reason: its clock can be moved, say.
    pub simulator: Option<&'static str>,
    /// The dialect must let a request place cache breakpoints.
    pub cache_control: bool,
    /// The target must stream.
    pub streaming: bool,
    /// The dialect must let a request offer tools.
    pub tools: bool,
    /// A small model must stand beside the target's.
    pub small_model: bool,
    /// Tokens that prompt and answer take together.
    pub context_tokens: u64,
}

/// What the prompt cache must do for an arm to mean what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheState {
    /// Anything.
    #[default]
    Any,
    /// Nothing may be read, but for what precedes the request's nonce (a chat template). A read makes the
    /// round invalid.
    Cold,
    /// The prompt should be read from the second round on. A miss is counted and said.
    Warm,
}

/// What is known when a prediction is made.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The engine and the factor on its times: the simulated one, or what a real one looks like in half of the
    /// rounds; absent for a real one of which nothing is known.
    pub engine: Option<(&'a Profile, f64)>,
    /// How many requests at once a real engine serves as if each were alone, as half of the rounds show it; absent
    /// for a simulated one, and where no two were under way at once.
    pub capacity: Option<f64>,
    /// The engine of the small model, on the same terms.
    pub small: Option<&'a Profile>,
    /// The factor on the times of tools and stores: 1 on a real target.
    pub scale: f64,
    /// The model's rules and prices, where known.
    pub model: Option<&'static Model>,
    /// The dialect it is asked in.
    pub dialect: Dialect,
}

/// What an arm is expected to save against the control at the same `x`.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The saving in the metric's unit; negative if it is expected to cost.
    pub saving: f64,
    /// The formula's constants and where they come from.
    pub source: Cow<'static, str>,
}

/// Predicts the saving of an arm in a metric, where it can.
pub type Predict = Arc<dyn Fn(&Known<'_>, &Arm, &Metric) -> Option<Prediction> + Send + Sync>;

/// Sentences about a group that follow from what is known.
pub type Remarks = Arc<dyn Fn(&Known<'_>) -> Vec<String> + Send + Sync>;

/// Sentences about a group that follow from what was measured; they stand after its [`Remarks`].
pub type Conclude = Arc<dyn Fn(&Known<'_>, &GroupSummary) -> Vec<String> + Send + Sync>;

impl Arm {
    /// An arm without a sweep that needs nothing special.
    pub fn new(name: impl Into<String>, workload: impl Workload + 'static) -> Self {
        Self {
            name: name.into(),
            x: None,
            needs: Needs::default(),
            cache: CacheState::default(),
            without: Vec::new(),
            workload: Arc::new(workload),
        }
    }

    /// The same arm at a position of the sweep.
    #[must_use]
    pub fn at(self, x: f64) -> Self {
        Self { x: Some(x), ..self }
    }

    /// `name` or `name/x`, as it stands in a benchmark id.
    pub fn label(&self) -> String {
        self.x.map_or_else(|| self.name.clone(), |x| format!("{}/{x}", self.name))
    }

    /// Its turn in a round of a group.
    pub(super) fn turn<'a>(&'a self, group: &'a str, round: u32, order: u32) -> Turn<'a> {
        Turn { group, arm: &self.name, x: self.x, round, order }
    }

    /// Why `session` cannot run it, in a sentence; absent if it can.
    pub fn obstacle(&self, session: &Session, dialect: Dialect) -> Option<String> {
        if !session.speaks(dialect) {
            return Some(format!("the target does not speak the {dialect} dialect"));
        }
        if let Some(reason) = self.needs.simulator.filter(|_| !session.is_simulated()) {
            return Some(format!("only the simulator can do it: {reason}"));
        }
        if self.needs.cache_control && dialect != Dialect::Anthropic {
            return Some(format!("the {dialect} dialect cannot place cache breakpoints"));
        }
        if self.needs.streaming && dialect == Dialect::Generate {
            return Some(format!("the {dialect} dialect cannot stream"));
        }
        if self.needs.tools && !dialect.has_tools() {
            return Some(format!("the {dialect} dialect knows no tools"));
        }
        if self.needs.small_model && session.small_model(dialect).is_none() {
            return Some("name a small model: LLMLAB_SMALL_MODEL (--small-model)".into());
        }
        let context = session.context_tokens().filter(|&context| context < self.needs.context_tokens)?;
        Some(format!(
            "it needs about {} tokens of context and the target takes {context}",
            self.needs.context_tokens
        ))
    }
}

impl Group {
    /// The metric that the summary speaks of first.
    pub fn primary(&self) -> Option<&Metric> {
        self.metrics.first()
    }

    /// Whether `arm` defines `metric`.
    pub fn has(&self, arm: &Arm, metric: &Metric) -> bool {
        self.metrics.contains(metric) && !arm.without.contains(metric)
    }

    /// The index of the control that `arm` is compared with; absent for the control itself.
    pub fn control_of(&self, arm: &Arm) -> Option<usize> {
        let is_control = |other: &Arm| other.name == self.control;
        if is_control(arm) {
            return None;
        }
        let same_x = self.arms.iter().position(|other| is_control(other) && other.x == arm.x);
        same_x.or_else(|| self.arms.iter().position(|other| is_control(other) && other.x.is_none()))
    }

    /// Whether the group varies something along an axis.
    pub fn is_swept(&self) -> bool {
        self.arms.iter().any(|arm| arm.x.is_some())
    }

    /// Whether it varies it over an order of magnitude, the control with it.
    pub fn is_swept_widely(&self) -> bool {
        let positions = || self.arms.iter().filter(|arm| arm.name == self.control).filter_map(|arm| arm.x);
        let least = positions().reduce(f64::min).filter(|least| *least > 0.0);
        least.zip(positions().reduce(f64::max)).is_some_and(|(least, most)| most >= 10.0 * least)
    }
}
