//! Several models side by side, asked in turns.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use rand::seq::SliceRandom;
use serde::Serialize;

use super::asking::{Asking, place};
use super::{Counted, Measurement, Providers, Statistics, errors, lock, percent};
use crate::seed::DrawId;
use crate::session::{AskError, Estimate, Session, SessionEvent};
use crate::stats::{self, Interval, Percentiles};

/// The profile's name in records.
const NAME: &str = "compare";
/// The success, in percent, below which a model wins nothing.
pub const ENOUGH_SUCCESS: f64 = 90.0;

/// What to ask of which models, and how often.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparisonPlan {
    /// The question.
    #[serde(flatten)]
    pub asking: Asking,
    /// The models.
    pub models: Vec<String>,
    /// Requests to each that are measured.
    pub iterations: u32,
    /// Requests to each before, which are not.
    pub warmup: u32,
    /// Whether one model is asked after the other, instead of all in every round.
    pub sequential: bool,
    /// How percentiles are read.
    pub percentiles: Percentiles,
}

impl ComparisonPlan {
    /// What it sends and costs at most.
    pub fn estimate(&self, session: &Session) -> Estimate {
        self.asking.estimate(session, &self.models, u64::from(self.iterations) + u64::from(self.warmup))
    }
}

/// A comparison and what it has measured so far.
#[derive(Debug)]
pub struct Comparison {
    plan: ComparisonPlan,
    providers: Vec<String>,
    /// By model; a request's number is its round.
    measured: Mutex<Vec<Vec<Measurement>>>,
}

/// One request to one model.
struct Turn {
    /// The round, from 1; 0 warms up.
    round: u32,
    /// Which of the warm-ups it is.
    step: u32,
    /// The model's index.
    model: usize,
}

/// One model. The names of the first ten fields and of `errors` are those of older profilers' exports.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Compared {
    /// Which engine or vendor serves it.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Requests measured.
    pub iterations: usize,
    /// Those that succeeded.
    pub successful: usize,
    /// Those that failed.
    pub failed: usize,
    /// The mean of the total latency; null, like the others, without a success.
    pub mean_latency_ms: Option<f64>,
    /// Its median.
    pub median_latency_ms: Option<f64>,
    /// Its 95th percentile.
    pub p95_latency_ms: Option<f64>,
    /// Its smallest value.
    pub min_latency_ms: Option<f64>,
    /// Its largest value.
    pub max_latency_ms: Option<f64>,
    /// The mean of the output tokens a second over the whole latency.
    pub mean_tokens_per_second: Option<f64>,
    /// The mean of the output tokens a second after the first.
    pub mean_decode_tps: Option<f64>,
    /// The output tokens of all answers.
    pub total_tokens: u64,
    /// What failed, in words, once for each request.
    pub errors: Vec<String>,
    /// Percent that succeeded.
    pub success_rate: f64,
    /// The median of the time to first token.
    pub ttft_p50_ms: Option<f64>,
    /// The distance between the quartiles of the total latency.
    pub iqr_ms: Option<f64>,
    /// The coefficient of variation of the total latency.
    pub cv: Option<f64>,
    /// How many times the latency of the fastest model it takes, paired by round, with the 95% interval; null for the
    /// fastest itself, and where nothing can be paired.
    pub versus_fastest: Option<Interval>,
    /// Every request, in the order of the rounds.
    pub measurements: Vec<Measurement>,
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparisonFound {
    /// What was asked.
    pub plan: ComparisonPlan,
    /// The models, the lowest median first, and those without a success last.
    pub results: Vec<Compared>,
    /// Who won, and by how much.
    pub summary: ComparisonSummary,
}

/// Who won, among the models that answered often enough.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ComparisonSummary {
    /// The model with the lowest median; absent, like the others, when no model answered often enough.
    pub fastest: Option<String>,
    /// The one with the highest.
    pub slowest: Option<String>,
    /// The one with the most output tokens a second.
    pub fastest_generation: Option<String>,
    /// The median of the slowest by that of the fastest.
    pub speedup: Option<f64>,
    /// Models that answered too rarely to win.
    pub not_ranked: Vec<String>,
    /// The mean of the medians of each provider's models, in milliseconds.
    pub provider_mean_of_medians_ms: BTreeMap<String, f64>,
}

