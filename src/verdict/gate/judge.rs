//! The judgement: estimates, their adjustment, and a decision for each benchmark.

use super::estimate::{Estimate, paired};
use super::live;
use super::shift;
use super::{ALPHA, Case, Decision, Judged, Kind, Rules, Shared, Stage, Verdict};
use crate::baseline::LIVE_RUNS;
use crate::metric::Unit;
use crate::stats::{holm, median, sorted};

/// The smallest margin of paired changes.
const MARGIN: f64 = 0.01;
/// The p-value, of a benchmark by itself, that makes it worth measuring again.
const NOTICED: f64 = 0.2;
/// Above this p-value a suspect is cleared before the last look.
const CLEARED: f64 = 0.1;
/// Below this adjusted p-value a suspect fails before the last look.
const BEYOND_DOUBT: f64 = 0.001;
/// The error of the instrument that a time may carry, in nanoseconds: the bound to which the lab's own test
/// against a server of known truth holds the median.
const INSTRUMENT_NS: f64 = 0.3e6;

/// A case with what was found of it.
#[derive(Clone)]
pub(super) struct Found<'a> {
    pub(super) case: &'a Case,
    pub(super) estimate: Option<Estimate>,
    /// The estimate before its correction; a change must show in both.
    pub(super) uncorrected: Option<Estimate>,
    /// The difference of logarithms that is no change.
    pub(super) margin: f64,
    /// What the estimate was corrected for.
    pub(super) note: Option<String>,
}

/// Judges the cases of one run against its baseline.
pub fn judge(cases: &[Case], rules: &Rules) -> Verdict {
    let (found, mut shared, between) = match rules.kind {
        Kind::Paired => {
            let (found, shared) = find_paired(cases);
            (found, shared, None)
        }
        Kind::Ratio => live::find(cases),
    };
    // What slowed everything is looked at again before it fails, too.
    let mut all_suspect = false;
    if let (Stage::First, Some(shared)) = (rules.stage, &mut shared) {
        all_suspect = shared.decision == Decision::Regression;
        if all_suspect {
            shared.decision = Decision::Pass;
        }
    }
    let calibrated = rules.kind == Kind::Paired || cases.iter().all(|case| case.baseline.len() >= LIVE_RUNS);
    let slower =
        adjusted(
            &found,
            |found, estimate| {
                if found.may_fail(rules.stage) { estimate.p_above(found.margin) } else { 1.0 }
            },
        );
    let faster = adjusted(&found, |found, estimate| estimate.p_below(found.margin));
    let tests = found.iter().filter(|found| found.is_tested()).count().max(1);
    // With a second look, a case has to be noticed first, alone; without, to stand out among all.
    let alpha = if rules.stage == Stage::Only { ALPHA / tests as f64 } else { NOTICED };
    let context = Context { rules, alpha, calibrated, all_suspect };
    let judged = found.iter().zip(slower.iter().zip(&faster));
    Verdict {
        kind: rules.kind,
        benchmarks: judged
            .map(|(found, (&slower, &faster))| found.judged(slower, faster, &context))
            .collect(),
        shared,
        between_runs: between.map(|variance| variance.sqrt().exp_m1()),
        calibrated,
    }
}

/// What all cases of a judgement have in common.
struct Context<'a> {
    rules: &'a Rules,
    /// The level at which a change is called detectable.
    alpha: f64,
    calibrated: bool,
    /// Whether everything is to be measured again.
    all_suspect: bool,
}

/// The p-values of a test: those of all gated cases adjusted together, the others as they are.
fn adjusted(found: &[Found<'_>], test: impl Fn(&Found<'_>, &Estimate) -> f64) -> Vec<f64> {
    let p: Vec<f64> = found
        .iter()
        .map(|found| found.estimates().map(|estimate| test(found, estimate)).reduce(f64::max).unwrap_or(1.0))
        .collect();
    let is_tested = |index: &usize| found[*index].is_tested();
    let tested: Vec<usize> = (0..p.len()).filter(is_tested).collect();
    let mut adjusted = p.clone();
    for (&index, p) in tested.iter().zip(holm(&tested.iter().map(|&index| p[index]).collect::<Vec<_>>())) {
        adjusted[index] = p;
    }
    adjusted
}

fn find_paired(cases: &[Case]) -> (Vec<Found<'_>>, Option<Shared>) {
    let mut found: Vec<_> = cases
        .iter()
        .map(|case| Found {
            case,
            estimate: paired(case),
            uncorrected: None,
            margin: margin(case),
            note: None,
        })
        .collect();
    // Only runs of one sitting can share a shift: after another look, those that were measured in it.
    let looks = cases.iter().map(|case| case.new.len()).max().unwrap_or(0);
    let tested = found.iter().filter(|found| found.is_tested()).count();
    let latest = || found.iter().filter(|found| found.is_tested() && found.case.new.len() == looks);
    let changes: Vec<f64> = latest().filter_map(|found| Some(found.estimate?.mean)).collect();
    let margin = latest().map(|found| found.margin).fold(MARGIN, f64::max);
    let limits: Vec<f64> = latest().map(|found| found.case.limit.ln_1p()).collect();
    let limit = median(&sorted(&limits)).unwrap_or(f64::INFINITY);
    let Some((shift, shared)) = shift::of_paired(&changes, tested, margin, limit) else {
        return (found, None);
    };
    // A shift that passes hides nothing: each benchmark keeps its own change.
    if shared.decision != Decision::Pass {
        for found in found.iter_mut().filter(|found| found.case.new.len() == looks) {
            found.uncorrected = found.estimate;
            found.estimate = found.estimate.map(|estimate| estimate.less(shift));
        }
    }
    (found, Some(shared))
}

