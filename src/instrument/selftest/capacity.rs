//! What one process can do: events as fast as they come, and requests of one token.

use serde::Serialize;

use super::{Options, median};
use crate::instrument::check::{Beside, CheckError, Turns, beside};
use crate::instrument::raw::Asking;
use crate::instrument::{Plan, TruthServer};

/// Tokens of an answer that is sent as fast as it is read, streams of them, and answers of each stream.
const TOKENS: u32 = 10_000;
const FLAT_STREAMS: usize = 8;
const FLAT_ANSWERS: usize = 10;
/// Streams of answers of one token, and answers of each.
const ONE_STREAMS: usize = 64;
const ONE_ANSWERS: usize = 400;
/// How much less a quick look measures.
const QUICK: usize = 4;

/// What one process can do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Capacity {
    /// Answers of many tokens, which the server sends as fast as it can.
    pub flat_out: FlatOut,
    /// Answers of one token.
    pub one_token: OneToken,
}

/// Events as fast as they come.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FlatOut {
    /// Events that each reader read in each run.
    pub events: u64,
    /// Of the lab's client, a million events being the unit of work.
    pub client: Rate,
    /// Of the raw reader.
    pub raw: Rate,
}

/// Requests one after another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OneToken {
    /// Requests that each reader sent in each run.
    pub requests: u64,
    /// Of the lab's client, a million requests being the unit of work.
    pub client: Rate,
    /// Of the raw reader.
    pub raw: Rate,
}

/// How fast, and for how much.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// Events or requests a second.
    pub per_second: f64,
    /// Processor seconds for a million of them. Absent where the system does not say.
    pub cpu_s_per_million: Option<f64>,
}

/// Measures once.
pub(super) async fn measure(options: &Options) -> Result<Capacity, CheckError> {
    let less = if options.quick { QUICK } else { 1 };
    let flat = ask(Plan::flat_out(TOKENS), FLAT_STREAMS, FLAT_ANSWERS.div_ceil(less), options).await?;
    let one = ask(Plan::flat_out(1), ONE_STREAMS, ONE_ANSWERS / less, options).await?;
    let flat_rates = rates(&flat, flat.client.events);
    let one_rates = rates(&one, one.client.answers);
    Ok(Capacity {
        flat_out: FlatOut { events: flat.client.events, client: flat_rates.0, raw: flat_rates.1 },
        one_token: OneToken { requests: one.client.answers, client: one_rates.0, raw: one_rates.1 },
    })
}

async fn ask(plan: Plan, streams: usize, requests: usize, options: &Options) -> Result<Beside, CheckError> {
    let server = TruthServer::start(&plan.on_core(options.server_core))?;
    let asking = Asking { requests, ..Asking::new(server.address(), streams) };
    beside(&server, &asking, Turns::One).await
}

/// How fast the client and the raw reader did so much work.
fn rates(Beside { client, raw }: &Beside, work: u64) -> (Rate, Rate) {
    let rate = |took: std::time::Duration, cpu: Option<std::time::Duration>| Rate {
        per_second: work as f64 / took.as_secs_f64(),
        cpu_s_per_million: cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / work as f64),
    };
    (rate(client.took, client.cpu), rate(raw.took, raw.cpu))
}

impl Rate {
    fn median(runs: &[Self]) -> Option<Self> {
        Some(Self {
            per_second: median(runs, |run| Some(run.per_second))?,
            cpu_s_per_million: median(runs, |run| run.cpu_s_per_million),
        })
    }
}

impl Capacity {
    /// The medians of several runs.
    pub(super) fn median(runs: &[Self]) -> Option<Self> {
        let rate = |of: fn(&Self) -> Rate| Rate::median(&runs.iter().map(of).collect::<Vec<_>>());
        let first = runs.first()?;
        Some(Self {
            flat_out: FlatOut {
                client: rate(|run| run.flat_out.client)?,
                raw: rate(|run| run.flat_out.raw)?,
                ..first.flat_out
            },
            one_token: OneToken {
                client: rate(|run| run.one_token.client)?,
                raw: rate(|run| run.one_token.raw)?,
                ..first.one_token
            },
        })
    }
}
