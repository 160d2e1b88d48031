//! `llmlab profile` as its users know it: what it prints, what it exports, and how it ends.

mod console;
mod ends;
mod figures;
mod truth;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use llmlab::mock::{Mock, MockConfig};
use llmlab::settings::VARIABLES;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::Ran;

/// A directory to profile in.
struct Lab(TempDir);

impl Lab {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
        command.args(args).current_dir(self.0.path());
        let names = VARIABLES.map(|variable| variable.name);
        names.iter().chain(&["LITELLM_API_KEY", "NO_COLOR"]).for_each(|name| {
            command.env_remove(name);
        });
        command.env("LLMLAB_SELFTEST", "off");
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().expect("the command runs"))
    }

    /// Profiles `mock`.
    fn profile(&self, mock: &Mock, args: &[&str]) -> Ran {
        self.run(&[&["profile"], args, &["--url", &mock.url()]].concat())
    }

    /// Begins to profile `url`.
    fn begin(&self, url: &str, args: &[&str]) -> Child {
        let mut command = self.command(&[&["profile"], args, &["--url", url]].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.path(name)).expect("the file is there")).expect("JSON")
    }

    /// The whole lines of a file so far.
    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(str::to_owned).collect()
    }
}

fn mock() -> Mock {
    Mock::start(MockConfig::default()).expect("the mock starts")
}

fn wait_until(done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(done());
}

/// A field of every measurement, as numbers.
fn numbers(measurements: &Value, field: &str) -> Vec<f64> {
    let all = measurements.as_array().expect("measurements").iter();
    all.map(|one| one[field].as_f64().unwrap_or_else(|| panic!("{field}: {one:#}"))).collect()
}
