//! `LLMLAB_MOCK_SLOWDOWN`: one factor on every simulated time, or factors on those of single arms.

use std::collections::BTreeMap;

use super::{Environment, SettingsError};

const NAME: &str = "LLMLAB_MOCK_SLOWDOWN";
const EXPECTED: &str = "expected a factor such as 1.3, or GROUP/ARM=FACTOR such as caching/cached=1.3, with commas between several";

/// The factor on every time, and further ones by the path of a group or an arm.
pub(super) fn read(environment: &Environment) -> Result<(f64, BTreeMap<String, f64>), SettingsError> {
    let misfit = |reason: &str| environment.misfit(NAME, reason);
    let mut all = None;
    let mut slowed = BTreeMap::new();
    for item in environment.get(NAME).into_iter().flat_map(|text| text.split(',')).map(str::trim) {
        let (path, factor) = match item.rsplit_once('=') {
            Some((path, factor)) => (Some(path.trim()), factor.trim()),
            None => (None, item),
        };
        let factor: f64 = factor.parse().map_err(|_| misfit(EXPECTED))?;
        if !(factor > 0.0 && factor < 1e3) {
            return Err(misfit("a factor must lie between 0 and 1000"));
        }
        let before = match path {
            None => all.replace(factor),
            Some(path) if path.split('/').any(str::is_empty) => return Err(misfit(EXPECTED)),
            Some(path) => slowed.insert(path.to_owned(), factor),
        };
        if before.is_some() {
            return Err(misfit("it names the same twice"));
        }
    }
    Ok((all.unwrap_or(1.0), slowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Result<(f64, Vec<(String, f64)>), String> {
        let read = read(&Environment::of(&[(NAME, value)]));
        read.map(|(all, slowed)| (all, slowed.into_iter().collect())).map_err(|error| error.to_string())
    }

    #[test]
    fn a_number_slows_everything_and_a_path_what_it_names() {
        assert_eq!(parsed(""), Ok((1.0, vec![])));
        assert_eq!(parsed("1.3"), Ok((1.3, vec![])));
        assert_eq!(parsed("caching/cached=1.3"), Ok((1.0, vec![("caching/cached".into(), 1.3)])));
        let both = Ok((2.0, vec![("a/b".into(), 3.0), ("c".into(), 0.5)]));
        assert_eq!(parsed("2, a/b=3, c=0.5"), both);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_an_example() {
        for value in ["fast", "a/b", "=1.3", "/a=1.3", "a//b=2", "a=", "1.3,", "a=b=c"] {
            let text = parsed(value).unwrap_err();
            assert!(text.contains(NAME) && text.contains("caching/cached=1.3"), "{value}: {text}");
        }
        for value in ["0", "-1", "a=inf", "NaN", "1.2,1.3", "a=2,a=3"] {
            assert!(parsed(value).is_err(), "{value}");
        }
    }
}
