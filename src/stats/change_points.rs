//! Where a series changes its level for good.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// The chance that a series without a change shows one.
const FALSE_ALARMS: f64 = 0.025;
/// Orders drawn for each test.
const PERMUTATIONS: usize = 1_999;
/// The fewest values on either side of a change: one alone has no spread, and may be an outlier.
const SHORTEST: usize = 2;
/// The fewest values among which a change can stand out: of 9, 2 of the 126 ways to split them into 4 and 5
/// are as clear as a perfect step, and 2/126 is below 2.5%; of 8 it is 2/70, and is not.
pub const LEAST_FOR_CHANGE: usize = 9;

/// A change of level in a series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ChangePoint {
    /// The position, from 0, of the first value of the new level.
    pub index: usize,
    /// The median of the values since the change before, in their unit.
    pub before: f64,
    /// The median of the values up to the next change, in their unit.
    pub after: f64,
    /// The share of random orders that show as clear a change.
    pub p_value: f64,
}

/// The changes of level in `values`, which stand in the order of time, by position.
///
/// E-divisive (Matteson & James 2014, "A nonparametric approach for multiple change point analysis of
/// multivariate data", with exponent 1): the split that sets two stretches furthest apart by their energy
/// distance is a change when at most 2.5% of random orders inside the stretches show as large a distance;
/// then the next is looked for, until one fails. The first test is exact for values that could have come in
/// any order, whatever their distribution, so that a flat series shows a change in at most 2.5% of cases. The
/// t-test that Apache Otava (Hunter: Fleming et al. 2023) puts in the permutations' place would find smaller
/// steps at the very end, but its p-value ignores that the best of all splits was chosen, and it takes an
/// outlier for a level.
///
/// A slow drift shows as one or several steps. At least [`LEAST_FOR_CHANGE`] values are needed, and more for
/// a step close to an end. The work grows with the square of the length. Absent where a value is not finite.
pub fn change_points(values: &[f64], seed: u64) -> Option<Vec<ChangePoint>> {
    if !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    if values.len() < LEAST_FOR_CHANGE {
        return Some(Vec::new());
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut bounds = vec![0, values.len()];
    let mut found = Vec::new();
    while let Some(best) = best_split(values, &bounds) {
        let Some(p_value) = p_value(values, &bounds, best.distance, &mut random) else { break };
        let place = bounds.partition_point(|&bound| bound < best.index);
        bounds.insert(place, best.index);
        found.push((best.index, p_value));
    }
    found.sort_unstable_by_key(|&(index, _)| index);
    let level = |from: usize, to: usize| super::median(&super::sorted(&values[from..to]));
    let change = |(number, &(index, p_value)): (usize, &(usize, f64))| {
        let (before, after) = (level(bounds[number], index)?, level(index, bounds[number + 2])?);
        Some(ChangePoint { index, before, after, p_value })
    };
    found.iter().enumerate().map(change).collect()
}

/// A way to cut a stretch in two.
#[derive(Debug, Clone, Copy)]
struct Split {
    index: usize,
    distance: f64,
}

/// The best split of all stretches between `bounds`.
fn best_split(values: &[f64], bounds: &[usize]) -> Option<Split> {
    let stretches = bounds.windows(2).filter_map(|ends| {
        let split = split(&values[ends[0]..ends[1]])?;
        Some(Split { index: ends[0] + split.index, ..split })
    });
    stretches.max_by(|a, b| a.distance.total_cmp(&b.distance))
}

/// The split of one stretch with the largest energy distance between its sides.
fn split(values: &[f64]) -> Option<Split> {
    let gaps = |value: f64, others: &[f64]| others.iter().map(|other| (other - value).abs()).sum::<f64>();
    let total: f64 = (0..values.len()).map(|index| gaps(values[index], &values[..index])).sum();
    let (mut inside_left, mut inside_right) = (0.0, total);
    let mut best: Option<Split> = None;
    for index in 1..values.len() {
        let moved = values[index - 1];
        inside_left += gaps(moved, &values[..index - 1]);
        inside_right -= gaps(moved, &values[index..]);
        if index < SHORTEST || values.len() - index < SHORTEST {
            continue;
        }
        let (left, right) = (index as f64, (values.len() - index) as f64);
        let pairs = |count: f64| count * (count - 1.0) / 2.0;
        let between = total - inside_left - inside_right;
        let distance = left * right / (left + right)
            * (2.0 * between / (left * right) - inside_left / pairs(left) - inside_right / pairs(right));
        if best.is_none_or(|best| distance > best.distance) {
            best = Some(Split { index, distance });
        }
    }
    best
}

/// The share of orders, shuffled inside the stretches, whose best split is as far apart as `distance`; absent
/// as soon as it exceeds what a change may have.
fn p_value(values: &[f64], bounds: &[usize], distance: f64, random: &mut ChaCha8Rng) -> Option<f64> {
    let allowed = (FALSE_ALARMS * (PERMUTATIONS + 1) as f64) as usize;
    // The observed order counts as one of them, so that the test is exact.
    let mut as_far = 1;
    let mut shuffled = values.to_vec();
    // Sums in another order differ in their last digits.
    let least = distance - 1e-9 * distance.abs();
    for _ in 0..PERMUTATIONS {
        for ends in bounds.windows(2) {
            shuffled[ends[0]..ends[1]].shuffle(random);
        }
        as_far += usize::from(best_split(&shuffled, bounds).is_some_and(|split| split.distance >= least));
        if as_far > allowed {
            return None;
        }
    }
    Some(as_far as f64 / (PERMUTATIONS + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand_distr::{Distribution, LogNormal, Normal};

    const SEED: u64 = 20;

    fn indexes(values: &[f64]) -> Vec<usize> {
        change_points(values, SEED).unwrap().iter().map(|change| change.index).collect()
    }

    fn false_alarms(n: usize, noise: impl Distribution<f64>) -> f64 {
        let alarmed = |seed: &u64| {
            let values: Vec<_> = ChaCha8Rng::seed_from_u64(*seed).sample_iter_of(&noise, n);
            !change_points(&values, *seed).unwrap().is_empty()
        };
        (0..1_000).filter(alarmed).count() as f64 / 1_000.0
    }

    trait Draws {
        fn sample_iter_of(&mut self, noise: &impl Distribution<f64>, n: usize) -> Vec<f64>;
    }

    impl Draws for ChaCha8Rng {
        fn sample_iter_of(&mut self, noise: &impl Distribution<f64>, n: usize) -> Vec<f64> {
            (0..n).map(|_| noise.sample(self)).collect()
        }
    }

    #[test]
    fn a_step_at_the_sixth_of_ten_values_is_found_there() {
        let values = [820.0, 845.0, 812.0, 830.0, 841.0, 985.0, 1010.0, 992.0, 978.0, 1003.0];
        let changes = change_points(&values, SEED).unwrap();
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert_eq!((changes[0].index, changes[0].before, changes[0].after), (5, 830.0, 992.0));
        assert!(changes[0].p_value <= FALSE_ALARMS);
    }

    #[test]
    fn a_step_without_any_noise_is_found_and_a_flat_line_is_none() {
        assert_eq!(indexes(&[1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0]), [5]);
        assert_eq!(indexes(&[7.0; 40]), [0_usize; 0]);
    }

    #[test]
    fn two_steps_are_found_in_a_longer_series() {
        let mut random = ChaCha8Rng::seed_from_u64(SEED);
        let noise = random.sample_iter_of(&Normal::new(0.0, 3.0).unwrap(), 40);
        let level = |index: usize| if (15..28).contains(&index) { 130.0 } else { 100.0 };
        let values: Vec<_> = noise.iter().enumerate().map(|(index, off)| level(index) + off).collect();
        assert_eq!(indexes(&values), [15, 28]);
    }

    #[test]
    fn one_outlier_is_no_change_of_level() {
        assert_eq!(indexes(&[10.0, 11.0, 10.5, 10.2, 90.0, 10.8, 10.1, 10.9, 10.4, 10.6]), [0_usize; 0]);
    }

    #[test]
    fn fewer_values_than_needed_show_nothing_and_just_enough_can() {
        let step = |n: usize| (0..n).map(|index| if index < n / 2 { 1.0 } else { 9.0 }).collect::<Vec<_>>();
        assert_eq!(indexes(&step(LEAST_FOR_CHANGE - 1)), [0_usize; 0]);
        assert_eq!(indexes(&step(LEAST_FOR_CHANGE)), [4]);
    }

    #[test]
    fn a_flat_series_rarely_alarms_whatever_its_noise() {
        let normal = false_alarms(10, Normal::new(100.0, 5.0).unwrap());
        let skewed = false_alarms(30, LogNormal::new(0.0, 1.0).unwrap());
        assert!(normal <= 0.05 && skewed <= 0.05, "{normal} {skewed}");
    }

    #[test]
    fn values_that_are_not_finite_make_the_result_absent() {
        assert_eq!(change_points(&[1.0, f64::NAN], SEED), None);
        assert_eq!(change_points(&[], SEED), Some(vec![]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn scale_shift_and_direction_change_nothing(
            values in prop::collection::vec(1.0..100.0_f64, 0..24), step in 0.0..200.0_f64, at in 0..24_usize,
        ) {
            let stepped: Vec<_> =
                values.iter().enumerate().map(|(index, v)| v + if index >= at { step } else { 0.0 }).collect();
            let moved: Vec<_> = stepped.iter().map(|value| 4.0 * value - 64.0).collect();
            prop_assert_eq!(indexes(&stepped), indexes(&moved));
        }

        #[test]
        fn changes_are_in_order_and_leave_two_values_a_side(values in prop::collection::vec(0.0..9.0_f64, 0..40)) {
            let mut bounds = vec![0];
            bounds.extend(indexes(&values));
            bounds.push(values.len());
            prop_assert!(bounds.len() == 2 || bounds.windows(2).all(|ends| ends[1] - ends[0] >= SHORTEST));
        }
    }
}