impl Comparison {
    /// A comparison that has asked nothing yet.
    pub fn new(plan: ComparisonPlan, providers: &Providers) -> Self {
        let measured = Mutex::new(vec![Vec::new(); plan.models.len()]);
        let providers = plan.models.iter().map(|model| providers.of(model).to_owned()).collect();
        Self { plan, providers, measured }
    }

    /// Asks as the plan says. The rounds are told to the session's observers.
    ///
    /// # Errors
    /// When no further request may be sent: the budget is spent, say.
    pub async fn measure(&self, session: &Session) -> Result<(), AskError> {
        let (group, planned) = ("profile/compare", Some(self.plan.warmup + self.plan.iterations));
        let models = self.plan.models.len() as u32;
        for (number, turn) in (0..).zip(self.turns(session)) {
            session.publish(&SessionEvent::Round { group, round: number / models, planned });
            self.one(session, &turn).await?;
        }
        session.publish(&SessionEvent::GroupDone);
        Ok(())
    }

    /// All requests in their order.
    fn turns(&self, session: &Session) -> Vec<Turn> {
        let models = 0..self.plan.models.len();
        let warm_ups = (0..self.plan.warmup).map(|step| (0, step));
        let rounds = warm_ups.chain((1..=self.plan.iterations).map(|round| (round, 0)));
        let turn = |(round, step), model| Turn { round, step, model };
        if self.plan.sequential {
            return models.flat_map(|model| rounds.clone().map(move |round| turn(round, model))).collect();
        }
        let shuffled = |(round, step)| {
            let draw = DrawId { scenario: format!("profile.{NAME}"), stream: String::new(), round, step };
            let mut order: Vec<usize> = models.clone().collect();
            order.shuffle(&mut session.seed().rng(&draw, "order"));
            order.into_iter().map(move |model| turn((round, step), model))
        };
        rounds.flat_map(shuffled).collect()
    }

    async fn one(&self, session: &Session, turn: &Turn) -> Result<(), AskError> {
        let (asking, model) = (&self.plan.asking, &self.plan.models[turn.model]);
        let place = place(NAME, model, turn.round, turn.step);
        let exchange = asking.exchange(session, model, asking.max_tokens, place, Instant::now()).await?;
        if turn.round > 0 {
            let provider = &self.providers[turn.model];
            let measurement = Measurement::of(&exchange, turn.round, model, provider, asking.max_tokens);
            lock(&self.measured)[turn.model].push(measurement);
        }
        Ok(())
    }

    /// What was found so far.
    pub fn found(&self) -> ComparisonFound {
        let measured = lock(&self.measured);
        let mut results: Vec<_> =
            measured.iter().enumerate().map(|(index, own)| self.compared(index, own)).collect();
        let lowest = |result: &Compared| result.median_latency_ms.unwrap_or(f64::INFINITY);
        results.sort_by(|a, b| lowest(a).total_cmp(&lowest(b)));
        let summary = ComparisonSummary::of(&results);
        let mut found = ComparisonFound { plan: self.plan.clone(), results, summary };
        if !self.plan.sequential {
            found.pair();
        }
        found
    }

