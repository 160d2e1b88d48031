//! A prediction whose assumption does not hold fails, and says so.

use std::sync::Arc;

use llmlab::experiment::{ArmSummary, Group, GroupSummary, PredictedSaving, compare};
use llmlab::mock::Defect;
use llmlab::optimization::{ALL, Optimization, find};
use llmlab::session::Session;
use llmlab::settings::{Settings, TargetKind};
use llmlab::verdict::sentences;

/// Rounds until the prediction has failed: on a busy machine a delay can happen to make up for what the defect does
/// to a few rounds, and not to many.
const ROUNDS: [u32; 3] = [3, 9, 27];

async fn with(defect: Defect, group: Group, rounds: u32) -> GroupSummary {
    let mut settings = Settings::simulated();
    let TargetKind::Mock(mock) = &mut settings.target else { panic!("the mock") };
    mock.defect = Some(defect);
    let session = Session::start(settings).await.expect("the mock starts");
    compare(&Arc::new(session), group, rounds).await.expect("rounds")
}

/// The group at the last two positions of its sweep, where the effect is largest.
fn shortened(mut group: Group) -> Group {
    let mut positions: Vec<f64> = group.arms.iter().filter_map(|arm| arm.x).collect();
    positions.sort_by(f64::total_cmp);
    positions.dedup();
    let least = positions[positions.len().saturating_sub(2)..].first().copied();
    group.arms.retain(|arm| arm.x.zip(least).is_none_or(|(x, least)| x >= least));
    group
}

fn predicted(summary: &GroupSummary) -> Vec<PredictedSaving> {
    let primary = |arm: &ArmSummary| arm.metrics.get(&summary.primary)?.predicted.clone();
    summary.arms.iter().filter_map(primary).collect()
}

/// Every group with a prediction says that it fails in a world that does what its formula excludes.
async fn breaks(optimization: &Optimization) {
    for group in optimization.groups().into_iter().filter(|group| group.predict.is_some()) {
        let (name, defect) = (group.name.clone(), optimization.broken_by(&group.name));
        let mut summary = with(defect, shortened(group.clone()), ROUNDS[0]).await;
        for rounds in &ROUNDS[1..] {
            if predicted(&summary).iter().any(|predicted| !predicted.agrees) {
                break;
            }
            summary = with(defect, shortened(group.clone()), *rounds).await;
        }
        let predicted = predicted(&summary);
        assert!(
            predicted.iter().any(|predicted| !predicted.agrees),
            "{name} agrees although it is {defect}: {predicted:?}"
        );
        let said = sentences(&summary).join("\n");
        let says = said.contains("; not at") || said.contains("agrees with 0 of");
        assert!(says, "{name}: {said}");
    }
}

/// A test of its own for each optimisation, so that they run side by side.
macro_rules! a_prediction_fails_where_its_assumption_does_not_hold {
    ($($name:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            breaks(find(stringify!($name)).unwrap()).await;
        })*

        #[test]
        fn every_optimisation_is_broken_once() {
            assert_eq!([$(stringify!($name)),*].len(), ALL.len());
        }
    };
}

a_prediction_fails_where_its_assumption_does_not_hold! {
    streaming caching semantic_cache parallelism batching concurrency routing topology speculation connection
}
