//! `llmlab load` as its users know it: what it sends, prints and writes, and how it ends.

mod endings;
mod requests;
mod results;
mod saturation;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use llmlab::catalog::Profile;
use llmlab::mock::{Mock, MockConfig};
use llmlab::settings::VARIABLES;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::Ran;

/// A directory to run in.
struct Lab(TempDir);

impl Lab {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).expect("the file is written");
    }

    /// `llmlab load` at this endpoint.
    fn command(&self, endpoint: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
        command.args(["load", "--endpoint", endpoint]).args(args).current_dir(self.0.path());
        for variable in VARIABLES.map(|variable| variable.name).iter().chain(&["NO_COLOR"]) {
            command.env_remove(variable);
        }
        command.env("LLMLAB_SELFTEST", "off");
        command
    }

    fn load(&self, endpoint: &str, args: &[&str]) -> Ran {
        Ran::of(self.command(endpoint, args).output().expect("the command runs"))
    }

    /// What it finds, as JSON on standard output.
    #[track_caller]
    fn found(&self, endpoint: &str, args: &[&str]) -> Value {
        let ran = self.load(endpoint, &[&["--json"], args].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        serde_json::from_str(&ran.stdout).expect("JSON on standard output")
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.file(name)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }
}

fn mock() -> Mock {
    Mock::start(MockConfig::default()).expect("the mock starts")
}

/// A mock that answers in so many milliseconds, so many requests at once, the first token and the last together.
fn serving(slots: usize, service_ms: u64) -> Mock {
    let profile = Profile {
        overhead: Duration::from_millis(service_ms),
        prefill: Duration::ZERO,
        decode: Duration::ZERO,
        slots,
        ..Profile::default().without_noise()
    };
    Mock::start(MockConfig { profile, ..MockConfig::default() }).expect("the mock starts")
}

fn generate(mock: &Mock) -> String {
    format!("{}/generate", mock.url())
}

fn openai(mock: &Mock) -> String {
    format!("{}/v1/chat/completions", mock.url())
}
