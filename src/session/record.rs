//! One line for each exchange: the evidence under every figure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Session;
use crate::client::{Answer, ConnectionFacts, ErrorClass, Exchange, Road};
use crate::price::Usd;
use crate::seed::DrawId;
use crate::settings::Pricing;
use crate::timeline::{TokenCount, TokenSource};
use crate::wire::{Ask, Dialect, StopReason, Usage};

/// The version of [`RequestRecord`]'s format; its schema is `fixtures/schemas/record.v1.json`.
pub const RECORD_SCHEMA_VERSION: u32 = 1;

/// Where in a run an exchange stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Place {
    /// The group of arms.
    pub group: String,
    /// The arm.
    pub arm: String,
    /// The arm's position on the sweep.
    pub x: Option<f64>,
    /// Where in the round's random order the arm was asked, from 0.
    pub order: u32,
    /// Which repeat of the arm's turn this is, from 1.
    pub repeat: u32,
    /// Which of the things that the arm's turn does at once this belongs to; empty where it does one.
    pub branch: String,
    /// Whether the prompt must not be sent again once the server has seen it.
    pub once: bool,
    /// How long it was held back on purpose after it was meant to start: for a place among a limited number.
    pub held: Duration,
    /// The road that it takes.
    pub road: Road,
    /// The draw: round and step within the arm's turn.
    pub draw: DrawId,
}

/// How an exchange ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// With a complete answer.
    Ok,
    /// With a failure of this class; its times are no latencies.
    Failed(ErrorClass),
}

/// What was asked, and when, for those who watch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// In which dialect.
    pub dialect: Option<Dialect>,
    /// For which model.
    pub model: String,
    /// Whether the answer should be streamed.
    pub streamed: bool,
    /// The most tokens of the answer.
    pub max_tokens: Option<u32>,
    /// When the exchange was meant to start, in nanoseconds since the session's start.
    pub intended_ns: u64,
}

/// One exchange, as written to the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// The version of this format.
    pub schema_version: u32,
    /// The run.
    pub run_id: String,
    /// `simulated`, `replayed` or `live`.
    pub mode: String,
    /// The target's name.
    pub target: String,
    /// The model that answered, or that was asked for if none did.
    pub model: String,
    /// The group of arms.
    pub group: String,
    /// The arm.
    pub arm: String,
    /// The arm's position on the sweep.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub x: Option<f64>,
    /// The round; round 0 warms up and is no sample.
    pub round: u32,
    /// Where in the round's random order the arm was asked.
    pub order: u32,
    /// Which of the things that the arm's turn does at once it belongs to.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub branch: String,
    /// The request within the arm's turn, or within the branch.
    pub step: u32,
    /// 1, or more where the arm's turn was repeated because an answer lacked a metric or broke off.
    pub repeat: u32,
    /// 1 for the first try; a higher number marks a retry, an exchange with a send stamp of its own.
    pub attempt: u32,
    /// When the request was sent, in nanoseconds since the session's start.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sent_ns: Option<u64>,
    /// How long the exchange took in all, failed or not, in nanoseconds from its intended start.
    pub elapsed_ns: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// The HTTP status.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// The provider's id of the request.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_id: Option<String>,
    /// The connection that carried it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub connection: Option<ConnectionFacts>,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Every metric that is defined for the answer, by name, in the metric's unit (nanoseconds).
    pub values: BTreeMap<String, f64>,
    /// Tokens, as the server counted them.
    pub usage: Usage,
    /// Output tokens that the metrics count with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output_tokens: Option<u64>,
    /// Where that count comes from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token_source: Option<TokenSource>,
    /// Whether the answer came from the server's cache of answers; absent where it does not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cached: Option<bool>,
    /// What it cost; absent when a price or a count is unknown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cost_usd: Option<Usd>,
    /// Output tokens a second from the first content event to the last: `(tokens - 1) / (last - first)`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decode_tps: Option<f64>,
    /// Output tokens a second over the whole request latency, TTFT included.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub e2e_tps: Option<f64>,
    /// Why the model stopped.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stop: Option<StopReason>,
    /// Gaps between content events, in nanoseconds.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub gaps_ns: Vec<f64>,
    /// Content events that came in the same read as the one before: their gap is the network's, not 0.
    pub coalesced: u64,
    /// Gaps long enough to be called stalls.
    pub stalls: u64,
    /// Whether the model thought without showing it; TTFT then includes that time.
    pub reasoning_hidden: bool,
    /// How long the answer's last bytes waited until whoever asked went on, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_lag_ns: Option<u64>,
    /// What was asked. No file has it.
    #[serde(skip)]
    pub request: Request,
}

