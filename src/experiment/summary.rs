//! Rounds in numbers: each arm, and each arm against its control.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::group::Known;
use super::rounds::{Round, Rounds};
use super::{Guard, Observation, TallySummary};
use super::{fitted, tally};
use crate::metric::{Metric, Unit};
use crate::price::Usd;
use crate::session::Outcome;
use crate::stats::{Paired, Summary, Trimmed};
use crate::timeline::TokenSource;
use crate::wire::Dialect;

/// The version of [`GroupSummary`]'s format; its schema is `fixtures/schemas/summary.v1.json`.
pub const SUMMARY_SCHEMA_VERSION: u32 = 1;

/// A prediction agrees within this share of itself...
const AGREES_WITHIN: f64 = 0.10;
/// ... or within this many nanoseconds, whichever is more.
const AGREES_WITHIN_NS: f64 = 1e6;

/// A group's rounds in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupSummary {
    /// The group.
    pub name: String,
    /// The question it answers.
    pub question: String,
    /// The dialect it was asked in.
    pub dialect: Dialect,
    /// The model that was asked.
    pub model: String,
    /// What the sweep varies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x_label: Option<String>,
    /// The arm that the others are compared with.
    pub control: String,
    /// The primary metric's name.
    pub primary: String,
    /// Rounds that are samples: all but the first, which warms up.
    pub rounds: usize,
    /// Exchanges, retries included.
    pub requests: u64,
    /// Of those, retries.
    pub retries: u64,
    /// Of those, failures, by class.
    pub failures: BTreeMap<String, u64>,
    /// Answers whose output tokens the server did not count: content events were counted instead, and a
    /// chunk may hold several tokens.
    pub tokens_from_events: u64,
    /// The arms.
    pub arms: Vec<ArmSummary>,
    /// What else theory says, and what the figures themselves do.
    pub remarks: Vec<String>,
    /// The reduction of the primary metric that is claimed "up to".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed: Option<f64>,
    /// What an arm may do wrong at most before it is called unsafe.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub guards: Vec<Guard>,
}

/// An arm's rounds in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmSummary {
    /// The arm.
    pub name: String,
    /// Its position on the sweep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<f64>,
    /// By metric.
    pub metrics: BTreeMap<String, MetricSummary>,
    /// The prompt cache; absent when the server says nothing of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheSummary>,
    /// What was counted beside the times, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub tallies: BTreeMap<String, TallySummary>,
    /// Dollars; absent when a price or a count is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostSummary>,
}

/// One metric of one arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricSummary {
    /// The unit of every value here.
    pub unit: Unit,
    /// The sample.
    #[serde(flatten)]
    pub summary: Summary,
    /// Against the control at the same x, paired by round; absent for the control itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versus_control: Option<Paired>,
    /// What was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicted: Option<PredictedSaving>,
}

/// A prediction beside what was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictedSaving {
    /// The saving that was predicted, in the metric's unit.
    pub saving: f64,
    /// The formula's constants and where they come from.
    pub source: String,
    /// Where the engine's speed was fitted to half of the rounds: how far the prediction is off in the other half,
    /// as a share of the saving measured there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<f64>,
    /// Whether the measured saving, the 10%-trimmed mean of all rounds', lies within 10% of it or 1 ms, whichever
    /// is more.
    pub agrees: bool,
}

/// What the prompt cache did for an arm, over the requests that were observed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CacheSummary {
    /// Tokens read from the cache over all prompt tokens.
    pub hit_share: f64,
    /// Prompt tokens of one request, on average.
    pub prompt_tokens: f64,
    /// Tokens read from the cache by one request, on average.
    pub read_tokens: f64,
    /// Tokens written to the cache by one request, on average.
    pub written_tokens: f64,
    /// Observations that should have been served from the cache and were not.
    pub missed: usize,
}

/// What an arm cost, all its exchanges together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CostSummary {
    /// One run of the arm, on average over the samples.
    pub per_run: Usd,
    /// All rounds, the warm-up included.
    pub total: Usd,
    /// `total` over the control's at the same x; absent for the control.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versus_control: Option<f64>,
}

