//! Ranks that the data can tell apart.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{RankedMetric, Values};
use crate::stats::{Summary, holm, welch};

/// The chance that of models which are equal any two are told apart.
const FALSE_DIFFERENCE: f64 = 0.05;

/// In which order models are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The highest mean first, whatever is better.
    #[default]
    Descending,
    /// The best mean first.
    Best,
}

/// A word that is no order.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no order `{0}`; there are descending and best")]
pub struct OrderError(String);

impl FromStr for Order {
    type Err = OrderError;

    fn from_str(word: &str) -> Result<Self, OrderError> {
        match word {
            "descending" => Ok(Self::Descending),
            "best" => Ok(Self::Best),
            _ => Err(OrderError(word.into())),
        }
    }
}

/// A model's place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The model's name.
    pub llm_name: String,
    /// 1 and the number of models that are better by more than chance explains. Of two models that are not told apart
    /// one may have more of those than the other.
    pub rank: usize,
    /// Its values in a few numbers.
    pub stats: Summary,
}

/// The models by one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Board {
    /// The metric.
    pub metric: RankedMetric,
    /// The models, in the order that was asked for; equal means stand in the order of their names.
    pub standings: Vec<Standing>,
}

impl Board {
    /// Ranks `models`. One without values, or with one that is not finite, has no place.
    ///
    /// A model is better than another where its mean is, and Welch's test says so after Holm's correction for all
    /// pairs, at 5% for the whole board. A single value tells nothing apart.
    pub fn of(metric: RankedMetric, models: &[Values], order: Order) -> Self {
        let known: Vec<_> =
            models.iter().filter_map(|model| Some((model, Summary::of(&model.values)?))).collect();
        let differ = differences(&known.iter().map(|(model, _)| &model.values[..]).collect::<Vec<_>>());
        let better = |a: f64, b: f64| if metric.lower_is_better() { a < b } else { a > b };
        let standing = |(index, (model, stats)): (usize, &(&Values, Summary))| {
            let ahead = known
                .iter()
                .enumerate()
                .filter(|(other, (_, theirs))| differ[*other][index] && better(theirs.mean, stats.mean));
            let (llm_name, rank) = (model.llm_name.clone(), 1 + ahead.count());
            Standing { llm_name, rank, stats: stats.clone() }
        };
        let standings = known.iter().enumerate().map(standing).collect();
        Self { metric, standings }.listed(order)
    }

    /// The same places, listed in another order.
    #[must_use]
    pub fn listed(mut self, order: Order) -> Self {
        let ascending = order == Order::Best && self.metric.lower_is_better();
        self.standings.sort_by(|a, b| {
            let by_mean = a.stats.mean.total_cmp(&b.stats.mean);
            let by_mean = if ascending { by_mean } else { by_mean.reverse() };
            by_mean.then_with(|| a.llm_name.cmp(&b.llm_name))
        });
        self
    }

    /// Whether another model shares the rank of this one.
    pub fn is_tied(&self, standing: &Standing) -> bool {
        self.standings.iter().filter(|other| other.rank == standing.rank).count() > 1
    }
}

/// Which pairs have different means.
fn differences(samples: &[&[f64]]) -> Vec<Vec<bool>> {
    let n = samples.len();
    let pairs: Vec<(usize, usize)> = (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).collect();
    // What cannot be tested is not told apart.
    let p: Vec<f64> = pairs.iter().map(|&(a, b)| welch(samples[a], samples[b]).unwrap_or(1.0)).collect();
    let mut differ = vec![vec![false; n]; n];
    for (&(a, b), p) in pairs.iter().zip(holm(&p)) {
        (differ[a][b], differ[b][a]) = (p < FALSE_DIFFERENCE, p < FALSE_DIFFERENCE);
    }
    differ
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn around(llm_name: &str, mean: f64) -> Values {
        let values = (0..20).map(|i| mean + f64::from(i % 5) - 2.0).collect();
        Values { llm_name: llm_name.into(), values }
    }

    fn places(board: &Board) -> Vec<(&str, usize)> {
        board.standings.iter().map(|standing| (&*standing.llm_name, standing.rank)).collect()
    }

    #[test]
    fn models_that_nobody_is_shown_to_beat_share_the_first_rank() {
        let models = [around("slow", 30.0), around("b", 10.0), around("a", 10.2)];
        let board = Board::of(RankedMetric::Ttft, &models, Order::Best);
        assert_eq!(places(&board), [("b", 1), ("a", 1), ("slow", 3)]);
        assert_eq!(board.standings.iter().map(|s| board.is_tied(s)).collect::<Vec<_>>(), [true, true, false]);
    }

    #[test]
    fn descending_lists_the_highest_first_and_the_best_has_rank_1_all_the_same() {
        let models = [around("fast", 10.0), around("slow", 30.0)];
        let descending = |metric| Board::of(metric, &models, Order::Descending);
        assert_eq!(places(&descending(RankedMetric::Ttft)), [("slow", 2), ("fast", 1)]);
        assert_eq!(places(&descending(RankedMetric::Tps)), [("slow", 1), ("fast", 2)]);
        assert_eq!(places(&Board::of(RankedMetric::Tps, &models, Order::Best)), [("slow", 1), ("fast", 2)]);
    }

    #[test]
    fn equal_means_stand_in_the_order_of_names() {
        let models = ["b", "c", "a"].map(|name| around(name, 1.0));
        for order in [Order::Descending, Order::Best] {
            assert_eq!(
                places(&Board::of(RankedMetric::Ttft, &models, order)),
                [("a", 1), ("b", 1), ("c", 1)]
            );
        }
    }

    #[test]
    fn what_was_not_found_has_no_place_and_one_value_beats_nobody() {
        let one = Values { llm_name: "one".into(), values: vec![1.0] };
        let none = Values { llm_name: "none".into(), values: vec![] };
        let wrong = Values { llm_name: "wrong".into(), values: vec![f64::NAN, 1.0] };
        let board = Board::of(RankedMetric::Ttft, &[around("many", 9.0), one, none, wrong], Order::Best);
        assert_eq!(places(&board), [("one", 1), ("many", 1)]);
    }

    proptest! {
        #[test]
        fn no_rank_depends_on_the_order_of_the_models(means in prop::collection::vec(0.0..20.0, 1..6), turn in 0_usize..6) {
            let mut models: Vec<_> = means.iter().enumerate().map(|(i, mean)| around(&i.to_string(), *mean)).collect();
            let before = Board::of(RankedMetric::Ttft, &models, Order::Best);
            let by = turn % models.len();
            models.rotate_left(by);
            prop_assert_eq!(&Board::of(RankedMetric::Ttft, &models, Order::Best), &before);
            prop_assert!(before.standings.iter().any(|standing| standing.rank == 1));
        }
    }
}
