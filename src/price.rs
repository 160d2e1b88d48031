//! Tokens to dollars.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

use crate::wire::Usage;

/// An amount of US dollars.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Usd(pub f64);

impl fmt::Display for Usd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.0.abs() {
            amount if amount >= 100.0 || amount == 0.0 => 2,
            amount if amount >= 0.001 => 4,
            _ => 7,
        };
        let sign = if self.0 < 0.0 { "-" } else { "" };
        write!(formatter, "{sign}${:.digits$}", self.0.abs())
    }
}

impl Add for Usd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

/// Prices in US dollars for a million tokens (MTok). A price that is not known is absent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Prompt tokens that neither came from the prompt cache nor were written to it.
    pub input: f64,
    /// Output tokens, thinking included.
    pub output: f64,
    /// Prompt tokens read from the prompt cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<f64>,
    /// Prompt tokens written to the prompt cache for five minutes, or for as long as the provider likes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_5m: Option<f64>,
    /// Prompt tokens written to the prompt cache for an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<f64>,
}

impl Price {
    /// What `usage` costs. Absent when a count is missing that has a price of its own, or when a count has
    /// none: an unknown bill is not a small one.
    pub fn cost(&self, usage: &Usage) -> Option<Usd> {
        let (input, output) = (usage.input?, usage.output?);
        let read = priced(usage.cache_read, self.cache_read)?;
        let write = priced(usage.cache_write, self.cache_write_5m)?;
        let write_1h = if write == 0 { 0 } else { priced(usage.cache_write_1h, self.cache_write_1h)? };
        let uncached = input.saturating_sub(read).saturating_sub(write);
        let dollars = [
            (uncached, Some(self.input)),
            (output, Some(self.output)),
            (read, self.cache_read),
            (write.saturating_sub(write_1h), self.cache_write_5m),
            (write_1h, self.cache_write_1h),
        ];
        dollars.into_iter().map(|(tokens, price)| charge(tokens, price)).sum::<Option<f64>>().map(Usd)
    }
}

/// The count of tokens that `price` applies to: an absent count is only acceptable where no price waits for it.
fn priced(count: Option<u64>, price: Option<f64>) -> Option<u64> {
    if price.is_some() { count } else { Some(count.unwrap_or(0)) }
}

fn charge(tokens: u64, price: Option<f64>) -> Option<f64> {
    if tokens == 0 { Some(0.0) } else { price.map(|price| tokens as f64 * price / 1e6) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: Price = Price {
        input: 4.0,
        output: 20.0,
        cache_read: Some(0.4),
        cache_write_5m: Some(5.0),
        cache_write_1h: Some(8.0),
    };

    #[test]
    fn each_kind_of_token_has_its_own_price() {
        let usage = Usage {
            input: Some(4_000_000),
            cache_read: Some(1_000_000),
            cache_write: Some(2_000_000),
            cache_write_1h: Some(1_000_000),
            output: Some(1_000_000),
            reasoning: None,
        };
        assert_eq!(PRICE.cost(&usage), Some(Usd(4.0 + 0.4 + 5.0 + 8.0 + 20.0)));
    }

    #[test]
    fn an_unknown_count_makes_the_cost_unknown() {
        let usage = Usage { input: Some(10), output: Some(10), ..Usage::default() };
        assert_eq!(PRICE.cost(&usage), None);
        let plain = Price { cache_read: None, cache_write_5m: None, cache_write_1h: None, ..PRICE };
        assert_eq!(plain.cost(&usage), Some(Usd(0.00024)));
        assert_eq!(plain.cost(&Usage { cache_read: Some(5), ..usage }), None);
    }

    #[test]
    fn small_amounts_keep_their_digits() {
        assert_eq!(Usd(0.0123).to_string(), "$0.0123");
        assert_eq!(Usd(0.000_012).to_string(), "$0.0000120");
        assert_eq!(Usd(123.456).to_string(), "$123.46");
        assert_eq!(Usd(0.0).to_string(), "$0.00");
    }
}
