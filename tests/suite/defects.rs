//! A prediction whose assumption does not hold fails, and says so.

use std::sync::Arc;

use llmlab::experiment::{ArmSummary, Group, GroupSummary, compare};
use llmlab::mock::Defect;
use llmlab::optimization::{ALL, Optimization, find};
use llmlab::session::Session;
use llmlab::settings::{Settings, TargetKind};
use llmlab::verdict::sentences;

async fn with(defect: Defect, group: Group) -> GroupSummary {
    let mut settings = Settings::simulated();
    let TargetKind::Mock(mock) = &mut settings.target else { panic!("the mock") };
    mock.defect = Some(defect);
    let session = Session::start(settings).await.expect("the mock starts");
    compare(&Arc::new(session), group, 3).await.expect("rounds")
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

/// Every group with a prediction says that it fails in a world that does what its formula excludes.
async fn breaks(optimization: &Optimization) {
    for group in optimization.groups().into_iter().filter(|group| group.predict.is_some()) {
        let (name, defect) = (group.name.clone(), optimization.broken_by(&group.name));
        let summary = with(defect, shortened(group)).await;
        let primary = |arm: &ArmSummary| arm.metrics.get(&summary.primary)?.predicted.clone();
        let predicted: Vec<_> = summary.arms.iter().filter_map(primary).collect();
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
