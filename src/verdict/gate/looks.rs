//! A second look at suspects before anything fails, and a third.

use std::collections::BTreeSet;

use super::{Case, Kind, Outcome, Rules, Stage, Verdict, judge};

/// Judges `cases`, and looks again at what seems slower until nothing does or something fails, at most `looks`
/// times. Without looks it judges at once. `measure` is told the look, from 1, and the indices of the cases to
/// measure, suspects and their controls, and adds a run to each.
///
/// # Errors
/// When `measure` fails.
pub fn judge_in_looks<E>(
    cases: &mut [Case],
    kind: Kind,
    detect: f64,
    looks: usize,
    mut measure: impl FnMut(usize, &mut [Case], &BTreeSet<usize>) -> Result<(), E>,
) -> Result<Verdict, E> {
    let rules = |stage| Rules { kind, detect, stage };
    if looks == 0 {
        return Ok(judge(cases, &rules(Stage::Only)));
    }
    let mut verdict = judge(cases, &rules(Stage::First));
    for look in 1..=looks {
        for (case, judged) in cases.iter_mut().zip(&verdict.benchmarks) {
            case.suspect = judged.suspect;
        }
        let wanted = to_measure(cases);
        if wanted.is_empty() || verdict.outcome() == Outcome::Regression {
            break;
        }
        measure(look, cases, &wanted)?;
        verdict = judge(cases, &rules(Stage::Again { last: look == looks }));
    }
    Ok(verdict)
}

/// Suspects and their controls.
fn to_measure(cases: &[Case]) -> BTreeSet<usize> {
    let position = |id: &String| cases.iter().position(|case| case.id == *id);
    let suspects = (0..cases.len()).filter(|&index| cases[index].suspect);
    suspects
        .flat_map(|index| [Some(index), cases[index].control.as_ref().and_then(position)])
        .flatten()
        .collect()
}
