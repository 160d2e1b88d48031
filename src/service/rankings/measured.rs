//! From what was measured to rankings: models that were asked the same, by the same kind of engine.

use std::collections::{BTreeMap, BTreeSet};

use super::Ranking;
use crate::ranking::{Board, Order, POINTS, RankedMetric, Values};
use crate::service::store::Sample;

/// The samples that are looked at: the newest ones.
pub(super) const MOST_SAMPLES: i64 = 5_000;
/// The workloads that are ranked.
const MOST_WORKLOADS: usize = 50;

/// One workload's samples by metric and model, and when it was measured last.
#[derive(Default)]
struct Workload {
    last: usize,
    models: BTreeSet<String>,
    values: BTreeMap<(RankedMetric, String), Vec<f64>>,
}

/// Rankings of samples that stand in the order in which they were measured: those of the most models first, then those
/// of the most metrics, of live engines, and the newest.
pub(super) fn rankings(samples: Vec<Sample>) -> Vec<Ranking> {
    let mut workloads: BTreeMap<(String, String), Workload> = BTreeMap::new();
    for (number, sample) in samples.into_iter().enumerate() {
        let workload = workloads.entry((sample.mode, sample.workload)).or_default();
        workload.last = number;
        workload.models.insert(sample.llm_name.clone());
        let values = workload.values.entry((sample.metric, sample.llm_name)).or_default();
        values.extend(sample.values);
        // What is new counts: an engine may have become another one.
        values.drain(..values.len().saturating_sub(POINTS));
    }
    let mut workloads: Vec<_> = workloads.into_iter().collect();
    let precedence = |mode: &str| ["live", "replayed", "simulated"].iter().position(|known| *known == mode);
    workloads.sort_by(|((mode_a, _), a), ((mode_b, _), b)| {
        let models = b.models.len().cmp(&a.models.len()).then(b.metrics().cmp(&a.metrics()));
        let unknown = usize::MAX;
        let mode = precedence(mode_a).unwrap_or(unknown).cmp(&precedence(mode_b).unwrap_or(unknown));
        models.then(mode).then(b.last.cmp(&a.last))
    });
    workloads.truncate(MOST_WORKLOADS);
    workloads.into_iter().map(|((mode, name), workload)| workload.ranked(mode, name)).collect()
}

impl Workload {
    /// How many metrics were measured.
    fn metrics(&self) -> usize {
        self.values.keys().map(|(metric, _)| metric).collect::<BTreeSet<_>>().len()
    }

    fn ranked(self, mode: String, workload: String) -> Ranking {
        let boards = RankedMetric::ALL.map(|metric| {
            let of_metric = self.values.iter().filter(|((of, _), _)| *of == metric);
            let models = of_metric
                .map(|((_, model), values)| Values { llm_name: model.clone(), values: values.clone() });
            Board::of(metric, &models.collect::<Vec<_>>(), Order::Descending)
        });
        Ranking { workload, mode, boards: boards.to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(workload: &str, mode: &str, model: &str, values: &[f64]) -> Sample {
        let (workload, mode, llm_name) = (workload.into(), mode.into(), model.into());
        Sample { workload, mode, llm_name, metric: RankedMetric::Ttft, values: values.into() }
    }

    #[test]
    fn only_models_that_were_asked_the_same_stand_on_one_board() {
        let found = rankings(vec![
            sample("alone", "live", "a", &[9.0]),
            sample("both", "simulated", "a", &[1.0, 1.1]),
            sample("both", "simulated", "b", &[2.0, 2.1]),
            sample("both", "live", "a", &[5.0]),
        ]);
        let names: Vec<_> = found.iter().map(|ranking| (&*ranking.workload, &*ranking.mode)).collect();
        assert_eq!(names, [("both", "simulated"), ("both", "live"), ("alone", "live")]);
        assert_eq!(found[0].boards[0].standings.len(), 2);
        assert!(found[0].boards[1].standings.is_empty());
    }

    #[test]
    fn the_newest_values_count() {
        let many = vec![1.0; POINTS];
        let found = rankings(vec![sample("w", "live", "a", &many), sample("w", "live", "a", &[3.0; 500])]);
        let stats = &found[0].boards[0].standings[0].stats;
        assert_eq!((stats.n, stats.mean), (POINTS, 2.0));
    }
}
