//! A baseline beside what came after it, bench by bench.

use std::path::Path;

use super::{Baseline, BaselineError, BenchRuns, latest_run};

/// Two sides of a bench.
#[derive(Debug)]
pub struct Pair<'a> {
    /// The earlier side.
    pub before: &'a BenchRuns,
    /// The later side.
    pub after: BenchRuns,
    /// The baseline that the earlier side is.
    pub name: &'a str,
    /// What the later side is.
    pub other: &'a str,
}

/// Each bench of a baseline, or the one that is named, beside the same bench of another baseline or else its latest
/// run; and what is missing where the baseline has other benches to show.
///
/// # Errors
/// When there is nothing to show.
pub fn pairs<'a>(
    before: &'a Baseline,
    other: Option<&'a Baseline>,
    criterion_home: &Path,
    bench: Option<&str>,
) -> Result<(Vec<Pair<'a>>, Vec<BaselineError>), BaselineError> {
    let missing = |name: &str, bench: &str| BaselineError::NoBench { name: name.into(), bench: bench.into() };
    let wanted = before.benches().iter().filter(|runs| bench.is_none_or(|bench| bench == runs.bench));
    let (mut pairs, mut lacking) = (Vec::new(), Vec::new());
    for old in wanted {
        let new = match other {
            Some(other) => other.bench(&old.bench).cloned().ok_or_else(|| missing(other.name(), &old.bench)),
            None => latest_run(criterion_home, &old.bench),
        };
        let (name, other) = (before.name(), other.map_or("the latest run", Baseline::name));
        match new {
            Ok(after) => pairs.push(Pair { before: old, after, name, other }),
            // Others may have what this one lacks.
            Err(error) if before.benches().len() > 1 && bench.is_none() => lacking.push(error),
            Err(error) => return Err(error),
        }
    }
    match (pairs.is_empty() && lacking.is_empty(), bench) {
        (true, Some(bench)) => Err(missing(before.name(), bench)),
        _ => Ok((pairs, lacking)),
    }
}