    fn compared(&self, index: usize, measurements: &[Measurement]) -> Compared {
        let answers = || measurements.iter().filter(|measurement| measurement.success);
        let of = |value: &dyn Fn(&Measurement) -> Option<f64>| {
            Statistics::of(answers().filter_map(value), self.plan.percentiles)
        };
        let (iterations, successful) = (measurements.len(), answers().count());
        let total = of(&|m| m.total_ms);
        let total = total.as_ref();
        Compared {
            provider: self.providers[index].clone(),
            model: self.plan.models[index].clone(),
            iterations,
            successful,
            failed: iterations - successful,
            mean_latency_ms: total.map(|total| total.mean),
            median_latency_ms: total.map(|total| total.median),
            p95_latency_ms: total.map(|total| total.p95),
            min_latency_ms: total.map(|total| total.min),
            max_latency_ms: total.map(|total| total.max),
            mean_tokens_per_second: of(&|m| m.tokens_per_second).map(|speed| speed.mean),
            mean_decode_tps: of(&|m| m.decode_tps).map(|speed| speed.mean),
            total_tokens: answers().filter_map(|m| m.tokens_generated).sum(),
            errors: measurements.iter().filter_map(|m| m.error.clone()).collect(),
            success_rate: percent(successful, iterations),
            ttft_p50_ms: of(&|m| m.ttft_ms).map(|ttft| ttft.median),
            iqr_ms: total.map(|total| total.iqr),
            cv: total.and_then(|total| total.cv),
            versus_fastest: None,
            measurements: measurements.to_vec(),
        }
    }
}

impl ComparisonSummary {
    fn of(results: &[Compared]) -> Self {
        let (ranked, not_ranked): (Vec<_>, Vec<_>) =
            results.iter().partition(|result| result.success_rate >= ENOUGH_SUCCESS);
        let name = |result: &&Compared| result.model.clone();
        let median = |result: Option<&&Compared>| result.and_then(|result| result.median_latency_ms);
        let (fastest, slowest) = (ranked.first(), ranked.last());
        let speed = |result: &&&Compared| result.mean_tokens_per_second;
        let generating = ranked.iter().filter(|result| speed(result).is_some());
        Self {
            fastest: fastest.map(name),
            slowest: slowest.map(name),
            fastest_generation: generating
                .max_by(|a, b| speed(a).unwrap_or_default().total_cmp(&speed(b).unwrap_or_default()))
                .map(name),
            speedup: median(slowest).zip(median(fastest)).map(|(slowest, fastest)| slowest / fastest),
            not_ranked: not_ranked.iter().map(name).collect(),
            provider_mean_of_medians_ms: means(results),
        }
    }
}

/// The mean of the medians of each provider's models.
fn means(results: &[Compared]) -> BTreeMap<String, f64> {
    let mut medians: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (result, median) in results.iter().filter_map(|result| Some((result, result.median_latency_ms?))) {
        medians.entry(result.provider.clone()).or_default().push(median);
    }
    let mean = |(provider, medians): (String, Vec<f64>)| {
        let mean = medians.iter().sum::<f64>() / medians.len() as f64;
        (provider, mean)
    };
    medians.into_iter().map(mean).collect()
}

impl ComparisonFound {
    /// How many requests it rests on, and how many failed.
    pub fn counted(&self) -> Counted {
        Counted::of(self.results.iter().flat_map(|result| &result.measurements))
    }

    /// The result of a model.
    pub fn result(&self, model: &str) -> Option<&Compared> {
        self.results.iter().find(|result| result.model == model)
    }

    /// How often each error came.
    pub fn errors(&self) -> Vec<(String, usize)> {
        errors(self.results.iter().flat_map(|result| &result.measurements))
    }

    /// Holds each model against the fastest, over the rounds in which both answered.
    fn pair(&mut self) {
        let Some(fastest) = self.summary.fastest.as_deref().and_then(|fastest| self.result(fastest)) else {
            return;
        };
        let (fastest, control) = (fastest.model.clone(), fastest.totals());
        for result in self.results.iter_mut().filter(|result| result.model != fastest) {
            let pairs =
                result.totals().into_iter().filter_map(|(round, own)| Some((*control.get(&round)?, own)));
            let (control, own): (Vec<f64>, Vec<f64>) = pairs.unzip();
            result.versus_fastest = stats::ratio(&control, &own);
        }
    }
}

impl Compared {
    /// The total latency of each round that was answered.
    fn totals(&self) -> BTreeMap<u32, f64> {
        self.measurements.iter().filter_map(|one| Some((one.request_id, one.total_ms?))).collect()
    }
}
