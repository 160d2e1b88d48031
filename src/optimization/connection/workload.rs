//! What the arms do: ask once, or many times at once, over a road.

use std::sync::Arc;
use std::time::Instant;

use futures::future::{BoxFuture, try_join_all};

use super::Way;
use crate::client::Road;
use crate::experiment::{Answer, Draw, Observation, RunError, Workload};
use crate::metric::Metric;
use crate::scenario::{self, TOKEN_BYTES, prose, tokens};
use crate::session::{AskError, Demand};
use crate::wire::{Ask, Block, CacheTtl, Message};

/// A question of the scenario, over a system prompt of a wanted length.
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// Text that follows the mark of a long prompt; absent for the scenario's own prompt.
    long: Option<Arc<str>>,
}

/// Bytes of the text that makes a prompt the arm's own.
const MARK_BYTES: u64 = 32;

impl Question {
    /// Over a prompt of so many bytes, which the server reads from its cache: what is left is the way there. 0
    /// stands for the scenario's own few words.
    pub(super) fn over(bytes: u64) -> Self {
        let text = || prose(bytes.saturating_sub(MARK_BYTES) / TOKEN_BYTES as u64, bytes);
        Self { long: (bytes > 0).then(text) }
    }

    fn ask(&self, draw: &Draw<'_>) -> Ask {
        let scenario = scenario::connection();
        let system = match &self.long {
            None => Block::text(scenario.system.as_str()),
            Some(text) => {
                Block::text(format!("{}{text}", draw.stable("prompt"))).cached(CacheTtl::FiveMinutes)
            }
        };
        Ask {
            system: vec![system],
            messages: vec![Message::user(scenario.question(draw.round()))],
            max_tokens: Some(scenario.max_tokens),
            stream: true,
            include_usage: true,
            ..Ask::default()
        }
    }

    pub(super) fn input_tokens(&self) -> u64 {
        let scenario = scenario::connection();
        let system =
            self.long.as_ref().map_or(tokens(&scenario.system), |text| tokens(text) + MARK_BYTES / 4);
        let longest = scenario.questions.iter().map(|question| tokens(question)).max();
        system + longest.unwrap_or(0)
    }

    fn demand(&self, requests: u32) -> Demand {
        let once = Demand::uncached(self.input_tokens(), scenario::connection().max_tokens.into());
        (1..requests).fold(once, |sum, _| sum.and(once))
    }
}

/// Asks one question.
pub(super) struct Once {
    pub(super) way: Way,
    pub(super) question: Question,
}

/// Asks several at once.
pub(super) struct AtOnce {
    pub(super) road: Road,
    pub(super) question: Question,
    pub(super) requests: u32,
}

/// The road as the target has it: a real one's TLS is its own.
fn as_offered(road: &Road, draw: &Draw<'_>) -> Road {
    if draw.is_simulated() { *road } else { Road { tls: None, ..*road } }
}

impl Workload for Once {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(async move {
            let road = as_offered(&self.way.road, draw);
            if self.way.ahead {
                draw.connect(&road).await?;
            }
            Ok(Observation::of(&draw.ask_over(&road, &self.question.ask(draw)).await?))
        })
    }

    fn demand(&self, _round: u32) -> Demand {
        self.question.demand(1)
    }
}

impl Workload for AtOnce {
    fn run<'a>(&'a self, draw: &'a Draw<'a>) -> BoxFuture<'a, Result<Observation, RunError>> {
        Box::pin(async move {
            let ask = self.question.ask(draw);
            let asked = (0..self.requests).map(|_| Box::pin(draw.ask_over(&self.road, &ask)));
            let answers: Result<Vec<Answer>, AskError> = try_join_all(asked).await;
            let answers = answers?;
            let asked = answers.iter().map(|answer| answer.timeline.intended).min();
            let answered: Option<Instant> =
                answers.iter().filter_map(|answer| Some(answer.timeline.last_content()?.at)).max();
            let took = answered.zip(asked).map(|(end, start)| end.saturating_duration_since(start));
            let value = took.map(|took| (Metric::MAKESPAN, took.as_nanos() as f64));
            Ok(Observation { values: value.into_iter().collect(), ..Observation::default() })
        })
    }

    fn demand(&self, _round: u32) -> Demand {
        self.question.demand(self.requests)
    }
}
