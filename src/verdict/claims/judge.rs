//! Whether a claim holds where it was measured.

use serde::Serialize;

use super::data::{Claim, ClaimKind, Claimed};
use super::rank::Ranking;
use crate::experiment::{ArmSummary, GroupSummary};
use crate::stats::Interval;
use crate::verdict::grouped;

/// A figure of a claim is taken as rounded: a share this near to it is that share.
const ROUNDED: f64 = 0.03;
/// The same for a time, as a share of it.
const ROUNDED_TIME: f64 = 0.1;

/// A group's figures, and what they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// `simulated`, `replayed` or `live`, and by what.
    pub truth: String,
    /// The figures.
    pub summary: GroupSummary,
}

/// What is found of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It holds at every point measured.
    Supported,
    /// It holds at some points and not at others.
    SupportedOnlyWhere,
    /// It holds at no point measured.
    Contradicted,
    /// Nothing that could judge it was measured.
    NotMeasured,
    /// No measurement can judge it.
    NotJudged,
}

impl Standing {
    /// Whether figures decided it.
    pub fn is_found(self) -> bool {
        !matches!(self, Self::NotMeasured | Self::NotJudged)
    }
}

/// A claim at one operating point.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// The arm, with its position on the sweep.
    pub at: String,
    /// The position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<f64>,
    /// By which share the metric falls, with its 95% interval where there is one.
    pub reduction: Interval,
    /// What is saved, in nanoseconds; absent for a cost in dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saving_ns: Option<Interval>,
    /// The rounds.
    pub n: usize,
    /// Whether the claim holds here.
    pub holds: bool,
}

/// A claim with what was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// The claim's id.
    pub id: String,
    /// The optimisation that it is about.
    pub optimization: String,
    /// What it says.
    pub text: String,
    /// Who says it.
    pub kind: ClaimKind,
    /// Where.
    pub source: String,
    /// What was found.
    pub standing: Standing,
    /// Where it holds, or why nothing was found.
    pub reason: String,
    /// What the figures are: simulated, replayed or live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truth: Option<String>,
    /// The points that judged it.
    pub points: Vec<Point>,
}

/// Holds a claim against what was measured.
pub fn judge(claim: &Claim, measured: &[Measured], rankings: &[Ranking]) -> Judged {
    let (standing, reason, truth, points) = find(claim, measured, rankings);
    Judged {
        id: claim.id.clone(),
        optimization: claim.optimization.clone(),
        text: claim.text.clone(),
        kind: claim.kind,
        source: claim.source.clone(),
        standing,
        reason,
        truth,
        points,
    }
}

type Found = (Standing, String, Option<String>, Vec<Point>);

fn find(claim: &Claim, measured: &[Measured], rankings: &[Ranking]) -> Found {
    if let Some(why) = &claim.not_judged {
        return (Standing::NotJudged, why.clone(), None, Vec::new());
    }
    if let Some(toggle) = &claim.biggest {
        return biggest(toggle, rankings);
    }
    let (Some(group), Some(metric)) = (&claim.group, &claim.metric) else {
        return (Standing::NotMeasured, "no group of the lab measures it".into(), None, Vec::new());
    };
    let Some(measured) = measured.iter().find(|measured| measured.summary.name == *group) else {
        let reason = format!("measure it: cargo bench --bench {}", claim.optimization);
        return (Standing::NotMeasured, reason, None, Vec::new());
    };
    let points: Vec<_> = measured
        .summary
        .arms
        .iter()
        .filter(|arm| claim.arms.as_ref().is_none_or(|arms| arms.contains(&arm.name)))
        .filter(|arm| claim.at.as_ref().is_none_or(|at| arm.x.is_some_and(|x| at.contains(&x))))
        .filter_map(|arm| point(claim, metric, arm))
        .collect();
    let truth = Some(measured.truth.clone());
    if points.is_empty() {
        let reason = match &claim.at {
            Some(at) => {
                let at: Vec<_> = at.iter().map(|x| grouped(*x)).collect();
                let label = measured.summary.x_label.as_deref().unwrap_or_default();
                format!("{group} was not measured at {} {label}", at.join(", "))
            }
            None => format!("{group} was measured without {metric}"),
        };
        return (Standing::NotMeasured, reason, truth, points);
    }
    let holding = points.iter().filter(|point| point.holds).count();
    let standing = match points.len() - holding {
        0 => Standing::Supported,
        _ if holding > 0 => Standing::SupportedOnlyWhere,
        _ => Standing::Contradicted,
    };
    (standing, reason(standing, &measured.summary, &points), truth, points)
}

