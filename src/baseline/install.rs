//! From a baseline to where Criterion looks for one.

use std::fs;
use std::path::Path;

use super::files::unwritten;
use super::manifest::Manifest;
use super::{BaselineError, Mode, check_name};

/// What was installed of a bench.
#[derive(Debug, Clone)]
pub struct Installed {
    /// The bench.
    pub bench: String,
    /// Its benchmarks.
    pub benchmarks: usize,
    /// What answered when it was measured.
    pub mode: Mode,
    /// The class of the machine that measured it.
    pub machine: String,
}

/// Copies the newest run of each bench in the baseline `name`, or of one `bench`, to where `cargo bench -- --baseline NAME` and
/// `critcmp` look for it. A Criterion baseline of that name is replaced.
///
/// # Errors
/// When the baseline cannot be read whole, or Criterion's directory not be written.
pub fn install(
    directory: &Path,
    name: &str,
    bench: Option<&str>,
    criterion_home: &Path,
) -> Result<Vec<Installed>, BaselineError> {
    check_name(name)?;
    let root = directory.join(name);
    let manifest = Manifest::read(&root, name)?;
    let newest = |(bench, entry): (&String, &super::manifest::BenchEntry)| {
        Ok((bench.clone(), entry.clone(), entry.files(&root, bench, entry.runs.len() - 1)?))
    };
    // Everything is read, and held to its hashes, before anything is written.
    let wanted = manifest.benches.iter().filter(|(name, _)| bench.is_none_or(|bench| bench == *name));
    let benches = wanted.map(newest).collect::<Result<Vec<_>, BaselineError>>()?;
    if let (true, Some(bench)) = (benches.is_empty(), bench) {
        return Err(BaselineError::NoBench { name: name.into(), bench: bench.into() });
    }
    let mut installed = Vec::new();
    for (bench, entry, files) in benches {
        for (benchmark, files) in entry.benchmarks.iter().zip(&files) {
            let target = criterion_home.join(&benchmark.directory).join(name);
            if target.exists() {
                fs::remove_dir_all(&target).map_err(unwritten(&target))?;
            }
            files.write(&target)?;
        }
        installed.push(Installed {
            bench,
            benchmarks: entry.benchmarks.len(),
            mode: entry.fits.mode,
            machine: entry.machine_class,
        });
    }
    Ok(installed)
}
