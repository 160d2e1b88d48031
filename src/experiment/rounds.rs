//! Rounds: every arm once, in an order drawn afresh.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::seq::SliceRandom;

use super::Observation;
use super::draw::Draw;
use super::group::{CacheState, Group};
use super::summary::GroupSummary;
use crate::metric::Metric;
use crate::price::Usd;
use crate::seed::DrawId;
use crate::session::{AskError, Estimate, RequestRecord, Session, SessionEvent};

/// Prompt tokens that a server may read from its cache although the request began with a nonce: what its
/// chat template puts before it (24 tokens with llama.cpp and SmolLM2).
const TEMPLATE_TOKENS: u64 = 64;
/// Below this share of the prompt a cache read is called a miss.
const HIT_SHARE: f64 = 0.5;
/// How often a run is repeated whose answer lacks a metric that the arm showed before: a stream whose
/// pieces all came in one read has no time per token.
const REPEATS: u32 = 5;

/// Why an arm failed. Its earlier observations stand, in the journal and in [`Rounds`].
#[derive(Debug, Clone, thiserror::Error)]
pub enum RunError {
    /// A question got no answer.
    #[error("{arm}, round {round}: {source}")]
    Ask {
        /// The arm.
        arm: String,
        /// The round.
        round: u32,
        /// Why.
        source: AskError,
    },
    /// The arm did not do what it stands for.
    #[error("{arm}, round {round} is invalid: {reason}")]
    Invalid {
        /// The arm.
        arm: String,
        /// The round.
        round: u32,
        /// What was wrong.
        reason: String,
    },
    /// A workload's own error.
    #[error("{0}")]
    Workload(String),
}

impl From<AskError> for RunError {
    fn from(source: AskError) -> Self {
        Self::Ask { arm: String::new(), round: 0, source }
    }
}

/// One observation of each selected arm.
#[derive(Debug, Clone)]
pub struct Round {
    /// The round's number.
    pub number: u32,
    /// The arms' indices in the order they were asked.
    pub order: Vec<usize>,
    /// By arm; absent for arms that were not selected.
    pub observations: Vec<Option<Observation>>,
}

/// The rounds of one group on one session, collected as they are asked for.
#[derive(Debug)]
pub struct Rounds {
    session: Arc<Session>,
    group: Arc<Group>,
    selected: Vec<usize>,
    planned: Option<u32>,
    rounds: Vec<Round>,
    lost: Vec<RequestRecord>,
}

impl Rounds {
    /// Rounds of `group`'s arms at the indices `selected`, of which none was asked yet.
    pub fn new(session: Arc<Session>, group: Arc<Group>, selected: Vec<usize>) -> Self {
        Self { session, group, selected, planned: None, rounds: Vec::new(), lost: Vec::new() }
    }

    /// Says how many rounds there will be, for those who watch.
    #[must_use]
    pub fn planned(self, rounds: u32) -> Self {
        Self { planned: Some(rounds), ..self }
    }

    /// The group.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// The session.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// The indices of the arms that are asked.
    pub fn selected(&self) -> &[usize] {
        &self.selected
    }

    /// The rounds so far.
    pub fn so_far(&self) -> &[Round] {
        &self.rounds
    }

    /// Exchanges of a round that an arm's failure left unfinished.
    pub fn lost(&self) -> &[RequestRecord] {
        &self.lost
    }

    /// The round of that number, collecting what is missing up to it.
    ///
    /// # Errors
    /// When an arm fails for good; the rounds before stand.
    pub async fn get(&mut self, number: u32) -> Result<&Round, RunError> {
        while self.rounds.len() <= number as usize {
            self.next().await?;
        }
        Ok(&self.rounds[number as usize])
    }

