//! Ranks that the data can tell apart.

use serde::Serialize;

use super::{Quality, Values};
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

/// A model's place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// The model's name.
    pub llm_name: String,
    /// The mean of its values.
    pub mean_value: f64,
    /// 1 and the number of models that are better by more than chance explains: models that are not told apart share
    /// it.
    pub rank: usize,
    /// Its values in a few numbers.
    pub stats: Summary,
}

/// The models by one quality.
#[derive(Debug, Clone, PartialEq)]
pub struct Board {
    /// The quality.
    pub quality: Quality,
    /// The models, in the order that was asked for; equal means stand in the order of their names.
    pub standings: Vec<Standing>,
}

impl Board {
    /// Ranks `models`. One without values, or with one that is not finite, has no place.
    ///
    /// A model is better than another where its mean is, and Welch's test says so after Holm's correction for all
    /// pairs, at 5% for the whole board. A single value tells nothing apart.
    pub fn of(quality: Quality, models: &[Values], order: Order) -> Self {
        let known: Vec<_> =
            models.iter().filter_map(|model| Some((model, Summary::of(&model.values)?))).collect();
        let differ = differences(&known.iter().map(|(model, _)| &model.values[..]).collect::<Vec<_>>());
        let better = |a: f64, b: f64| if quality.lower_is_better() { a < b } else { a > b };
        let standing = |(index, (model, stats)): (usize, &(&Values, Summary))| {
            let ahead = known
                .iter()
                .enumerate()
                .filter(|(other, (_, theirs))| differ[*other][index] && better(theirs.mean, stats.mean));
            let (llm_name, rank) = (model.llm_name.clone(), 1 + ahead.count());
            Standing { llm_name, mean_value: stats.mean, rank, stats: stats.clone() }
        };
        let mut standings: Vec<_> = known.iter().enumerate().map(standing).collect();
        let ascending = order == Order::Best && quality.lower_is_better();
        standings.sort_by(|a, b| {
            let by_mean = a.mean_value.total_cmp(&b.mean_value);
            let by_mean = if ascending { by_mean } else { by_mean.reverse() };
            by_mean.then_with(|| a.llm_name.cmp(&b.llm_name))
        });
        Self { quality, standings }
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
    fn what_the_data_cannot_tell_apart_shares_a_rank() {
        let models = [around("slow", 30.0), around("b", 10.0), around("a", 10.2)];
        let board = Board::of(Quality::Ttft, &models, Order::Best);
        assert_eq!(places(&board), [("b", 1), ("a", 1), ("slow", 3)]);
        assert_eq!(board.standings.iter().map(|s| board.is_tied(s)).collect::<Vec<_>>(), [true, true, false]);
    }

    #[test]
    fn descending_lists_the_highest_first_and_the_best_has_rank_1_all_the_same() {
        let models = [around("fast", 10.0), around("slow", 30.0)];
        let descending = |quality| Board::of(quality, &models, Order::Descending);
        assert_eq!(places(&descending(Quality::Ttft)), [("slow", 2), ("fast", 1)]);
        assert_eq!(places(&descending(Quality::Tps)), [("slow", 1), ("fast", 2)]);
        assert_eq!(places(&Board::of(Quality::Tps, &models, Order::Best)), [("slow", 1), ("fast", 2)]);
    }

    #[test]
    fn equal_means_stand_in_the_order_of_names() {
        let models = ["b", "c", "a"].map(|name| around(name, 1.0));
        for order in [Order::Descending, Order::Best] {
            assert_eq!(places(&Board::of(Quality::Ttft, &models, order)), [("a", 1), ("b", 1), ("c", 1)]);
        }
    }

    #[test]
    fn what_was_not_found_has_no_place_and_one_value_beats_nobody() {
        let one = Values { llm_name: "one".into(), values: vec![1.0] };
        let none = Values { llm_name: "none".into(), values: vec![] };
        let wrong = Values { llm_name: "wrong".into(), values: vec![f64::NAN, 1.0] };
        let board = Board::of(Quality::Ttft, &[around("many", 9.0), one, none, wrong], Order::Best);
        assert_eq!(places(&board), [("one", 1), ("many", 1)]);
    }

    proptest! {
        #[test]
        fn no_rank_depends_on_the_order_of_the_models(means in prop::collection::vec(0.0..20.0, 1..6), turn in 0_usize..6) {
            let mut models: Vec<_> = means.iter().enumerate().map(|(i, mean)| around(&i.to_string(), *mean)).collect();
            let before = Board::of(Quality::Ttft, &models, Order::Best);
            let by = turn % models.len();
            models.rotate_left(by);
            prop_assert_eq!(&Board::of(Quality::Ttft, &models, Order::Best), &before);
            prop_assert!(before.standings.iter().any(|standing| standing.rank == 1));
        }
    }
}
