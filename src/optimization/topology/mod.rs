//! Agent topologies: what does each way of sharing a task between agents cost in time?
//!
//! Every team gets the same task and the same bound on each answer; what was said before is part of every later
//! prompt. The control is the hierarchy whose specialists work one after another, which is what a supervisor does
//! that calls them as tools: against it one reads what working at once saves, with the same calls and the same
//! deliverable, and what the supervisor costs.
//!
//! Prediction: a stage waits for its slowest call. One agent takes `L`, specialists at once `max Lᵢ`, a hierarchy
//! `L_plan + Σ Lᵢ + L_synthesis` one after another and `L_plan + max Lᵢ + L_synthesis` at once, where each `L` has
//! the prefill of all that its agent has heard. The slowest of a few calls is a little slower than their mean, by
//! 1.4 standard deviations for eight (Tippett 1925): less than 1 ms here, and left out.
//!
//! Where an agent keeps its state, and when, is [`checkpoint`]'s question.

pub mod checkpoint;
mod groups;
mod run;
mod team;

pub use groups::{DOCUMENT_TOKENS, SPECIALISTS, complexity, context, specialists, topologies};
pub use team::Topology;

use std::borrow::Cow;

use crate::catalog::Profile;
use crate::experiment::{Draw, Known};
use crate::optimization::formula::call_on;

/// The model asked for: the target's own, named by nothing, or the small one where there is one.
fn model(draw: &Draw<'_>, small: bool) -> String {
    let small = small.then(|| draw.session().small_model(draw.dialect())).flatten();
    small.unwrap_or_default().to_owned()
}

/// The times of a simulated engine's calls.
#[derive(Debug, Clone, Copy)]
struct Speed<'a> {
    engine: &'a Profile,
    slowdown: f64,
}

impl<'a> Speed<'a> {
    /// That of the target's own model, or of the small one, where it is known.
    fn of(known: &Known<'a>, small: bool) -> Option<Self> {
        let (engine, slowdown) = known.engine?;
        Some(Self { engine: if small { known.small? } else { engine }, slowdown })
    }

    /// Nanoseconds of a whole answer, none of its prompt cached.
    fn call(&self, prompt_tokens: u64, answer_tokens: u32) -> f64 {
        call_on(self.engine, self.slowdown, prompt_tokens as f64, answer_tokens.into())
    }

    fn source(&self) -> Cow<'static, str> {
        let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3 * self.slowdown;
        let (name, overhead, decode) = (&self.engine.name, ms(self.engine.overhead), ms(self.engine.decode));
        let prefill = ms(self.engine.prefill) * 1e3;
        Cow::Owned(format!(
            "engine {name}: a call takes {overhead:.1} ms, {prefill:.2} µs a prompt token and {decode:.2} ms an answer token"
        ))
    }
}