/// 1%, or what the instrument cannot tell.
fn margin(case: &Case) -> f64 {
    let typical = middle(&case.baseline);
    if case.unit == Unit::Nanoseconds && typical > 0.0 { MARGIN.max(INSTRUMENT_NS / typical) } else { MARGIN }
        .ln_1p()
}

impl Found<'_> {
    /// Whether it is one of the tests that are adjusted together.
    fn is_tested(&self) -> bool {
        self.case.gated && self.estimate.is_some()
    }

    fn may_fail(&self, stage: Stage) -> bool {
        !matches!(stage, Stage::Again { .. }) || self.case.suspect
    }

    fn estimates(&self) -> impl Iterator<Item = &Estimate> {
        self.estimate.iter().chain(&self.uncorrected)
    }

    fn judged(&self, slower: f64, faster: f64, context: &Context<'_>) -> Judged {
        let case = self.case;
        let count = |runs: &[Vec<f64>]| runs.iter().map(Vec::len).sum();
        let detectable =
            self.estimate.map(|estimate| estimate.detectable(self.margin, context.alpha).exp_m1());
        Judged {
            id: case.id.clone(),
            metric: case.metric.clone(),
            unit: case.unit,
            gated: case.gated,
            decision: self.decision(slower, faster, context),
            n_baseline: count(&case.baseline),
            n_new: count(&case.new),
            before: middle(&case.baseline),
            after: middle(&case.new),
            change: self.estimate.map(|estimate| estimate.change()),
            p: self.is_tested().then_some(slower),
            detectable,
            limit: case.limit,
            suspect: self.is_tested() && context.all_suspect || self.is_suspect(context.rules.stage),
            note: self.note(context.rules),
        }
    }

    fn decision(&self, slower: f64, faster: f64, context: &Context<'_>) -> Decision {
        let doubt =
            |more| if context.calibrated { Decision::Inconclusive { more } } else { Decision::Uncalibrated };
        let Some(estimate) = self.estimate else {
            return if self.case.gated { doubt(None) } else { Decision::Pass };
        };
        let (limit, target) = (self.case.limit.ln_1p(), context.rules.detect.ln_1p());
        let fails = match context.rules.stage {
            Stage::First => 0.0,
            Stage::Again { last: false } => BEYOND_DOUBT,
            Stage::Only | Stage::Again { last: true } => ALPHA,
        };
        let would_fail = self.estimates().all(|estimate| estimate.mean >= limit);
        // A suspect that by its estimate would fail is no pass, even if it is no proof either.
        let lingers = context.rules.stage == Stage::Again { last: true }
            && self.case.suspect
            && would_fail
            && self.looks_slow(CLEARED);
        if slower < fails && would_fail {
            if context.calibrated { Decision::Regression } else { Decision::Uncalibrated }
        } else if faster < ALPHA && self.estimates().all(|estimate| estimate.mean <= -limit) {
            Decision::Improved
        } else if lingers || estimate.detectable(self.margin, context.alpha) > target {
            doubt(estimate.more(target, self.margin, context.alpha))
        } else {
            Decision::Pass
        }
    }

    /// Noticed alone, and at least half as slow as would fail it.
    fn looks_slow(&self, alpha: f64) -> bool {
        let looks_slow = |estimate: &Estimate| {
            estimate.p_above(self.margin) < alpha && estimate.mean >= self.case.limit.ln_1p() / 2.0
        };
        self.estimates().all(looks_slow)
    }

    fn is_suspect(&self, stage: Stage) -> bool {
        let alpha = match stage {
            Stage::Only | Stage::Again { last: true } => return false,
            Stage::First => NOTICED,
            Stage::Again { last: false } => CLEARED,
        };
        self.is_tested() && self.may_fail(stage) && self.looks_slow(alpha)
    }

    fn note(&self, rules: &Rules) -> Option<String> {
        let has_zero =
            || self.case.baseline.iter().chain(&self.case.new).flatten().any(|value| *value <= 0.0);
        match (rules.kind, &self.case.control, self.estimate) {
            (Kind::Ratio, None, _) => Some("the control: others are judged by their ratio to it".into()),
            (_, _, None) if has_zero() => Some("a value of 0 has no ratio to another".into()),
            (Kind::Ratio, Some(_), None) => Some("its control was not measured".into()),
            (Kind::Paired, _, None) => Some("too few rounds to pair".into()),
            _ if self.margin >= rules.detect.ln_1p() => Some(format!(
                "the instrument tells no less than {:.0}% apart here: a larger --detect, or `gate = false` in --rules",
                self.margin.exp_m1() * 100.0
            )),
            _ => self.note.clone(),
        }
    }
}

/// The median of all values.
fn middle(runs: &[Vec<f64>]) -> f64 {
    median(&sorted(&runs.concat())).unwrap_or(0.0)
}