fn point(claim: &Claim, metric: &str, arm: &ArmSummary) -> Option<Point> {
    let (reduction, saving, n) = if metric == "cost" {
        let share = 1.0 - arm.cost?.versus_control?;
        (Interval { estimate: share, low: share, high: share }, None, arm.metrics.values().next()?.summary.n)
    } else {
        let paired = arm.metrics.get(metric)?.versus_control?;
        let ratio = paired.ratio;
        let reduction =
            Interval { estimate: 1.0 - ratio.estimate, low: 1.0 - ratio.high, high: 1.0 - ratio.low };
        (reduction, Some(paired.difference), paired.n)
    };
    Some(Point {
        at: arm.x.map_or_else(|| arm.name.clone(), |x| format!("{} at {}", arm.name, grouped(x))),
        x: arm.x,
        reduction,
        saving_ns: saving,
        n,
        holds: holds(claim.claimed(), &reduction, saving.as_ref()),
    })
}

/// Whether a promise fits a measurement: their intervals meet, the promise taken as rounded.
fn holds(claimed: Claimed, reduction: &Interval, saving: Option<&Interval>) -> bool {
    match claimed {
        Claimed::Share { low, high } => reduction.high >= low - ROUNDED && reduction.low <= high + ROUNDED,
        Claimed::UpTo(share) => reduction.high >= share - ROUNDED,
        Claimed::Saving { low, high } => saving.is_some_and(|saving| {
            saving.high >= low * (1.0 - ROUNDED_TIME) && saving.low <= high * (1.0 + ROUNDED_TIME)
        }),
        Claimed::Less => reduction.low > 0.0,
    }
}

/// `holds at 100, 250 answer tokens; 1.9% to 95.2% measured`.
fn reason(standing: Standing, summary: &GroupSummary, points: &[Point]) -> String {
    let names = |points: &mut dyn Iterator<Item = &Point>| {
        points.map(|point| point.at.as_str()).collect::<Vec<_>>().join(", ")
    };
    let percent = |share: f64| format!("{:.1}%", share * 100.0).replace('-', "−");
    let estimates = || points.iter().map(|point| point.reduction.estimate);
    let (least, most) =
        (estimates().fold(f64::INFINITY, f64::min), estimates().fold(f64::NEG_INFINITY, f64::max));
    let spread =
        if points.len() == 1 { percent(most) } else { format!("{} to {}", percent(least), percent(most)) };
    let x = summary.x_label.as_ref().map(|label| format!(" {label}")).unwrap_or_default();
    let n = points.iter().map(|point| point.n).min().unwrap_or_default();
    let less = format!("{spread} less measured, n = {n}");
    match standing {
        Standing::SupportedOnlyWhere => {
            let holding = names(&mut points.iter().filter(|point| point.holds));
            format!("holds for {holding}{x}; {less}")
        }
        Standing::Contradicted => format!("nowhere in {}: {less}", names(&mut points.iter())),
        _ => less,
    }
}

fn biggest(toggle: &str, rankings: &[Ranking]) -> Found {
    let rankings: Vec<_> = rankings.iter().filter(|ranking| ranking.has(toggle)).collect();
    if rankings.is_empty() {
        let reason = "rank the optimisations: llmlab matrix".into();
        return (Standing::NotMeasured, reason, None, Vec::new());
    }
    let truth = rankings.first().map(|ranking| ranking.truth.clone());
    let (wins, others): (Vec<&Ranking>, Vec<&Ranking>) =
        rankings.into_iter().partition(|ranking| ranking.first_are(toggle));
    let names = |rankings: &[&Ranking]| {
        rankings.iter().map(|ranking| ranking.task.as_str()).collect::<Vec<_>>().join(", ")
    };
    let (standing, reason) = match (wins.is_empty(), others.is_empty()) {
        (false, true) => (Standing::Supported, format!("first in {}", names(&wins))),
        (true, _) => (Standing::Contradicted, format!("first in none of {}", names(&others))),
        _ => (Standing::SupportedOnlyWhere, format!("first in {}; not in {}", names(&wins), names(&others))),
    };
    (standing, reason, truth, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(low: f64, estimate: f64, high: f64) -> Interval {
        Interval { estimate, low, high }
    }

    #[test]
    fn a_promise_holds_where_its_interval_meets_the_measured_one() {
        let share = Claimed::Share { low: 0.6, high: 0.8 };
        assert!(holds(share, &interval(0.55, 0.56, 0.58), None));
        assert!(!holds(share, &interval(0.90, 0.93, 0.95), None));
        assert!(!holds(share, &interval(0.1, 0.2, 0.3), None));
        assert!(holds(Claimed::UpTo(0.85), &interval(0.9, 0.95, 0.96), None));
        assert!(!holds(Claimed::UpTo(0.85), &interval(0.6, 0.7, 0.8), None));
        let saving = Claimed::Saving { low: 50e6, high: 150e6 };
        assert!(holds(saving, &interval(0.1, 0.2, 0.3), Some(&interval(46e6, 47e6, 48e6))));
        assert!(!holds(saving, &interval(0.1, 0.2, 0.3), Some(&interval(1e6, 2e6, 3e6))));
        assert!(holds(Claimed::Less, &interval(0.01, 0.2, 0.3), None));
        assert!(!holds(Claimed::Less, &interval(-0.01, 0.2, 0.3), None));
    }
}
