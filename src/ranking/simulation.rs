//! Values of no model: the same for everybody who takes the same seed.
//!
//! They fill boards, dashboards and load tests before anything was measured. All models draw from the same range, so
//! that whatever order they come in is chance.

use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;
use std::str::FromStr;

use md5::{Digest, Md5};
use rand_mt::Mt;
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal};
use thiserror::Error;

use super::{RankedMetric, Values, rounded};
use crate::settings::Environment;

/// The usual seed.
pub const SEED: &str = "20";
/// The usual number of values of each model and metric.
pub const POINTS: usize = 1_000;
/// The most of them: more say nothing that these do not, and would fill a database.
const MOST_POINTS: usize = 100_000;

/// A model that values are simulated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Llm {
    /// Its name.
    pub name: &'static str,
    /// Who makes it.
    pub company_name: &'static str,
}

/// The models that values are simulated for.
pub const LLMS: [Llm; 3] = [
    Llm { name: "GPT-4o", company_name: "openai" },
    Llm { name: "Llama 3.1 70B", company_name: "meta" },
    Llm { name: "Claude 3.5 Sonnet", company_name: "anthropic" },
];

/// How values are spread over a metric's range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Distribution {
    /// Evenly.
    #[default]
    Uniform,
    /// As times are: many small ones and a long tail, with nine in ten of them inside the range and none outside it.
    LogNormal,
}

/// Why nothing is simulated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SimulationError {
    /// A distribution that is not known.
    #[error("no distribution `{0}`; there are uniform and lognormal")]
    Distribution(String),
    /// A number of values that is none or too many.
    #[error("{0} values; from 1 to {MOST_POINTS} can be simulated")]
    Points(usize),
}

/// What is simulated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulation {
    seed: String,
    points: usize,
    distribution: Distribution,
}

impl Default for Simulation {
    fn default() -> Self {
        Self { seed: SEED.into(), points: POINTS, distribution: Distribution::Uniform }
    }
}

impl Simulation {
    /// The seed that an environment names as `SEED`: the usual one where it does not, another one each time where it is
    /// empty.
    pub fn seed_of(environment: &Environment) -> String {
        match environment.given("SEED") {
            None => SEED.into(),
            Some("") => format!("{:016x}", RandomState::new().hash_one(0)),
            Some(seed) => seed.into(),
        }
    }

    /// As many `points` of every model and metric, from a seed that may be any word.
    ///
    /// # Errors
    /// [`SimulationError::Points`] when that is none or too many.
    pub fn new(seed: &str, points: usize, distribution: Distribution) -> Result<Self, SimulationError> {
        if !(1..=MOST_POINTS).contains(&points) {
            return Err(SimulationError::Points(points));
        }
        Ok(Self { seed: seed.into(), points, distribution })
    }

    /// The seed.
    pub fn seed(&self) -> &str {
        &self.seed
    }

    /// The values of every model for one metric.
    pub fn values(&self, metric: RankedMetric) -> Vec<Values> {
        LLMS.iter().map(|llm| Values { llm_name: llm.name.into(), values: self.of(llm, metric) }).collect()
    }

    /// The values of one model for one metric, to two places.
    pub fn of(&self, llm: &Llm, metric: RankedMetric) -> Vec<f64> {
        let mut random = Mt::new(seed_of(llm, metric, &self.seed));
        let range = range(metric);
        (0..self.points).map(|_| rounded(self.distribution.at(&range, fraction(&mut random)))).collect()
    }
}

impl Distribution {
    /// The value below which that share of all lie.
    fn at(self, range: &RangeInclusive<f64>, share: f64) -> f64 {
        let (low, high) = (*range.start(), *range.end());
        match self {
            Self::Uniform => low + (high - low) * share,
            Self::LogNormal => {
                let normal = Normal::standard();
                let spread = (high / low).ln() / (normal.inverse_cdf(0.95) - normal.inverse_cdf(0.05));
                ((low * high).sqrt() * (spread * normal.inverse_cdf(share)).exp()).clamp(low, high)
            }
        }
    }
}

impl FromStr for Distribution {
    type Err = SimulationError;

    fn from_str(name: &str) -> Result<Self, SimulationError> {
        match name {
            "uniform" => Ok(Self::Uniform),
            "lognormal" => Ok(Self::LogNormal),
            _ => Err(SimulationError::Distribution(name.into())),
        }
    }
}

/// The range of simulated values, in the metric's unit.
fn range(metric: RankedMetric) -> RangeInclusive<f64> {
    match metric {
        RankedMetric::Ttft => 0.05..=2.0,
        RankedMetric::Tps => 10.0..=150.0,
        RankedMetric::E2eLatency => 0.2..=10.0,
        RankedMetric::Rps => 1.0..=100.0,
    }
}

/// The seed of one model's values of one metric: the last 32 bits of the MD5 of `<model>_<metric>_<seed>`.
fn seed_of(llm: &Llm, metric: RankedMetric, seed: &str) -> u32 {
    let digest = Md5::digest(format!("{}_{metric}_{seed}", llm.name));
    digest.iter().skip(12).fold(0, |word, byte| word << 8 | u32::from(*byte))
}

/// A number from 0 to below 1, of 53 random bits (Matsumoto & Nishimura's `genrand_res53`, which NumPy's `uniform`
/// uses).
fn fraction(random: &mut Mt) -> f64 {
    let (high, low) = (random.next_u32() >> 5, random.next_u32() >> 6);
    (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_seed_gives_the_values_that_are_known_of_it() {
        let simulation = Simulation::default();
        assert_eq!(seed_of(&LLMS[0], RankedMetric::Ttft, SEED), 3_624_221_602);
        assert_eq!(simulation.of(&LLMS[0], RankedMetric::Ttft)[..3], [1.05, 1.31, 0.08]);
        assert_eq!(simulation.of(&LLMS[1], RankedMetric::Tps)[..3], [136.5, 49.26, 15.89]);
    }

    #[test]
    fn every_value_lies_in_its_range_and_another_seed_gives_others() {
        for distribution in [Distribution::Uniform, Distribution::LogNormal] {
            let [first, second] =
                ["", "another"].map(|seed| Simulation::new(seed, 500, distribution).unwrap());
            for metric in RankedMetric::ALL {
                let values = first.values(metric);
                assert!(values.iter().all(|model| model.values.len() == 500));
                let mut all = values.iter().flat_map(|model| &model.values);
                assert!(all.all(|value| range(metric).contains(value)), "{metric}");
                assert_ne!(values, second.values(metric));
            }
        }
    }

    #[test]
    fn lognormal_values_are_lower_than_even_ones_in_the_middle() {
        let median = |distribution| {
            let values =
                Simulation::new(SEED, POINTS, distribution).unwrap().of(&LLMS[0], RankedMetric::E2eLatency);
            crate::stats::median(&crate::stats::sorted(&values)).unwrap()
        };
        let [even, tailed] = [Distribution::Uniform, Distribution::LogNormal].map(median);
        // The geometric mean of 0.2 and 10 is 1.41; the middle of the range 5.1.
        assert!((4.5..5.7).contains(&even) && (1.2..1.7).contains(&tailed), "{even} {tailed}");
    }

    #[test]
    fn none_and_too_many_are_refused() {
        for points in [0, MOST_POINTS + 1] {
            let refused = Simulation::new(SEED, points, Distribution::Uniform);
            assert_eq!(refused, Err(SimulationError::Points(points)));
        }
        assert!("normal".parse::<Distribution>().is_err());
    }
}
