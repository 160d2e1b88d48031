//! What a run may send and spend.

use std::sync::{Mutex, PoisonError};

use crate::price::Usd;
use crate::settings::{Pricing, Settings, TargetKind};
use crate::wire::Usage;

/// What one run of a workload asks of the target at most.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Demand {
    /// Requests.
    pub requests: u32,
    /// Tokens of all of them together.
    pub usage: Usage,
}

impl Demand {
    /// One request that reads nothing from a cache.
    pub fn uncached(input: u64, output: u64) -> Self {
        let usage = Usage {
            input: Some(input),
            output: Some(output),
            cache_read: Some(0),
            cache_write: Some(0),
            cache_write_1h: Some(0),
            reasoning: None,
        };
        Self { requests: 1, usage }
    }

    /// The demand of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let add = |a: Option<u64>, b: Option<u64>| Some(a.unwrap_or(0) + b.unwrap_or(0));
        let (a, b) = (self.usage, other.usage);
        let usage = Usage {
            input: add(a.input, b.input),
            output: add(a.output, b.output),
            cache_read: add(a.cache_read, b.cache_read),
            cache_write: add(a.cache_write, b.cache_write),
            cache_write_1h: add(a.cache_write_1h, b.cache_write_1h),
            reasoning: None,
        };
        Self { requests: self.requests + other.requests, usage }
    }
}

/// What a whole plan is expected to send and cost.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Estimate {
    /// Requests, retries not counted.
    pub requests: u64,
    /// Dollars; absent when a price is not known.
    pub usd: Option<Usd>,
}

impl Estimate {
    /// The estimate of several demands at a price.
    pub fn of(demands: impl IntoIterator<Item = Demand>, pricing: Option<&Pricing>) -> Self {
        let mut estimate = Self { requests: 0, usd: Some(Usd(0.0)) };
        // What asks for nothing costs nothing, whatever the price.
        for demand in demands.into_iter().filter(|demand| demand.requests > 0) {
            estimate.requests += u64::from(demand.requests);
            let cost = pricing.and_then(|pricing| pricing.cost(&demand.usage));
            estimate.usd = estimate.usd.zip(cost).map(|(sum, cost)| sum + cost);
        }
        estimate
    }

    /// The estimate of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { requests: self.requests + other.requests, usd: self.usd.zip(other.usd).map(|(a, b)| a + b) }
    }
}

/// Why no further request is sent.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BudgetError {
    /// The plan costs more than allowed.
    #[error("the run would cost about {estimate} and may cost {allowed}: set LLMLAB_MAX_USD={} (--max-usd) to allow it, or ask for less (a filter, fewer samples, a cheaper LLMLAB_MODEL)", .estimate.0.ceil())]
    TooDear {
        /// The estimate.
        estimate: Usd,
        /// The bound.
        allowed: Usd,
    },
    /// A bound in dollars was set and the target has no price.
    #[error(
        "LLMLAB_MAX_USD (--max-usd) is set and the price of this model is not known: state `prices` for the target in llmlab.toml, or unset it"
    )]
    PriceUnknown,
    /// The plan sends more than allowed.
    #[error(
        "the run would send {planned} requests and may send {allowed}: raise LLMLAB_MAX_REQUESTS (--max-requests), or ask for less (a filter, fewer samples)"
    )]
    TooMany {
        /// The plan's requests.
        planned: u64,
        /// The bound.
        allowed: u64,
    },
    /// The dollars are spent.
    #[error("{spent} of {allowed} are spent: no further request is sent (LLMLAB_MAX_USD)")]
    Spent {
        /// Spent so far.
        spent: Usd,
        /// The bound.
        allowed: Usd,
    },
    /// The requests are sent.
    #[error("all {allowed} requests are sent: no further one is (LLMLAB_MAX_REQUESTS)")]
    Sent {
        /// The bound.
        allowed: u64,
    },
}

/// What was sent and spent, and the bounds on both.
#[derive(Debug)]
pub struct Budget {
    max_requests: Option<u64>,
    /// Simulated and replayed dollars are not spent; only a live target has a bound.
    max_usd: Option<Usd>,
    /// Whether somebody set the bound in dollars, which then must be kept.
    insists_on_usd: bool,
    used: Mutex<Used>,
}

/// What was sent and spent so far.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Used {
    /// Requests sent, retries included.
    pub requests: u64,
    /// Dollars spent, as far as known.
    pub usd: Usd,
}

impl Budget {
    pub(super) fn new(settings: &Settings) -> Self {
        let max_usd = match settings.target {
            TargetKind::Mock(_) | TargetKind::Cassette(_) => None,
            TargetKind::Live(_) => Some(settings.max_usd.unwrap_or(Settings::DEFAULT_MAX_USD)),
        };
        Self {
            max_requests: settings.max_requests,
            max_usd: max_usd.map(Usd),
            insists_on_usd: max_usd.is_some() && settings.max_usd.is_some(),
            used: Mutex::default(),
        }
    }

    /// Refuses a plan that would not fit, before anything is sent.
    ///
    /// # Errors
    /// [`BudgetError::TooDear`] or [`BudgetError::TooMany`].
    pub fn check(&self, estimate: &Estimate) -> Result<(), BudgetError> {
        if let (Some(allowed), Some(usd)) = (self.max_usd, estimate.usd)
            && usd > allowed
        {
            return Err(BudgetError::TooDear { estimate: usd, allowed });
        }
        if self.insists_on_usd && estimate.usd.is_none() {
            return Err(BudgetError::PriceUnknown);
        }
        match self.max_requests {
            Some(allowed) if estimate.requests > allowed => {
                Err(BudgetError::TooMany { planned: estimate.requests, allowed })
            }
            _ => Ok(()),
        }
    }

    /// As much of an estimate as the bounds allow.
    #[must_use]
    pub fn cap(&self, estimate: Estimate) -> Estimate {
        let requests = self.max_requests.map_or(estimate.requests, |most| most.min(estimate.requests));
        let usd = estimate.usd.map(|usd| self.max_usd.filter(|most| *most < usd).unwrap_or(usd));
        Estimate { requests, usd }
    }

    /// What was sent and spent so far.
    pub fn used(&self) -> Used {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take_request(&self) -> Result<(), BudgetError> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(allowed) = self.max_requests.filter(|&allowed| used.requests >= allowed) {
            return Err(BudgetError::Sent { allowed });
        }
        if let Some(allowed) = self.max_usd.filter(|&allowed| used.usd >= allowed) {
            return Err(BudgetError::Spent { spent: used.usd, allowed });
        }
        used.requests += 1;
        Ok(())
    }

    pub(super) fn spent(&self, cost: Option<Usd>) {
        if let Some(cost) = cost {
            self.used.lock().unwrap_or_else(PoisonError::into_inner).usd += cost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_for_nothing_costs_nothing_at_an_unknown_price_too() {
        let nothing = Estimate::of([Demand::default(), Demand::default()], None);
        assert_eq!((nothing.requests, nothing.usd), (0, Some(Usd(0.0))));
        let something = Estimate::of([Demand::uncached(10, 5)], None);
        assert_eq!((something.requests, something.usd), (1, None));
    }
}
