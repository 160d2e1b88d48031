//! Jobs: benchmarks that somebody asked for over the network, one after another.
//!
//! A job is run by the same code as `llmlab run`, on a thread and a runtime of its own, so that whoever looks at the
//! service does not disturb what is measured. Its claim is renewed while it runs; once the process is gone the claim
//! runs out, and the job is marked as interrupted. Until it has ended, what it measured lies in a directory of its own.

mod benchmarks;
mod progress;
mod request;
mod result;
mod run;
mod runner;
mod watcher;

pub use benchmarks::{Benchmark, benchmarks, find};
pub use progress::{ArmFigures, ProgressUpdate};
pub use request::{DEFAULT_MAX_TOKENS, DEFAULT_RUNS, JobRequest};
pub use result::{from_directory, read, read_file};
pub use runner::{Capacity, Runner};

/// Whether a text has the form of a job's id.
pub(super) fn is_job_id(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
