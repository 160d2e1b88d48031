//! A file for each state.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use futures::future::BoxFuture;

use super::{Kept, Store, StoreError, blocking};

const EXTENSION: &str = "json";

/// Files of one directory, named after supersteps. A name stands for a whole state: a file gets it when it is
/// written.
#[derive(Debug)]
pub(super) struct Files {
    home: PathBuf,
    fsync: bool,
}

impl Files {
    pub(super) fn new(home: &Path, fsync: bool) -> Self {
        Self { home: home.to_owned(), fsync }
    }
}

impl Store for Files {
    fn save(&self, superstep: u32, state: Vec<u8>) -> BoxFuture<'_, Result<(), StoreError>> {
        let (home, fsync) = (self.home.clone(), self.fsync);
        Box::pin(blocking(move || Ok(write(&home, superstep, &state, fsync)?)))
    }

    fn latest(&self) -> BoxFuture<'_, Result<Option<Kept>, StoreError>> {
        let home = self.home.clone();
        Box::pin(blocking(move || Ok(read_latest(&home)?)))
    }
}

fn path(home: &Path, superstep: u32) -> PathBuf {
    home.join(superstep.to_string()).with_extension(EXTENSION)
}

/// With `fsync`, the state is on the disk and so is its name: the directory is written out too.
fn write(home: &Path, superstep: u32, state: &[u8], fsync: bool) -> io::Result<()> {
    let path = path(home, superstep);
    let partial = path.with_extension("partial");
    let mut file = File::create(&partial)?;
    file.write_all(state)?;
    if fsync {
        file.sync_all()?;
    }
    fs::rename(&partial, &path)?;
    if fsync && cfg!(unix) {
        File::open(home)?.sync_all()?;
    }
    Ok(())
}

fn read_latest(home: &Path) -> io::Result<Option<Kept>> {
    let mut latest = None;
    for entry in fs::read_dir(home)? {
        let path = entry?.path();
        let named = path.extension().is_some_and(|extension| extension == EXTENSION);
        let superstep = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u32>().ok());
        latest = latest.max(superstep.filter(|_| named));
    }
    latest.map(|superstep| Ok((superstep, fs::read(path(home, superstep))?))).transpose()
}