impl Rounds {
    /// The rounds so far in numbers.
    pub fn summary(&self) -> GroupSummary {
        let group = self.group();
        let samples = self.so_far().get(1..).unwrap_or_default();
        let seen = || observations(self.so_far()).flat_map(|observation| &observation.requests);
        let records = || seen().chain(self.lost());
        let dialect = self.session().dialect(group.dialect);
        let known = self.known();
        let (even, odd) = fitted::halves(samples);
        let fitted = known.engine.is_none().then(|| fitted::engine(&even)).flatten();
        let capacity = fitted.as_ref().and_then(|_| fitted::capacity(&even));
        // A real engine's speed is known from one half of the rounds, and predicts the other.
        let theory = match &fitted {
            Some(engine) => Theory {
                known: Known { engine: Some((engine, 1.0)), capacity, ..known },
                rounds: odd,
                fitted: true,
            },
            None => Theory { known, rounds: samples.iter().collect(), fitted: false },
        };
        let mut summary = GroupSummary {
            name: group.name.clone(),
            question: group.question.clone(),
            dialect,
            model: self.session().asked_model(dialect).to_owned(),
            x_label: group.x_label.clone(),
            control: group.control.clone(),
            primary: group.primary().map(|metric| metric.name().to_owned()).unwrap_or_default(),
            rounds: samples.len(),
            requests: records().count() as u64,
            retries: records().filter(|record| record.attempt > 1 || record.repeat > 1).count() as u64,
            failures: failures(records().map(|record| &record.outcome)),
            tokens_from_events: seen()
                .filter(|record| record.token_source == Some(TokenSource::Events))
                .count() as u64,
            remarks: group.remarks.as_ref().map(|remarks| remarks(&known)).unwrap_or_default(),
            claimed: group.claimed,
            guards: group.guards.clone(),
            arms: self.selected().iter().filter_map(|&arm| self.arm_summary(arm, samples, &theory)).collect(),
        };
        let concluded = group.conclude.as_ref().map(|conclude| conclude(&known, &summary));
        summary.remarks.extend(concluded.into_iter().flatten());
        summary
    }

    fn arm_summary(&self, index: usize, samples: &[Round], theory: &Theory<'_>) -> Option<ArmSummary> {
        let group = self.group();
        let arm = &group.arms[index];
        let control = group.control_of(arm).filter(|control| self.selected().contains(control));
        let seen = samples.first()?.observations[index].as_ref()?;
        let metrics = seen.values.keys().filter_map(|metric| {
            Some((metric.name().to_owned(), self.metric_summary(metric, (index, control), samples, theory)?))
        });
        Some(ArmSummary {
            name: arm.name.clone(),
            x: arm.x,
            metrics: metrics.collect(),
            cache: self.cache_summary(index, samples),
            tallies: tally::summarize(samples.iter().filter_map(|round| round.observations[index].as_ref())),
            cost: self.cost_summary(index, control, samples),
        })
    }

    fn metric_summary(
        &self,
        metric: &Metric,
        (index, control): (usize, Option<usize>),
        samples: &[Round],
        theory: &Theory<'_>,
    ) -> Option<MetricSummary> {
        let summary = Summary::of(&values(samples, index, metric))?;
        let versus_control = control.and_then(|control| paired(samples, control, index, metric));
        let saving = control.and_then(|control| saving(&theory.rounds, control, index, metric));
        let predicted = saving.and_then(|saving| self.predicted(metric, index, saving, theory));
        Some(MetricSummary { unit: metric.unit(), summary, versus_control, predicted })
    }

