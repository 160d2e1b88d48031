//! What was asked for becomes a checked plan.

use std::path::PathBuf;
use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::trace::{Format, Row};
use super::{Arrivals, Bounds, Extent, FileError, Mix, Prompts, Schedule, arrivals, file, ramped};
use crate::session::Demand;
use crate::stats::Percentiles;

/// Requests of a load that says nothing else.
pub const REQUESTS: u32 = 50;
/// Workers of a closed loop that says nothing else.
pub const CONCURRENCY: u32 = 5;
/// Tokens that an answer may have, where nothing else is said.
pub const MAX_TOKENS: u32 = 100;
/// Prompts of which the share of repeated ones holds, in a load that ends by time.
const LIST: u32 = 100;

/// A load as it was asked for. It is repeated in its result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Options {
    /// How many requests; absent where time or a trace decides, and else [`REQUESTS`].
    pub requests: Option<u32>,
    /// Seconds during which requests are sent.
    pub duration_s: Option<f64>,
    /// Workers of a closed loop, or the most requests at once of an open one.
    pub concurrency: Option<u32>,
    /// Requests a second of an open loop.
    pub rate: Option<f64>,
    /// How they are spread.
    pub arrivals: Arrivals,
    /// Seconds over which workers join, or the rate grows.
    pub ramp_s: f64,
    /// The most tokens to answer with; else [`MAX_TOKENS`], or what a trace says.
    pub max_tokens: Option<u32>,
    /// The share of prompts that repeat.
    pub repeat_ratio: f64,
    /// The exponent of the Zipf distribution of repeated prompts.
    pub zipf: Option<f64>,
    /// Prompts in the order of the document's tool, with its warm-up.
    pub compat: bool,
    /// Requests that warm up.
    pub warmup: u32,
    /// Whether each repeated prompt is sent once before.
    pub warm_cache: bool,
    /// A file of prompts.
    pub prompts: Option<PathBuf>,
    /// A trace.
    pub trace: Option<PathBuf>,
    /// How it is written; else its first line tells.
    pub trace_format: Option<Format>,
    /// The factor on a trace's times.
    pub time_scale: f64,
    /// Seconds that an exchange may take.
    pub timeout_s: f64,
    /// How percentiles are taken.
    pub percentile: Percentiles,
}

/// A load, ready to be sent.
#[derive(Debug, Clone)]
pub struct Plan {
    /// When each request starts.
    pub schedule: Schedule,
    /// The most requests of an open loop that are under way at once.
    pub cap: Option<u32>,
    /// Requests a second that an open loop means to send, its ramp left out.
    pub rate: Option<f64>,
    /// What is asked.
    pub prompts: Prompts,
    /// Requests that warm up.
    pub warm_up: u32,
    /// Whether each repeated prompt is sent once before.
    pub warm_cache: bool,
    /// What is good enough.
    pub bounds: Bounds,
    /// How percentiles are taken.
    pub percentile: Percentiles,
}

/// Why a load cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A file does not fit.
    #[error(transparent)]
    File(#[from] FileError),
    /// Nothing would be sent.
    #[error("the load has no request: its rate is too low for its duration, or its trace begins later")]
    Nothing,
    /// An open loop that would not fit into memory.
    #[error("the load has {0:.0} requests, more than {MOST}: ask for fewer, or for less time")]
    TooMany(f64),
}

/// The most requests that are planned ahead.
const MOST: u32 = 1_000_000;

impl Plan {
    /// Plans what `options` ask for, with the randomness of `seed`.
    ///
    /// # Errors
    /// When a file cannot be used, or there is nothing to send.
    pub fn new(options: &Options, bounds: Bounds, seed: u64) -> Result<Self, PlanError> {
        let max_tokens = options.max_tokens.unwrap_or(MAX_TOKENS);
        let rows = options.trace.as_ref().map(|path| file::rows(path, options.trace_format)).transpose()?;
        let rows = rows.map(|rows| options.wanted(rows));
        if rows.as_ref().is_some_and(Vec::is_empty) {
            return Err(PlanError::Nothing);
        }
        let schedule = options.schedule(rows.as_deref(), seed)?;
        let prompts = match (rows, &options.prompts) {
            (Some(rows), _) => Prompts::traced(rows, options.max_tokens, max_tokens),
            (None, Some(path)) => Prompts::listed(file::prompts(path, max_tokens)?, max_tokens),
            (None, None) => Prompts::mixed(options.mix(max_tokens, seed)),
        };
        Ok(Self {
            cap: options.concurrency.filter(|_| matches!(schedule, Schedule::Open(_))),
            rate: options.rate,
            schedule,
            prompts,
            warm_up: options.warmup,
            warm_cache: options.warm_cache,
            bounds,
            percentile: options.percentile,
        })
    }

