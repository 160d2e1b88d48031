//! Recorded exchanges on disk, and which of them answers a request.
//!
//! A [`Cassette`] is a directory with one JSON file for each exchange. Each is written in one step as its exchange
//! ends, so that a kill loses none that was over and exchanges under way at once never share a file; and a person
//! can read one, or delete one. A [`Recording`] keeps the bytes of the response as they were read, with the time of
//! each read since the request's first byte was written. What would identify an account never gets into it: headers
//! by a list of those that are kept, keys by their value and by their shape.
//!
//! **Which recording answers.** The first of these rules that finds any, and several that it finds take turns:
//! 1. A request that says which draw of the lab it is (its [`DrawId`]), of a group that was recorded: the recording
//!    of that draw, if the request differs in nothing but ids; no other rule is tried.
//! 2. The same body, its order of keys and what identifies a user left aside: [`hash`].
//! 3. The same dialect, model, prompt and choice of streaming, ids left aside.
//! 4. Only if that is asked for, whatever comes next in the same dialect.
//!
//! Ids are words of 32 hexadecimal digits, with hyphens or without, such as the lab's nonces and UUIDs.

mod chunk;
mod error;
mod matching;
mod recording;
mod scrub;

pub use chunk::Chunk;
pub use error::CassetteError;
pub use matching::{Request, hash};
pub use recording::{
    CASSETTE_SCHEMA_VERSION, Ending, Recorded, RecordedRequest, RecordedResponse, Recording, Taken,
};

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::seed::DrawId;
use crate::wire::Dialect;

/// The recordings of a directory, in the order of their names.
#[derive(Debug, Clone, PartialEq)]
pub struct Cassette {
    name: String,
    recordings: Vec<Recording>,
    /// The recordings that fit a key, by [`Request::keys`] and [`Recording::keys`].
    index: HashMap<u128, Vec<usize>>,
}

impl Cassette {
    /// Reads a directory.
    ///
    /// # Errors
    /// When it holds none, or one that cannot be replayed.
    pub fn read(directory: &Path) -> Result<Self, CassetteError> {
        let files = files(directory)?;
        let recordings =
            files.iter().map(|path| Recording::read(path)).collect::<Result<Vec<Recording>, _>>()?;
        if recordings.is_empty() {
            return Err(CassetteError::Empty { path: directory.into() });
        }
        let mut index: HashMap<u128, Vec<usize>> = HashMap::new();
        for (number, recording) in recordings.iter().enumerate() {
            for key in recording.keys() {
                index.entry(key).or_default().push(number);
            }
        }
        Ok(Self { name: name(directory), recordings, index })
    }

    /// The directory's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name, and from what it was recorded: `smollm2, recorded live`.
    pub fn label(&self) -> String {
        let modes: BTreeSet<&str> = self.recordings.iter().map(|r| r.recorded.mode.as_str()).collect();
        format!("{}, recorded {}", self.name, modes.into_iter().collect::<Vec<_>>().join(" and "))
    }

    /// The recordings.
    pub fn recordings(&self) -> &[Recording] {
        &self.recordings
    }

    /// The model of the first recording in each dialect, the dialect of the very first one in front.
    pub fn models(&self) -> Vec<(Dialect, &str)> {
        let mut models: Vec<(Dialect, &str)> = Vec::new();
        for request in self.recordings.iter().map(|recording| &recording.request) {
            if !models.iter().any(|(dialect, _)| *dialect == request.dialect) {
                models.push((request.dialect, &request.model));
            }
        }
        models
    }

    /// The numbers of the recordings that may answer `request`, by the first rule that finds any, with the rule's
    /// key; with `next`, the last rule is one of them.
    pub fn find(&self, request: &Request, next: bool) -> Option<(u128, &[usize])> {
        let drawn = request.draw.as_ref().is_some_and(|draw| self.has_group(&draw.scenario));
        request.keys(drawn, next).into_iter().find_map(|key| Some((key, self.index.get(&key)?.as_slice())))
    }

    /// Whether arms of a group of the lab were recorded.
    fn has_group(&self, group: &str) -> bool {
        self.draws().any(|draw| draw.scenario == group)
    }

    fn draws(&self) -> impl Iterator<Item = &DrawId> {
        self.recordings.iter().filter_map(|recording| recording.recorded.draw.as_ref())
    }

    /// Whether an arm of a group was recorded.
    pub fn has_arm(&self, group: &str, label: &str) -> bool {
        self.draws().any(|draw| draw.scenario == group && draw.arm() == label)
    }

    /// The rounds that were recorded of every arm, the one that warms up included; absent if the lab's arms were
    /// not recorded.
    pub fn rounds(&self) -> Option<u32> {
        let mut rounds: BTreeMap<(&str, &str), u32> = BTreeMap::new();
        for draw in self.draws() {
            let last = rounds.entry((&draw.scenario, draw.arm())).or_default();
            *last = (*last).max(draw.round.saturating_add(1));
        }
        rounds.into_values().min()
    }
}

/// The recordings of a directory by name; what is being written is not among them.
pub(crate) fn files(directory: &Path) -> Result<Vec<PathBuf>, CassetteError> {
    let unreadable = |source| CassetteError::Read { path: directory.into(), source };
    let entries = std::fs::read_dir(directory).map_err(unreadable)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let is_recording = |path: &PathBuf| {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        !hidden && path.extension().is_some_and(|extension| extension == "json")
    };
    let mut files: Vec<_> = paths.map_err(unreadable)?.into_iter().filter(is_recording).collect();
    files.sort();
    Ok(files)
}

/// A directory's name as a header can carry it.
fn name(directory: &Path) -> String {
    let full = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.into());
    let name = full.file_name().unwrap_or(full.as_os_str()).to_string_lossy().into_owned();
    name.chars().map(|c| if c.is_ascii_graphic() && c != ';' || c == ' ' { c } else { '?' }).collect()
}
