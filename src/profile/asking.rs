//! What a profile asks, over and over.

use std::time::Instant;

use serde::Serialize;

use crate::seed::DrawId;
use crate::session::{AskError, Demand, Estimate, Place, RequestRecord, Session};
use crate::settings::Pricing;
use crate::wire::{Ask, Dialect};

/// One question, and how it is asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Asking {
    /// The dialect it is asked in.
    pub dialect: Dialect,
    /// The prompt.
    pub prompt: String,
    /// The most tokens of an answer.
    pub max_tokens: u32,
    /// Whether answers are streamed; without it there is no time to first token.
    pub stream: bool,
    /// Whether every prompt begins with text of its own, so that no cache knows it.
    pub no_cache: bool,
}

/// Bytes of a token, for an estimate of what a prompt costs.
const TOKEN_BYTES: u64 = 4;

impl Asking {
    /// What so many requests to each of `models` send and cost at most.
    pub(super) fn estimate(&self, session: &Session, models: &[String], requests: u64) -> Estimate {
        let demand = Demand::uncached(self.prompt.len() as u64 / TOKEN_BYTES + 1, self.max_tokens.into());
        let of_model = |model: &String| {
            let pricing: Option<Pricing> = session.pricing_of(model);
            let one = Estimate::of([demand], pricing.as_ref());
            let usd = one.usd.map(|usd| crate::price::Usd(usd.0 * requests as f64));
            Estimate { requests, usd }
        };
        models
            .iter()
            .map(of_model)
            .fold(Estimate { requests: 0, usd: Some(Default::default()) }, Estimate::and)
    }

    /// One exchange with `model`, well or not, and whether the answer came from a cache of answers, where that is said.
    pub(super) async fn exchange(
        &self,
        session: &Session,
        model: &str,
        max_tokens: u32,
        place: Place,
        intended: Instant,
    ) -> Result<(RequestRecord, Option<bool>), AskError> {
        let prompt = if self.no_cache {
            let nonce = session.nonce(&place.draw.to_string());
            format!("[{nonce}] {}", self.prompt)
        } else {
            self.prompt.clone()
        };
        let ask = Ask { model: model.into(), stream: self.stream, ..Ask::question(prompt, max_tokens) };
        let asked = Box::pin(session.ask(self.dialect, &place, &ask, intended, None)).await;
        let (mut records, cached) = match asked {
            Ok((answer, records)) => (records, answer.reply.cached),
            Err((AskError::Failed { .. }, records)) => (records, None),
            Err((error, _)) => return Err(error),
        };
        let Some(record) = records.pop() else { unreachable!("an exchange leaves a record") };
        Ok((record, cached))
    }
}

/// Where an exchange of a profile stands; round 0 warms up.
pub(super) fn place(profile: &str, arm: &str, round: u32, step: u32) -> Place {
    Place {
        group: format!("profile/{profile}"),
        arm: arm.into(),
        repeat: 1,
        draw: DrawId { scenario: format!("profile.{profile}"), stream: arm.into(), round, step },
        ..Place::default()
    }
}