    /// Asks every selected arm once more.
    ///
    /// # Errors
    /// When an arm fails for good; the rounds before stand.
    pub async fn next(&mut self) -> Result<&Round, RunError> {
        let number = self.rounds.len() as u32;
        self.session.publish(&SessionEvent::Round {
            group: &self.group.name,
            round: number,
            planned: self.planned,
        });
        let order = self.order(number);
        let (session, group) = (Arc::clone(&self.session), Arc::clone(&self.group));
        let _measuring = session.measuring();
        let mut observations = vec![None; self.group.arms.len()];
        for (position, &arm) in order.iter().enumerate() {
            let turn = group.arms[arm].turn(&group.name, number, position as u32);
            session.publish(&SessionEvent::Turn(turn));
            let observed = Box::pin(self.observe(arm, number, position as u32)).await;
            let error = observed.as_ref().err().map(ToString::to_string);
            session.publish(&SessionEvent::TurnDone { turn, error: error.as_deref() });
            match observed {
                Ok(observation) => observations[arm] = Some(observation),
                Err(error) => {
                    let finished = observations.into_iter().flatten();
                    self.lost.extend(finished.flat_map(|observation| observation.requests));
                    return Err(error);
                }
            }
        }
        self.rounds.push(Round { number, order, observations });
        if self.planned == Some(number + 1) {
            self.session.publish(&SessionEvent::GroupDone);
        }
        Ok(&self.rounds[number as usize])
    }

    /// The order of a round: random, and the same for the same seed.
    fn order(&self, round: u32) -> Vec<usize> {
        let draw = DrawId { scenario: self.group.name.clone(), stream: String::new(), round, step: 0 };
        let mut order = self.selected.clone();
        order.shuffle(&mut self.session.seed().rng(&draw, "order"));
        order
    }

    /// One run of an arm's workload that counts. It is repeated, with new text where the arm asks for new
    /// text, if a metric is missing or if a prompt that must be new broke off half-way; what was seen first
    /// is kept, so that no value is chosen by whether another one came.
    async fn observe(&mut self, arm: usize, round: u32, order: u32) -> Result<Observation, RunError> {
        let required = self.required(arm);
        let mut kept: Option<Observation> = None;
        let mut requests = Vec::new();
        let mut outcome = Ok(());
        for repeat in 1..=REPEATS {
            let (observed, records) = self.run(arm, round, order, repeat).await;
            requests.extend(records);
            outcome = match observed {
                Ok(observation) => {
                    self.keep(&mut kept, observation);
                    let seen = kept.as_ref().map(|kept| &kept.values);
                    match required.iter().find(|metric| !seen.is_some_and(|seen| seen.contains_key(metric))) {
                        None => Ok(()),
                        Some(metric) => {
                            Err(self.invalid(arm, round, format!("no {metric} in {repeat} answers")))
                        }
                    }
                }
                Err(error) if self.broke_off(arm, &error) => Err(error),
                Err(error) => {
                    self.lost.extend(requests);
                    return Err(error);
                }
            };
            match &outcome {
                Ok(()) => break,
                Err(error) if repeat < REPEATS => self.session.notice(&format!("{error}; asked again")),
                Err(_) => {}
            }
        }
        match (outcome, kept) {
            (Ok(()), Some(mut observation)) => {
                observation.cost = requests.iter().map(|record| record.cost_usd).sum::<Option<Usd>>();
                observation.requests = requests;
                Ok(observation)
            }
            (outcome, _) => {
                self.lost.extend(requests);
                Err(outcome.err().unwrap_or_else(|| self.invalid(arm, round, "no answer".into())))
            }
        }
    }

    /// Adds to what was seen first the metrics that it lacks.
    fn keep(&self, kept: &mut Option<Observation>, observation: Observation) {
        match kept {
            None => *kept = Some(observation),
            Some(kept) => {
                for (metric, value) in observation.values {
                    kept.values.entry(metric).or_insert(value);
                }
            }
        }
    }

    /// Whether a prompt that must find the cache cold broke off after the server had seen it.
    fn broke_off(&self, arm: usize, error: &RunError) -> bool {
        let RunError::Ask { source: AskError::Failed { failure, .. }, .. } = error else { return false };
        self.group.arms[arm].cache == CacheState::Cold && failure.class.was_seen()
    }

