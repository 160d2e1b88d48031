//! Criterion's files: which there are, and what they hold.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::BaselineError;
use super::files::unwritten;

/// The id, title and directory of a benchmark.
pub(super) const BENCHMARK: &str = "benchmark.json";
/// Criterion's own estimates.
pub(super) const ESTIMATES: &str = "estimates.json";
/// The values.
pub(super) const SAMPLE: &str = "sample.json";

/// How deep below its own directory Criterion puts a benchmark: group, function, value.
const DEPTH: usize = 3;

/// What Criterion needs of a benchmark to compare with it, and `critcmp` as well: the bytes of three files.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Files {
    pub(super) directory: PathBuf,
    pub(super) benchmark: Vec<u8>,
    pub(super) estimates: Vec<u8>,
    pub(super) sample: Vec<u8>,
}

impl Files {
    /// Reads them from a directory such as `.../new`; an error comes with the file at fault.
    pub(super) fn read(directory: &Path) -> Result<Self, (PathBuf, io::Error)> {
        let read = |name| {
            let path = directory.join(name);
            fs::read(&path).map_err(|error| (path, error))
        };
        Ok(Self {
            directory: directory.to_owned(),
            benchmark: read(BENCHMARK)?,
            estimates: read(ESTIMATES)?,
            sample: read(SAMPLE)?,
        })
    }

    /// One value for each sample, in the order of rounds.
    pub(super) fn values(&self) -> Result<Vec<f64>, BaselineError> {
        let path = || self.directory.join(SAMPLE);
        values(&self.sample).map_err(|reason| BaselineError::Unreadable { path: path(), reason })
    }

    /// Writes them to a directory, which is made if need be.
    pub(super) fn write(&self, directory: &Path) -> Result<(), BaselineError> {
        fs::create_dir_all(directory).map_err(unwritten(directory))?;
        self.named().into_iter().try_for_each(|(name, bytes)| {
            let path = directory.join(name);
            fs::write(&path, bytes).map_err(unwritten(&path))
        })
    }

    /// Each with its name.
    fn named(&self) -> [(&'static str, &[u8]); 3] {
        [(BENCHMARK, &self.benchmark), (ESTIMATES, &self.estimates), (SAMPLE, &self.sample)]
    }
}

/// One value for each sample, in the order of rounds.
fn values(sample: &[u8]) -> Result<Vec<f64>, String> {
    #[derive(Deserialize)]
    struct Sample {
        iters: Vec<f64>,
        times: Vec<f64>,
    }
    let Sample { iters, times } = serde_json::from_slice(sample).map_err(|error| error.to_string())?;
    if iters.len() != times.len() || times.is_empty() {
        return Err(format!("it has {} iteration counts for {} times", iters.len(), times.len()));
    }
    let values: Vec<f64> = times.iter().zip(&iters).map(|(time, iterations)| time / iterations).collect();
    if values.iter().all(|value| value.is_finite()) {
        Ok(values)
    } else {
        Err("a value is not finite".into())
    }
}

/// A directory that `file` names, which must lie below the one it is joined to.
pub(super) fn relative<'a>(file: &Path, directory: &'a str) -> Result<&'a Path, BaselineError> {
    let path = Path::new(directory);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    if inside && !directory.is_empty() {
        return Ok(path);
    }
    let reason = format!("the directory `{directory}` is none below Criterion's");
    Err(BaselineError::Unreadable { path: file.to_owned(), reason })
}

/// The directory of every benchmark that Criterion measured, by id, as Criterion itself notes it.
pub(super) fn directories(criterion_home: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(criterion_home, DEPTH, &mut found);
    found
}

fn collect(directory: &Path, depth: usize, found: &mut BTreeMap<String, String>) {
    #[derive(Deserialize)]
    struct Benchmark {
        full_id: String,
        directory_name: String,
    }
    let text = fs::read(directory.join("new").join(BENCHMARK)).unwrap_or_default();
    if let Ok(benchmark) = serde_json::from_slice::<Benchmark>(&text) {
        found.insert(benchmark.full_id, benchmark.directory_name);
    }
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in entries.filter(|path| depth > 0 && path.is_dir()) {
        collect(&path, depth - 1, found);
    }
}