    fn known(&self) -> Known<'_> {
        let session = self.session();
        let dialect = session.dialect(self.group().dialect);
        Known {
            engine: session.engine(),
            capacity: None,
            small: session.small_engine(),
            scale: session.scale(),
            model: session.model(dialect),
            dialect,
        }
    }

    fn predicted(
        &self,
        metric: &Metric,
        arm: usize,
        measured: f64,
        theory: &Theory<'_>,
    ) -> Option<PredictedSaving> {
        let prediction = self.group().predict.as_ref()?(&theory.known, &self.group().arms[arm], metric)?;
        let allowed = (prediction.saving.abs() * AGREES_WITHIN).max(AGREES_WITHIN_NS);
        let error = (prediction.saving - measured) / measured;
        Some(PredictedSaving {
            error: theory.fitted.then_some(error).filter(|error| error.is_finite()),
            saving: prediction.saving,
            source: prediction.source.into_owned(),
            agrees: (prediction.saving - measured).abs() <= allowed,
        })
    }

    fn cache_summary(&self, arm: usize, samples: &[Round]) -> Option<CacheSummary> {
        let seen: Vec<_> = samples.iter().filter_map(|round| round.observations[arm].as_ref()).collect();
        let usages: Vec<_> = seen.iter().filter_map(|observation| observation.usage).collect();
        let n = usages.len() as f64;
        let sum = |count: fn(&crate::wire::Usage) -> Option<u64>| {
            usages.iter().map(count).sum::<Option<u64>>().map(|sum| sum as f64)
        };
        let (input, read) = (sum(|usage| usage.input)?, sum(|usage| usage.cache_read)?);
        (input > 0.0).then(|| CacheSummary {
            hit_share: read / input,
            prompt_tokens: input / n,
            read_tokens: read / n,
            written_tokens: sum(|usage| Some(usage.cache_write.unwrap_or(0))).unwrap_or(0.0) / n,
            missed: seen.iter().filter(|observation| self.missed(arm, observation) == Some(true)).count(),
        })
    }

    fn cost_summary(&self, arm: usize, control: Option<usize>, samples: &[Round]) -> Option<CostSummary> {
        let total = cost(self.so_far(), arm)?;
        let per_run = cost(samples, arm)?.0 / samples.len() as f64;
        let versus_control =
            control.and_then(|control| cost(self.so_far(), control)).map(|control| total.0 / control.0);
        Some(CostSummary {
            per_run: Usd(per_run),
            total,
            versus_control: versus_control.filter(|r| r.is_finite()),
        })
    }
}

/// What predictions start from, and the rounds that they are held to.
struct Theory<'a> {
    known: Known<'a>,
    rounds: Vec<&'a Round>,
    fitted: bool,
}

fn observations(rounds: &[Round]) -> impl Iterator<Item = &Observation> {
    rounds.iter().flat_map(|round| round.observations.iter().flatten())
}

fn failures<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> BTreeMap<String, u64> {
    let mut failures = BTreeMap::new();
    for outcome in outcomes {
        if let Outcome::Failed(class) = outcome {
            *failures.entry(class.name().to_owned()).or_insert(0) += 1;
        }
    }
    failures
}

fn cost(rounds: &[Round], arm: usize) -> Option<Usd> {
    rounds.iter().map(|round| round.observations[arm].as_ref()?.cost).sum()
}

fn values(rounds: &[Round], arm: usize, metric: &Metric) -> Vec<f64> {
    let value = |round: &Round| round.observations[arm].as_ref()?.values.get(metric).copied();
    rounds.iter().filter_map(value).collect()
}

/// What the arm saves in a round, as the trimmed mean of all: one round in which the machine stood still says
/// nothing of a prediction.
fn saving(rounds: &[&Round], control: usize, arm: usize, metric: &Metric) -> Option<f64> {
    let (control, arm) = pairs(rounds.iter().copied(), control, arm, metric);
    let savings: Vec<f64> = control.iter().zip(arm).map(|(control, arm)| control - arm).collect();
    Trimmed::of(&savings).map(|trimmed| trimmed.mean)
}

fn paired(rounds: &[Round], control: usize, arm: usize, metric: &Metric) -> Option<Paired> {
    let (control, arm) = pairs(rounds.iter(), control, arm, metric);
    Paired::of(&control, &arm)
}

/// Control and arm in the rounds in which both have the metric.
fn pairs<'a>(
    rounds: impl Iterator<Item = &'a Round>,
    control: usize,
    arm: usize,
    metric: &Metric,
) -> (Vec<f64>, Vec<f64>) {
    let value = |round: &Round, arm: usize| round.observations[arm].as_ref()?.values.get(metric).copied();
    let pairs = rounds.filter_map(|round| Some((value(round, control)?, value(round, arm)?)));
    pairs.unzip()
}
