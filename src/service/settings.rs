//! What the service was told, checked before it starts.

use std::net::IpAddr;
use std::path::PathBuf;

use super::access::{Keys, KeysError};
use super::jobs::Capacity;
use super::schedule::Schedule;
use crate::settings::Environment;

/// A checked plan of a service.
#[derive(Debug)]
pub struct ServiceSettings {
    /// The address to listen on.
    pub host: IpAddr,
    /// The port of everything; 0 takes a free one.
    pub port: u16,
    /// A second port, where others expect the rankings; 0 takes a free one.
    pub rankings_port: Option<u16>,
    /// `sqlite:FILE` or `postgres://…`.
    pub database_url: String,
    /// `redis://…`; absent means this process's own memory.
    pub redis_url: Option<String>,
    /// Where results lie, and jobs put theirs.
    pub output_dir: PathBuf,
    /// Where Criterion puts its reports.
    pub criterion_dir: PathBuf,
    /// The keys that are known; none means that this machine alone is served.
    pub keys: Keys,
    /// How many jobs are taken on.
    pub capacity: Capacity,
    /// Requests a second that one key may send; 0 for any number.
    pub rate: u32,
    /// Whether a missing key is replied to with 422, as the first rankings service did.
    pub compat: bool,
    /// What is done again and again.
    pub schedule: Schedule,
    /// The plan that jobs start from.
    pub environment: Environment,
}

impl ServiceSettings {
    /// The keys to serve with, and the text of the one that was made up, if one was.
    ///
    /// # Errors
    /// When other machines would be served without a key, or with one that can be guessed.
    pub(super) fn keys(&mut self) -> Result<(Keys, Option<String>), KeysError> {
        if !self.host.is_loopback() {
            self.keys.check_for(&self.host.to_string())?;
        }
        if self.keys.is_empty() {
            let (keys, text) = Keys::generate();
            return Ok((keys, Some(text)));
        }
        Ok((std::mem::replace(&mut self.keys, Keys::new(None, None)?), None))
    }
}
