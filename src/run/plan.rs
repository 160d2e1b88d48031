//! Before anything is sent: which arms, how many requests, and for how much.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::experiment::{Arm, Group, plan};
use crate::recorder::Recorder;
use crate::report::cassette::exchanges;
use crate::session::{Estimate, Session};
use crate::settings::TargetKind;

/// Groups with the indices of the arms that are asked.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The groups that have any.
    pub groups: Vec<(Arc<Group>, Vec<usize>)>,
    /// Arms that were wanted and that the target cannot run, with the reason.
    pub skipped: Vec<String>,
}

impl Selection {
    /// The arms that are `wanted` and that the session's target can run.
    pub fn of(session: &Session, groups: Vec<Group>, wanted: impl Fn(&Group, &Arm) -> bool) -> Self {
        let mut selection = Self::default();
        for group in groups {
            let dialect = session.dialect(group.dialect);
            let mut obstacles: BTreeMap<String, Vec<String>> = BTreeMap::new();
            let mut selected = Vec::new();
            for (index, arm) in group.arms.iter().enumerate().filter(|(_, arm)| wanted(&group, arm)) {
                let obstacle =
                    arm.obstacle(session, dialect).or_else(|| session.unrecorded(&group.name, &arm.label()));
                match obstacle {
                    None => selected.push(index),
                    Some(reason) => obstacles.entry(reason).or_default().push(arm.label()),
                }
            }
            let sentence = |(reason, arms): (String, Vec<String>)| {
                format!("{}: skipped {}: {reason}", group.name, arms.join(", "))
            };
            selection.skipped.extend(obstacles.into_iter().map(sentence));
            if !selected.is_empty() {
                selection.groups.push((Arc::new(group), selected));
            }
        }
        selection
    }
}

/// What `rounds` rounds of every group are expected to send and cost.
pub fn estimate(session: &Session, groups: &[(Arc<Group>, Vec<usize>)], rounds: u32) -> Estimate {
    let estimates = groups.iter().map(|(group, selected)| plan(session, group, selected, rounds));
    estimates.fold(Estimate { requests: 0, usd: Some(Default::default()) }, Estimate::and)
}

/// How much of a plan will be carried out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Extent {
    /// All of it.
    Whole(Estimate),
    /// As much as the verdicts need, between these two.
    Between(Estimate, Estimate),
}

/// What a person should know before the first request: how many, to whom, for how much, and what is left out.
pub fn announcement(session: &Session, extent: &Extent, skipped: &[String]) -> Vec<String> {
    let provenance = session.provenance();
    let (requests, usd, about) = match extent {
        Extent::Whole(whole) => (whole.requests.to_string(), whole.usd, "about"),
        Extent::Between(least, most) => {
            (format!("{} to {}", least.requests, most.requests), most.usd, "at most about")
        }
    };
    let cost = match (&session.settings().target, usd) {
        (TargetKind::Mock(_) | TargetKind::Cassette(_), _) => String::new(),
        (TargetKind::Live(_), Some(usd)) => format!(", and spend {about} {usd}"),
        (TargetKind::Live(_), None) => ", at a price that is not known (prices in llmlab.toml)".into(),
    };
    let mut lines = vec![format!(
        "will send {requests} requests to {} ({}){cost}",
        provenance.base_url, provenance.model
    )];
    if session.model(provenance.dialect).is_none() {
        lines.push(format!(
            "{} is no model that the lab knows: its prices and cache minimum are unknown",
            provenance.model
        ));
    }
    if let Some(recorder) = session.recorder() {
        let to = recorder.directory().display();
        lines.push(format!(
            "recorded to {to} by way of a proxy, whose own time is in the figures of this run and in no recording"
        ));
    }
    lines.extend(skipped.iter().cloned());
    lines
}

/// What the instrument says of itself after a run, as the end of a sentence.
pub fn doubts(session: &Session) -> String {
    let mut text = session.recorder().map(recorded).unwrap_or_default();
    if let Some(pacing) = session.pacing().filter(|pacing| pacing.n > 0) {
        let ms = |ns: u64| ns as f64 / 1e6;
        text += &format!(
            "; the mock wrote {:.2} ms late at p50, {:.2} ms at p99",
            ms(pacing.p50_ns),
            ms(pacing.p99_ns)
        );
    }
    let (late, sent) = (session.late_answers(), session.budget().used().requests);
    if late * 100 > sent {
        text += &format!(
            "; WARNING: {late} of {sent} answers waited more than 5 ms for this process, which is too busy to measure well"
        );
    }
    text + &format!(
        "; this client looked at an answer at most {:.1} ms late",
        session.client_lag().as_secs_f64() * 1e3
    )
}

/// What was recorded of a run.
fn recorded(recorder: &Recorder) -> String {
    let report = recorder.report();
    let at = recorder.directory().display();
    let lost =
        report.complaint.map(|complaint| format!("; WARNING: not all: {complaint}")).unwrap_or_default();
    format!("; {} recorded in {at}{lost}", exchanges(report.recorded))
}
