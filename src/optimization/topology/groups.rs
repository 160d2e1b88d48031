//! The groups of teams.

use std::sync::Arc;

use super::Speed;
use super::team::{Chain, HandOver, Team, Topology};
use crate::experiment::{Arm, ArmSummary, Conclude, Group, Known, Needs, Predict, Prediction};
use crate::metric::Metric;
use crate::scenario;

/// Numbers of specialists of the sweep.
pub const SPECIALISTS: [usize; 4] = [2, 3, 5, 8];
/// Tokens of the documents that each specialist works on, over the sweep of what is handed on.
pub const DOCUMENT_TOKENS: [u64; 1] = [1_000];

/// The most answer tokens where it is the number of calls that is asked about, not their length.
const SHORT: u32 = 6;

/// The topologies at one task, each against the hierarchy whose specialists work one after another.
pub fn topologies() -> Group {
    let group = Group {
        name: "topology".into(),
        question:
            "How long does each topology take to deliver? (flat_parallel: three parts and no joint answer)"
                .into(),
        metrics: vec![Metric::MAKESPAN, Metric::CRITICAL_PATH, Metric::SUPERVISOR_OVERHEAD],
        remarks: Some(Arc::new(|_| deliverables())),
        conclude: Some(supervisor_share()),
        ..Group::default()
    };
    of_teams(group, Topology::ALL.map(|topology| (topology.name(), None, Team::new(topology))).into())
}

/// One after another (the control) against all at once, for these numbers of specialists.
pub fn specialists(numbers: &[usize]) -> Group {
    let group = Group {
        name: "topology/specialists".into(),
        question: "What does each further specialist cost, one after another and at once? (The small model answers.)".into(),
        x_label: Some("specialists".into()),
        metrics: vec![Metric::MAKESPAN],
        ..Group::default()
    };
    let teams = numbers.iter().flat_map(|&specialists| {
        [Topology::HierSeq, Topology::HierPar].map(|topology| {
            let team = Team { specialists, answer_tokens: SHORT, small: true, ..Team::new(topology) };
            (topology.name(), Some(specialists as f64), team)
        })
    });
    of_teams(group, teams.collect())
}

/// What tasks of rising complexity are answered with at most, in tokens.
const COMPLEXITY: [u32; 3] = [4, 8, 16];

/// One agent (the control) against a hierarchy at once, for a simple, a medium and a complex task.
pub fn complexity() -> Group {
    let group = Group {
        name: "topology/complexity".into(),
        question: "What does a team take longer than one agent, for a simple, a medium and a complex task?"
            .into(),
        x_label: Some("answer tokens".into()),
        metrics: vec![Metric::MAKESPAN],
        ..Group::default()
    };
    let tasks = COMPLEXITY.into_iter().zip(&scenario::topology().questions[1..]);
    let teams = tasks.flat_map(|(answer_tokens, task)| {
        [Topology::FlatSingle, Topology::HierPar].map(|topology| {
            (topology.name(), Some(answer_tokens.into()), Team { task, answer_tokens, ..Team::new(topology) })
        })
    });
    of_teams(group, teams.collect())
}

/// Everything handed on (the control) against answers alone, one specialist after another, where each works on
/// documents of so many tokens.
pub fn context(document_tokens: &[u64]) -> Group {
    let group = Group {
        name: "topology/context".into(),
        question: "What does it save to hand on answers alone, and not the documents that they come from?"
            .into(),
        x_label: Some("document tokens".into()),
        metrics: vec![Metric::MAKESPAN],
        ..Group::default()
    };
    let teams = document_tokens.iter().flat_map(|&document_tokens| {
        [("everything", HandOver::Everything), ("answers", HandOver::Answers)].map(|(name, hand_over)| {
            let team =
                Team { document_tokens, hand_over, answer_tokens: SHORT, ..Team::new(Topology::HierSeq) };
            (name, Some(document_tokens as f64), team)
        })
    });
    of_teams(group, teams.collect())
}

/// The group with these teams as arms, the first one the control, and with what theory says of them.
fn of_teams(group: Group, teams: Vec<(&'static str, Option<f64>, Team)>) -> Group {
    let control = teams[0].0;
    let arms = teams.iter().map(|&(name, x, team)| Arm {
        x,
        needs: Needs { context_tokens: team.context_tokens(), ..Needs::default() },
        without: if team.topology.is_hierarchical() { vec![] } else { vec![Metric::SUPERVISOR_OVERHEAD] },
        ..Arm::new(name, team)
    });
    Group { control: control.into(), arms: arms.collect(), predict: Some(predict(control, teams)), ..group }
}

fn predict(control: &'static str, teams: Vec<(&'static str, Option<f64>, Team)>) -> Predict {
    Arc::new(move |known, arm, metric| {
        let team = |name: &str| teams.iter().find(|(own, x, _)| *own == name && *x == arm.x);
        let (control, own) = (chain(known, &team(control)?.2)?, chain(known, &team(&arm.name)?.2)?);
        let saving = match metric {
            metric if [Metric::MAKESPAN, Metric::CRITICAL_PATH].contains(metric) => {
                control.critical_path - own.critical_path
            }
            metric if *metric == Metric::SUPERVISOR_OVERHEAD => control.supervisor - own.supervisor,
            _ => return None,
        };
        Some(Prediction { saving, source: Speed::of(known, team(&arm.name)?.2.small)?.source() })
    })
}

/// What the calls of a team add up to in theory.
fn chain(known: &Known<'_>, team: &Team) -> Option<Chain> {
    let speed = Speed::of(known, team.small)?;
    let call = |tokens: &u64| speed.call(*tokens, team.answer_tokens);
    let times: Vec<Vec<f64>> =
        team.prompt_tokens().iter().map(|stage| stage.iter().map(call).collect()).collect();
    Some(Chain::of(&team.stages(), &times))
}

fn deliverables() -> Vec<String> {
    vec![
        "flat_single delivers one call's tokens, and flat_parallel three parts that nobody puts together: compare \
         the arms that deliver one answer of several agents, and judge what the others leave out."
            .into(),
    ]
}

/// What the supervisor takes of each hierarchy's time.
fn supervisor_share() -> Conclude {
    Arc::new(|_, summary| {
        let sentence = |arm: &ArmSummary| {
            let p50 = |metric: &Metric| Some(arm.metrics.get(metric.name())?.summary.p50);
            let (overhead, makespan) = (p50(&Metric::SUPERVISOR_OVERHEAD)?, p50(&Metric::MAKESPAN)?);
            let (shown, share) = (Metric::SUPERVISOR_OVERHEAD.show(overhead), overhead / makespan * 100.0);
            Some(format!(
                "{}: the supervisor takes {shown}, {share:.1}% of the makespan (medians).",
                arm.name
            ))
        };
        summary.arms.iter().filter_map(sentence).collect()
    })
}
