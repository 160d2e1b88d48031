//! What a result is: simulated, replayed or live, and everything needed to judge or repeat it.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::wire::Dialect;

/// Where a figure comes from. It is printed with every figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Truth {
    /// The mock's engine model answered.
    Simulated {
        /// The engine that was simulated.
        profile: String,
        /// The factor on every simulated time.
        slowdown: f64,
        /// Further factors on the times of single groups or arms, by path.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        slowed: BTreeMap<String, f64>,
    },
    /// A recorded exchange answered.
    Replayed {
        /// The recording, and from what it was recorded.
        cassette: String,
        /// The factor on every recorded time.
        #[serde(default = "unchanged", skip_serializing_if = "is_unchanged")]
        slowdown: f64,
    },
    /// A real endpoint answered.
    Live,
}

impl Truth {
    /// The label's one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Simulated { .. } => "simulated",
            Self::Replayed { .. } => "replayed",
            Self::Live => "live",
        }
    }

    /// The truth that a mock states in its response header: `<profile>; slowdown=<x>`, or
    /// `cassette <label>; slowdown=<x>` where it replays one.
    pub fn of_mock_header(value: &str) -> Self {
        let (what, rest) = value.split_once(';').unwrap_or((value, ""));
        let slowdown = rest.trim().strip_prefix("slowdown=").and_then(|number| number.parse().ok());
        let slowdown = slowdown.unwrap_or(1.0);
        match what.trim().strip_prefix("cassette ") {
            Some(cassette) => Self::Replayed { cassette: cassette.into(), slowdown },
            None => Self::Simulated { profile: what.trim().into(), slowdown, slowed: BTreeMap::new() },
        }
    }
}

impl std::fmt::Display for Truth {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Simulated { profile, slowdown, slowed } => {
                write!(formatter, "simulated (mock, profile {profile}")?;
                if *slowdown != 1.0 {
                    write!(formatter, ", slowed {slowdown}x")?;
                }
                for (path, factor) in slowed {
                    write!(formatter, ", slowed {factor}x: {path}")?;
                }
                formatter.write_str(")")
            }
            Self::Replayed { cassette, slowdown } if *slowdown == 1.0 => {
                write!(formatter, "replayed ({cassette})")
            }
            Self::Replayed { cassette, slowdown } => {
                write!(formatter, "replayed ({cassette}, slowed {slowdown}x)")
            }
            Self::Live => formatter.write_str("live"),
        }
    }
}

fn unchanged() -> f64 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_unchanged(slowdown: &f64) -> bool {
    *slowdown == unchanged()
}

/// Everything needed to judge or repeat a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// This run's id: its start and a random part.
    pub run_id: String,
    /// When it started, RFC 3339 in UTC. A label: nothing is measured with the wall clock.
    pub started: String,
    /// Where the figures come from.
    #[serde(flatten)]
    pub truth: Truth,
    /// The target's name.
    pub target: String,
    /// The target's scheme, host and port.
    pub base_url: String,
    /// The dialect it answers in.
    pub dialect: Dialect,
    /// The model it is asked for.
    pub model: String,
    /// The seed of all randomness.
    pub seed: u64,
    /// The machine that measured.
    pub machine: Machine,
    /// The software that measured.
    pub versions: Versions,
}

/// The machine that measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory in mebibytes.
    pub memory_mib: u64,
    /// The operating system and its version.
    pub os: String,
    /// The processor's architecture.
    pub arch: String,
}

/// The software that measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// This crate's version.
    pub llmlab: String,
    /// The compiler that built it.
    pub rustc: String,
    /// The platform it was built for.
    pub platform: String,
    /// The commit of the repository in the working directory; absent outside one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commit: Option<String>,
}

impl Machine {
    /// This machine.
    pub fn here() -> Self {
        use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};
        let kinds = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(kinds).ok();
        let cpu = system
            .as_ref()
            .and_then(|system| system.cpus().first())
            .map_or("unknown", |cpu| cpu.brand())
            .trim();
        Self {
            cpu: cpu.into(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: system.as_ref().map_or(0, |system| system.total_memory() / (1024 * 1024)),
            os: System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.into()),
            arch: std::env::consts::ARCH.into(),
        }
    }

    /// What decides whether simulated figures of two machines may be compared: architecture, operating
    /// system and cores.
    pub fn class(&self) -> String {
        format!("{}-{}-{}c", self.arch, std::env::consts::OS, self.cores)
    }
}

impl Versions {
    /// This build, in the working directory's repository.
    pub fn here() -> Self {
        static HERE: OnceLock<Versions> = OnceLock::new();
        HERE.get_or_init(|| Self {
            llmlab: env!("CARGO_PKG_VERSION").into(),
            rustc: env!("BUILT_BY_RUSTC").into(),
            platform: env!("BUILT_FOR_PLATFORM").into(),
            commit: commit(),
        })
        .clone()
    }
}

fn commit() -> Option<String> {
    let output =
        Command::new("git").args(["rev-parse", "HEAD"]).output().ok().filter(|out| out.status.success())?;
    let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!commit.is_empty()).then_some(commit)
}

/// What the wall clock says: for labels, never for measuring.
#[expect(clippy::disallowed_methods, reason = "the wall clock is read here alone")]
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::try_from(std::time::SystemTime::now()).unwrap_or_default()
}

/// A run's start as RFC 3339, and an id made of it and a random part.
pub(crate) fn start_of_run() -> (String, String) {
    use std::hash::{BuildHasher, RandomState};
    let now = now();
    let random = RandomState::new().hash_one(std::process::id()) as u32;
    (rfc3339(now), format!("{}-{random:08x}", now.strftime("%Y%m%dT%H%M%SZ")))
}

/// A time as RFC 3339 in UTC.
pub(crate) fn rfc3339(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mock_says_what_it_is() {
        let truth = Truth::of_mock_header("fast; slowdown=1.3");
        let slowed = BTreeMap::new();
        assert_eq!(truth, Truth::Simulated { profile: "fast".into(), slowdown: 1.3, slowed });
        assert_eq!(truth.to_string(), "simulated (mock, profile fast, slowed 1.3x)");
    }

    #[test]
    fn a_mock_that_replays_says_so() {
        let truth = Truth::of_mock_header("cassette tea, recorded live; slowdown=1");
        assert_eq!((truth.word(), truth.to_string()), ("replayed", "replayed (tea, recorded live)".into()));
        let text = serde_json::to_string(&truth).unwrap();
        assert_eq!(serde_json::from_str::<Truth>(&text).unwrap(), truth, "{text}");
        assert!(Truth::of_mock_header("cassette tea; slowdown=2").to_string().contains("slowed 2x"));
    }

    #[test]
    fn what_is_slowed_on_purpose_is_said() {
        let slowed = BTreeMap::from([("caching/cached".into(), 1.3)]);
        let truth = Truth::Simulated { profile: "fast".into(), slowdown: 1.0, slowed };
        assert_eq!(truth.to_string(), "simulated (mock, profile fast, slowed 1.3x: caching/cached)");
    }

    #[test]
    fn the_machine_and_the_versions_are_known() {
        assert!(Machine::here().cores >= 1 && Machine::here().memory_mib > 0);
        assert!(Versions::here().rustc.contains("rustc"), "{:?}", Versions::here());
    }

    #[test]
    fn two_runs_have_two_ids() {
        assert_ne!(start_of_run().1, start_of_run().1);
    }
}