impl Request {
    pub(super) fn of(
        session: &Session,
        dialect: Dialect,
        model: &str,
        ask: &Ask,
        exchange: &Exchange,
    ) -> Self {
        Self {
            dialect: Some(dialect),
            model: model.into(),
            streamed: ask.stream,
            max_tokens: ask.max_tokens,
            intended_ns: session.since_start(exchange.intended),
        }
    }
}

impl RequestRecord {
    pub(super) fn of(
        session: &Session,
        model: &str,
        place: &Place,
        attempt: u32,
        exchange: &Exchange,
        pricing: Option<&Pricing>,
    ) -> Self {
        let mut record = Self::without_answer(session, model, place, attempt, exchange);
        match &exchange.outcome {
            Ok(answer) => record.fill(answer, pricing),
            Err(failure) => {
                record.outcome = Outcome::Failed(failure.class);
                // What the server refused or never saw costs nothing; what it began is billed somehow.
                record.cost_usd = (!failure.class.was_seen()).then_some(Usd(0.0));
                record.error = Some(failure.message.clone());
            }
        }
        record
    }

    fn without_answer(
        session: &Session,
        model: &str,
        place: &Place,
        attempt: u32,
        exchange: &Exchange,
    ) -> Self {
        let provenance = session.provenance();
        Self {
            schema_version: RECORD_SCHEMA_VERSION,
            run_id: provenance.run_id.clone(),
            mode: provenance.truth.word().into(),
            target: provenance.target.clone(),
            model: model.into(),
            group: place.group.clone(),
            arm: place.arm.clone(),
            x: place.x,
            round: place.draw.round,
            order: place.order,
            branch: place.branch.clone(),
            step: place.draw.step,
            repeat: place.repeat,
            attempt,
            sent_ns: exchange.sent.map(|sent| session.since_start(sent)),
            elapsed_ns: u64::try_from((exchange.ended - exchange.intended).as_nanos()).unwrap_or(u64::MAX),
            outcome: Outcome::Ok,
            error: None,
            status: exchange.status,
            request_id: exchange.request_id.clone(),
            connection: exchange.connection,
            request_bytes: exchange.request_bytes,
            values: BTreeMap::new(),
            usage: Usage::default(),
            output_tokens: None,
            token_source: None,
            cached: None,
            cost_usd: None,
            decode_tps: None,
            e2e_tps: None,
            stop: None,
            gaps_ns: Vec::new(),
            coalesced: 0,
            stalls: 0,
            reasoning_hidden: false,
            client_lag_ns: None,
            request: Request::default(),
        }
    }

    fn fill(&mut self, answer: &Answer, pricing: Option<&Pricing>) {
        let (timeline, reply) = (&answer.timeline, &answer.reply);
        let tokens = TokenCount::of(&reply.usage, timeline).or_guessed(timeline, &reply.text());
        self.values = timeline
            .values(&tokens)
            .into_iter()
            .map(|(metric, value)| (metric.name().into(), value))
            .collect();
        if !reply.model.is_empty() {
            self.model.clone_from(&reply.model);
        }
        self.usage = reply.usage;
        self.decode_tps = timeline.decode_tps(&tokens);
        self.e2e_tps = timeline.e2e_tps(&tokens);
        self.output_tokens = tokens.output;
        self.token_source = tokens.source;
        self.cached = reply.cached;
        self.cost_usd = pricing.and_then(|pricing| pricing.cost(&reply.usage));
        self.stop.clone_from(&reply.stop);
        self.gaps_ns = timeline.gaps();
        self.coalesced = timeline.coalesced() as u64;
        self.stalls = timeline.stalls() as u64;
        self.reasoning_hidden = timeline.reasoning_hidden();
        self.client_lag_ns = u64::try_from(answer.client_lag.as_nanos()).ok();
    }
}
