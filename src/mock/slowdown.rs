//! What slows single groups or arms on purpose: a known regression of one side alone.

use std::collections::BTreeMap;

use crate::seed::DrawId;

/// The factor of the longest path in `slowed` that names `draw`'s group and arm or a part of them; 1 if none
/// does. `caching` names all arms of the groups under it, `caching/cached` the arm at every position of the
/// sweep, `caching/cached/1500` the arm at one.
pub(super) fn factor(slowed: &BTreeMap<String, f64>, draw: &DrawId) -> f64 {
    // A repeat or a branch of an arm's turn is the same arm.
    let arm = draw.stream.split(['~', '#']).next().unwrap_or_default();
    let full = format!("{}/{arm}", draw.scenario);
    let names =
        |path: &str| full.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let named = slowed.iter().filter(|(path, _)| names(path));
    named.max_by_key(|(path, _)| path.len()).map_or(1.0, |(_, factor)| *factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_that_ends_at_a_part_of_the_name_decides() {
        let slowed = BTreeMap::from([("caching".into(), 2.0), ("caching/cached".into(), 3.0)]);
        let draw = |scenario: &str, stream: &str| {
            factor(&slowed, &DrawId { scenario: scenario.into(), stream: stream.into(), ..DrawId::default() })
        };
        assert_eq!(draw("caching", "cached/1500"), 3.0);
        assert_eq!(draw("caching", "cached~2"), 3.0);
        assert_eq!(draw("caching", "cached/1500#worker"), 3.0);
        assert_eq!(draw("caching", "cached-longer/1500"), 2.0);
        assert_eq!(draw("caching/automatic", "warm"), 2.0);
        assert_eq!(draw("cachings", "cached"), 1.0);
    }
}
