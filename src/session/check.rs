//! Does a target answer, and has it the model?

use std::time::{Duration, Instant};

use http::HeaderMap;
use serde::Serialize;

use super::replay;
use super::simulated::start_mock;
use crate::catalog;
use crate::client::control::{Control, Listing};
use crate::client::{Client, Target, Timeouts};
use crate::price::Usd;
use crate::provenance::Truth;
use crate::settings::{Environment, KnownTarget, LiveSettings, Pricing, Settings, TargetKind};
use crate::wire::{Ask, Dialect};

/// How long a target may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a model may take to say one word.
const TIMEOUTS: Timeouts = Timeouts {
    connect: PATIENCE,
    first_byte: Duration::from_secs(60),
    silence: Duration::from_secs(30),
    total: Duration::from_secs(90),
};

/// What came of looking at a target.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Check {
    /// Whether it can be used, as far as it was looked at.
    pub ok: bool,
    /// What answers: `live`, or `simulated` behind a live target's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<&'static str>,
    /// How long it took to list its models, or to say that it is well, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached_ms: Option<f64>,
    /// The models that it lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<usize>,
    /// What its one-token answer took and cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// What is wrong, or odd.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// An answer of one token.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Asked {
    /// How long it took, connecting included, in milliseconds.
    pub answered_ms: f64,
    /// What it cost in dollars; absent where no price is known, and where nothing was bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

impl Check {
    /// Why a target is not looked at.
    pub fn failed(remark: impl ToString) -> Self {
        Self { remark: Some(remark.to_string()), ..Self::default() }
    }

    /// Looks at a target by what is known of it, starting it first where a run would.
    pub async fn of_known(target: &KnownTarget, environment: &Environment, ask: bool) -> Self {
        match target.live(environment) {
            Ok(Some(live)) => Self::of(&live, ask).await,
            Ok(None) => match target.settings() {
                Ok(settings) => Self::of_settings(&settings, ask).await,
                Err(error) => Self::failed(error),
            },
            Err(error) => Self::failed(error),
        }
    }

    /// Looks at a live target, and has its model say one token if it is to `ask`.
    pub async fn of(live: &LiveSettings, ask: bool) -> Self {
        let control = match Control::new(&live.target) {
            Ok(control) => control,
            Err(error) => return Self::failed(error),
        };
        match control.list(PATIENCE).await {
            Ok(listing) => Self::of_listing(live, &listing).asking(&live.target, live.prices, ask).await,
            Err(error) => Self::failed(error),
        }
    }

    /// Starts what `settings` ask, looks at it, and stops it again if it runs in this process. Recordings are not asked:
    /// they answer what was recorded.
    pub async fn of_settings(settings: &Settings, ask: bool) -> Self {
        let (started, ask) = match &settings.target {
            TargetKind::Live(live) => return Self::of(live, ask).await,
            TargetKind::Mock(mock) => (start_mock(mock, settings.seed), ask),
            TargetKind::Cassette(replayed) => (replay::start(replayed), false),
        };
        match started {
            Err(error) => Self::failed(error),
            Ok((_, _mock, targets)) => {
                Self::of(&LiveSettings { target: targets[0].clone(), prices: None }, ask).await
            }
        }
    }

    fn of_listing(live: &LiveSettings, listing: &Listing) -> Self {
        let mode =
            listing.mock.as_ref().map_or(Truth::Live.word(), |mock| Truth::of_mock_header(mock).word());
        let found = Self {
            ok: true,
            mode: Some(mode),
            reached_ms: Some(milliseconds(listing.took)),
            models: listing.models.as_ref().map(Vec::len),
            ..Self::default()
        };
        let model = live.target.model();
        let is_it = |listed: &String| listed == model || is_same(listed, model);
        match listing.models.as_deref() {
            // A server of one model answers to any name, as a rule; whether this one does, its answer says.
            Some([only]) if !is_it(only) => {
                let remark = format!("it lists `{only}` alone, and `{model}` is asked for");
                Self { remark: Some(remark), ..found }
            }
            Some(models) if live.target.dialect() != Dialect::Generate && !models.iter().any(is_it) => {
                Self { ok: false, remark: Some(missing(model, models)), ..found }
            }
            _ => found,
        }
    }

    async fn asking(self, target: &Target, prices: Option<Pricing>, ask: bool) -> Self {
        if !ask || !self.ok {
            return self;
        }
        let question = Ask { stream: target.dialect() != Dialect::Generate, ..Ask::question("Hi", 1) };
        let client = Client::new(target.clone(), TIMEOUTS);
        let exchange = client.send(&question, Instant::now(), &HeaderMap::new()).await;
        match exchange.outcome {
            Ok(answer) => {
                let prices = prices.filter(|_| self.mode == Some(Truth::Live.word()));
                let cost = prices.and_then(|prices| prices.cost(&answer.reply.usage));
                let answered_ms = milliseconds(exchange.ended - exchange.intended);
                Self {
                    asked: Some(Asked { answered_ms, cost_usd: cost.map(|Usd(dollars)| dollars) }),
                    ..self
                }
            }
            Err(failure) => Self { ok: false, remark: Some(failure.to_string()), ..self },
        }
    }
}

/// Whether a listed name is another one of the same model, such as its dated snapshot.
fn is_same(listed: &str, model: &str) -> bool {
    let id = |name| catalog::model(name).map(|known| &known.id);
    id(listed).is_some_and(|known| Some(known) == id(model))
}

fn missing(model: &str, models: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = models.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    let more =
        if models.len() > SHOWN { format!(" and {} more", models.len() - SHOWN) } else { String::new() };
    let listed = if models.is_empty() { "no model".into() } else { format!("{shown}{more}") };
    format!("the model `{model}` is not there (LLMLAB_MODEL names another): it lists {listed}")
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