    async fn run(
        &self,
        arm: usize,
        round: u32,
        order: u32,
        repeat: u32,
    ) -> (Result<Observation, RunError>, Vec<RequestRecord>) {
        let spec = &self.group.arms[arm];
        let draw = Draw::new(&self.session, &self.group, spec, round, order, repeat);
        let observed = spec.workload.run(&draw).await;
        let records = draw.into_records();
        let observed = observed.map_err(|error| match error {
            RunError::Ask { source, .. } => RunError::Ask { arm: self.id(arm), round, source },
            other => other,
        });
        (observed.and_then(|observation| self.check(arm, round, observation)), records)
    }

    /// Refuses an observation that is not what its arm stands for.
    fn check(&self, arm: usize, round: u32, observation: Observation) -> Result<Observation, RunError> {
        let mut observation = observation;
        // Criterion cannot take a zero: a gap between events of one read, say, is not known well enough.
        observation.values.retain(|_, value| value.is_finite() && *value > 0.0);
        let read = observation.usage.and_then(|usage| usage.cache_read).unwrap_or(0);
        if self.group.arms[arm].cache == CacheState::Cold && read > TEMPLATE_TOKENS {
            let reason = format!("it must find the cache cold, and the server read {read} tokens from it");
            return Err(self.invalid(arm, round, reason));
        }
        Ok(observation)
    }

    fn invalid(&self, arm: usize, round: u32, reason: String) -> RunError {
        RunError::Invalid { arm: self.id(arm), round, reason }
    }

    fn id(&self, arm: usize) -> String {
        format!("{}/{}", self.group.name, self.group.arms[arm].label())
    }

    /// The metrics of the group that `arm` showed in round 0; before it, none is required.
    fn required(&self, arm: usize) -> BTreeSet<Metric> {
        let first = self.rounds.first().and_then(|round| round.observations[arm].as_ref());
        let spec = &self.group.arms[arm];
        let shown = first.into_iter().flat_map(|observation| observation.values.keys());
        shown.filter(|metric| self.group.has(spec, metric)).cloned().collect()
    }

    /// Whether an observation of a warm arm missed the cache.
    pub(super) fn missed(&self, arm: usize, observation: &Observation) -> Option<bool> {
        let share = observation.usage?.cache_hit_share()?;
        (self.group.arms[arm].cache == CacheState::Warm).then_some(share < HIT_SHARE)
    }
}

/// Compares `group`'s arms over `samples` rounds and one to warm up: the plainest driver there is. Arms that
/// the target cannot run are left out.
///
/// # Errors
/// When an arm fails for good.
///
/// ```
/// # use std::sync::Arc;
/// use llmlab::experiment::compare;
/// use llmlab::optimization::streaming;
/// use llmlab::session::Session;
/// use llmlab::settings::Settings;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let session = Arc::new(Session::start(Settings::simulated()).await?);
/// let summary = compare(&session, streaming::of("Explain quantum computing", &[50]), 10).await?;
/// let perceived = summary.arms[1].metrics["perceived"].versus_control.expect("`on` has a control");
/// assert!(perceived.ratio.high < 1.0, "streaming shows something sooner");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn compare(session: &Arc<Session>, group: Group, samples: u32) -> Result<GroupSummary, RunError> {
    let dialect = session.dialect(group.dialect);
    let able = group.arms.iter().enumerate().filter(|(_, arm)| arm.obstacle(session, dialect).is_none());
    let selected = able.map(|(index, _)| index).collect();
    let mut rounds = Rounds::new(Arc::clone(session), Arc::new(group), selected).planned(samples + 1);
    rounds.get(samples).await?;
    Ok(rounds.summary())
}

/// What `rounds` rounds of `group`'s arms at the indices `selected` are expected to send and cost.
pub fn plan(session: &Session, group: &Group, selected: &[usize], rounds: u32) -> Estimate {
    let pricing = session.pricing(session.dialect(group.dialect));
    let demands =
        (0..rounds).flat_map(|round| selected.iter().map(move |&arm| group.arms[arm].workload.demand(round)));
    Estimate::of(demands, pricing.as_ref())
}
