//! Which ranking is asked for, and how it shall look.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::ranking::{Order, RankedMetric};
use crate::report::ranking::{MEASURED, SIMULATED};

/// What a reply holds of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stats {
    /// Its mean.
    #[default]
    Mean,
    /// Its rank, n, percentiles and interval too.
    Full,
}

/// How the boards of a reply stand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// A list of objects of one board each.
    #[default]
    List,
    /// One object of all boards.
    Object,
}

/// Where values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Nobody was asked.
    Simulated,
    /// Somebody was asked, be it a simulator.
    Measured,
}

impl Source {
    /// The word in replies.
    pub fn word(self) -> &'static str {
        match self {
            Self::Simulated => SIMULATED,
            Self::Measured => MEASURED,
        }
    }
}

/// How the order is named in an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OrderName {
    /// The highest mean first.
    #[default]
    Descending,
    /// The best mean first.
    Best,
}

/// The part of an address behind its `?`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// Which model is listed first: that of the highest mean, or the best.
    #[param(inline)]
    order: OrderName,
    /// What is said of each model.
    #[param(inline)]
    stats: Stats,
    /// A list of boards, or one object of them.
    #[param(inline)]
    shape: Shape,
    /// Simulated or measured values; measured ones, where there are any, unless it is said.
    #[param(inline)]
    source: Option<Source>,
    /// What the models were asked, of the workloads that `/api/v1/benchmarks/workloads` lists.
    workload: Option<String>,
    /// What answered: `simulated`, `replayed` or `live`.
    mode: Option<String>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// One metric, or all.
    pub metric: Option<RankedMetric>,
    /// The order of each board.
    pub order: Order,
    /// What is said of each model.
    pub stats: Stats,
    /// How boards stand together.
    pub shape: Shape,
    /// Where values come from.
    pub source: Option<Source>,
    /// What the models were asked.
    pub workload: Option<String>,
    /// What answered.
    pub mode: Option<String>,
}

impl Query {
    /// The query of an address.
    pub fn new(metric: Option<RankedMetric>, params: Params) -> Self {
        let Params { order, stats, shape, source, workload, mode } = params;
        let order = match order {
            OrderName::Descending => Order::Descending,
            OrderName::Best => Order::Best,
        };
        Self { metric, order, stats, shape, source, workload, mode }
    }

    /// The same for all queries that have the same reply.
    pub(super) fn key(&self) -> String {
        let Self { metric, order, stats, shape, source, workload, mode } = self;
        let metric = metric.map_or("", RankedMetric::name);
        let source = source.map_or("", Source::word);
        let (workload, mode) = (workload.as_deref().unwrap_or_default(), mode.as_deref().unwrap_or_default());
        format!("{metric}/{order:?}/{stats:?}/{shape:?}/{source}/{mode:?}/{workload}")
    }
}
