//! Concurrency: how much more is answered when more is asked at once, and what each request pays for it.
//!
//! The control sends one request after another; the other arms keep up to fifty under way. The simulated engine
//! serves [`SLOTS`] of them at once, so that there is a capacity to be found; a live target has its own.
//!
//! Prediction (`c` slots, an answer takes `S`): `X(N) = min(N, c) / S`. A request of `N` waits for none up to `c`,
//! and beyond it as long as those before it take, which come in waves of `c`.

mod levels;
mod open;
mod report;

pub use levels::levels;
pub use open::open;

use std::num::NonZeroUsize;

use crate::experiment::{Known, Needs};
use crate::load::Slo;
use crate::optimization::formula;
use crate::scenario::{self, tokens};
use crate::session::{Demand, Session};
use crate::wire::{Ask, Block, Message, Serving};

/// Requests under way at once, over the sweep; the control is 1.
pub const LEVELS: [u32; 8] = [2, 4, 5, 6, 8, 10, 20, 50];

/// Requests that the simulated engine serves at once.
pub const SLOTS: u32 = 8;

/// Rates of the open loop, as shares of the capacity.
pub const LOADS: [f64; 3] = [0.5, 0.8, 1.2];

fn ask() -> Ask {
    let scenario = scenario::concurrency();
    Ask {
        system: vec![Block::text(scenario.system.as_str())],
        messages: vec![Message::user(scenario.question(0))],
        max_tokens: Some(scenario.max_tokens),
        stream: true,
        include_usage: true,
        serving: Serving { slots: NonZeroUsize::new(SLOTS as usize), ..Serving::default() },
        ..Ask::default()
    }
}

fn input_tokens() -> u64 {
    let scenario = scenario::concurrency();
    tokens(&scenario.system) + tokens(scenario.question(0))
}

fn output_tokens() -> u64 {
    scenario::concurrency().max_tokens.into()
}

fn needs() -> Needs {
    Needs { streaming: true, context_tokens: input_tokens() + output_tokens(), ..Needs::default() }
}

fn demand(requests: u32) -> Demand {
    let one = Demand::uncached(input_tokens(), output_tokens());
    (1..requests).fold(one, |sum, _| sum.and(one))
}

/// What counts as good, in the time of what is asked.
fn slo(session: &Session) -> Slo {
    Slo::INTERACTIVE.scaled(session.scale())
}

/// How long the engine takes for an answer, in nanoseconds.
fn service(known: &Known<'_>) -> Option<f64> {
    formula::call(known, input_tokens() as f64, output_tokens() as f64)
}
