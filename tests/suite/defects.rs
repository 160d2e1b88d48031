//! A prediction whose assumption does not hold fails, and says so.

use std::sync::Arc;

use llmlab::experiment::{ArmSummary, Group, GroupSummary, compare};
use llmlab::mock::Defect;
use llmlab::optimization::ALL;
use llmlab::session::Session;
use llmlab::settings::{Settings, TargetKind};
use llmlab::verdict::sentences;

async fn with(defect: Defect, group: Group) -> GroupSummary {
    let mut settings = Settings::simulated();
    let TargetKind::Mock(mock) = &mut settings.target else { panic!("the mock") };
    mock.defect = Some(defect);
    let session = Session::start(settings).await.expect("the mock starts");
    compare(&Arc::new(session), group, 4).await.expect("rounds")
}

/// The group with the two last positions of its sweep, where the effect is largest.
fn shortened(mut group: Group) -> Group {
    let mut positions: Vec<f64> = group.arms.iter().filter_map(|arm| arm.x).collect();
    positions.sort_by(f64::total_cmp);
    positions.dedup();
    let least = positions.iter().rev().nth(1).copied();
    group.arms.retain(|arm| arm.x.zip(least).is_none_or(|(x, least)| x >= least));
    group
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prediction_fails_where_its_assumption_does_not_hold() {
    for optimization in &ALL {
        // Given a world that does what the formula excludes
        let group = optimization.groups().swap_remove(0);
        let summary = with(optimization.broken_by, shortened(group)).await;
        // Then the report says that the prediction fails
        let primary = |arm: &ArmSummary| arm.metrics.get(&summary.primary)?.predicted.clone();
        let predicted: Vec<_> = summary.arms.iter().filter_map(primary).collect();
        let failed = predicted.iter().filter(|predicted| !predicted.agrees).count();
        assert!(
            failed > 0 && 2 * failed >= predicted.len(),
            "{} agrees although it is {}: {predicted:?}",
            optimization.name,
            optimization.broken_by
        );
        let said = sentences(&summary).join("\n");
        assert!(said.contains("; not at"), "{}: {said}", optimization.name);
    }
}
