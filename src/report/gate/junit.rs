//! A gate's findings for build servers.

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::{change, grounds, headline, medians, reason};
use crate::gate::{BenchReport, Report};
use crate::verdict::gate::{Decision, Judged};

/// One suite for each bench, one case for each gated benchmark: a regression fails, what is in doubt is
/// skipped with its reason. What moved everything alike is a case of its own.
///
/// # Errors
/// When the XML cannot be written.
pub fn report(report: &Report) -> Result<String, quick_junit::SerializeError> {
    let mut junit = Junit::new(format!("llmlab gate {}", report.baseline));
    for bench in &report.benches {
        junit.add_test_suite(suite(bench, &headline(report)));
    }
    junit.to_string()
}

fn suite(bench: &BenchReport, headline: &str) -> TestSuite {
    let mut suite = TestSuite::new(bench.bench.clone());
    suite.set_system_out(
        grounds(bench).into_iter().chain([headline.to_owned()]).collect::<Vec<_>>().join("\n"),
    );
    if let Some(shared) = &bench.verdict.shared {
        let text = super::shared(shared, bench.verdict.kind);
        suite.add_test_case(case("all benchmarks alike", &bench.bench, &shared.decision, text));
    }
    for judged in bench.verdict.benchmarks.iter().filter(|judged| judged.gated) {
        suite.add_test_case(case(&judged.id, &bench.bench, &judged.decision, sentence(judged)));
    }
    suite
}

fn case(name: &str, class: &str, decision: &Decision, text: String) -> TestCase {
    let status = match decision {
        Decision::Regression => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(text).set_type("regression");
            status
        }
        Decision::Inconclusive { .. } | Decision::Uncalibrated => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(text);
            status
        }
        Decision::Pass | Decision::Improved => TestCaseStatus::success(),
    };
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}

fn sentence(judged: &Judged) -> String {
    let change = judged.change.as_ref().map(change).unwrap_or_else(|| "–".into());
    let reason = reason(judged).map(|reason| format!("; {reason}")).unwrap_or_default();
    format!("{} p50 {}, change {change}{reason}", judged.metric, medians(judged))
}