    /// How many requests are measured; absent where time decides.
    pub fn requests(&self) -> Option<u32> {
        match &self.schedule {
            Schedule::Open(times) => Some(times.len() as u32),
            Schedule::Closed { extent, .. } | Schedule::Joining { extent, .. } => match extent {
                Extent::Requests(requests) => Some(*requests),
                Extent::Time(_) => None,
            },
        }
    }

    /// Prompts that are sent before the load so that caches know them.
    pub fn warming(&self) -> Vec<super::Prompt> {
        if self.warm_cache { self.prompts.repeated(self.requests().unwrap_or(LIST)) } else { Vec::new() }
    }

    /// What all requests ask of the target at most; absent where time decides.
    pub fn demands(&self) -> Option<impl Iterator<Item = Demand> + '_> {
        let before = (0..self.warm_up).map(|number| self.prompts.warm_up(number)).chain(self.warming());
        let measured = (0..self.requests()?).map(|number| self.prompts.get(number));
        let demand = |prompt: super::Prompt| Demand::uncached(prompt.tokens(), prompt.max_tokens.into());
        Some(before.chain(measured).map(demand))
    }
}

impl Options {
    /// Whether requests come at their own times.
    pub fn is_open(&self) -> bool {
        self.rate.is_some() || self.trace.is_some()
    }

    /// The rows of a trace that are sent, at their times here.
    fn wanted(&self, rows: Vec<Row>) -> Vec<Row> {
        let scaled = |row: Row| Row { at: row.at.mul_f64(self.time_scale), ..row };
        let extent = self.extent(u32::MAX);
        let included = |(number, row): &(u32, Row)| extent.includes(*number, row.at);
        (0..).zip(rows.into_iter().map(scaled)).take_while(included).map(|(_, row)| row).collect()
    }

    fn extent(&self, requests: u32) -> Extent {
        match self.duration_s {
            Some(seconds) => Extent::Time(Duration::from_secs_f64(seconds)),
            None => Extent::Requests(self.requests.unwrap_or(requests)),
        }
    }

    fn schedule(&self, rows: Option<&[Row]>, seed: u64) -> Result<Schedule, PlanError> {
        let (extent, ramp) = (self.extent(REQUESTS), Duration::from_secs_f64(self.ramp_s));
        if let Some(rows) = rows {
            return Ok(Schedule::Open(rows.iter().map(|row| row.at).collect()));
        }
        let Some(rate) = self.rate else {
            let workers = self.concurrency.unwrap_or(CONCURRENCY);
            return Ok(if ramp.is_zero() {
                Schedule::Closed { workers, extent }
            } else {
                Schedule::Joining { workers, extent, over: ramp }
            });
        };
        let planned = self.duration_s.map_or(0.0, |seconds| seconds * rate);
        if planned > f64::from(MOST) {
            return Err(PlanError::TooMany(planned));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let times = if ramp.is_zero() {
            arrivals(self.arrivals, rate, extent, &mut rng)
        } else {
            ramped(self.arrivals, rate, extent, ramp, &mut rng)
        };
        if times.is_empty() { Err(PlanError::Nothing) } else { Ok(Schedule::Open(times)) }
    }

    fn mix(&self, max_tokens: u32, seed: u64) -> Mix {
        let requests = if self.duration_s.is_some() { LIST } else { self.requests.unwrap_or(REQUESTS) };
        Mix {
            requests,
            repeat_ratio: self.repeat_ratio,
            zipf: self.zipf,
            in_order: self.compat,
            lead: if self.compat { self.warmup } else { 0 },
            max_tokens,
            seed,
        }
    }
}
