//! The project's binaries, and what the suites need to run them.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the member lies two levels deep")
        .to_owned()
}

#[expect(
    clippy::disallowed_methods,
    reason = "these suites see the project from outside; this is their one door"
)]
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// The program that the environment variable `name` switches a suite on with. Without it the suite is skipped
/// aloud, or fails if all are required.
pub(crate) fn switched_on(name: &str) -> Option<PathBuf> {
    let program = variable(name).map(PathBuf::from);
    let required = variable("LLMLAB_TEST_REQUIRE_ALL").is_some_and(|value| value == "1");
    assert!(program.is_some() || !required, "LLMLAB_TEST_REQUIRE_ALL=1, and {name} is not set");
    if program.is_none() {
        // Past the test harness, which would swallow it.
        let _ = writeln!(io::stderr(), "skipped: {name} is not set");
    }
    program
}

/// The built benches and the command, by name.
static BINARIES: LazyLock<BTreeMap<String, PathBuf>> = LazyLock::new(|| {
    let cargo = variable("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    // What cargo tells a test about its package would make build scripts that watch it run again, each time.
    let package = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    without(&mut build, |name| package.iter().any(|start| name.starts_with(start)));
    let build = build
        .args(["build", "--locked", "--bin", "llmlab", "--bench", "caching", "--features", "full"])
        .arg("--message-format=json")
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(build.status.success(), "cargo build: {}", build.status);
    let messages =
        build.stdout.lines().map(|line| serde_json::from_str::<Value>(&line.expect("text")).expect("JSON"));
    messages
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?.to_owned();
            Some((name, message["executable"].as_str()?.into()))
        })
        .collect()
});

/// A command of a built binary, free of the settings under which the suite itself runs.
pub(crate) fn command(name: &str) -> Command {
    let mut command = Command::new(&BINARIES[name]);
    command.current_dir(root());
    without(&mut command, |name| name.starts_with("LLMLAB_"));
    command
}

/// Keeps the variables that `unwanted` picks from a command.
#[expect(clippy::disallowed_methods, reason = "names alone are read, to keep them from a child process")]
fn without(command: &mut Command, unwanted: impl Fn(&str) -> bool) {
    for name in env::vars_os().map(|(name, _)| name).filter(|name| unwanted(&name.to_string_lossy())) {
        command.env_remove(name);
    }
}

/// A measuring run of the bench `caching`, small enough for a test, with its files in a directory of its own.
pub(crate) struct BenchRun {
    home: tempfile::TempDir,
    pub(crate) output: Output,
}

impl BenchRun {
    /// Runs the benchmarks that `filter` selects.
    pub(crate) fn of(filter: &str, more: &[&str], settings: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let output = command("caching")
            .args(["--bench", "--sample-size", "10", "--nresamples", "1000", filter])
            .args(more)
            .env("CRITERION_HOME", home.path())
            .envs(settings.iter().copied())
            .output()
            .expect("the bench starts");
        let run = Self { home, output };
        assert!(run.output.status.success(), "{}: {}", run.output.status, run.stderr());
        run
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Criterion's directory.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The one file of the run whose name ends so.
    pub(crate) fn file(&self, ending: &str) -> String {
        let directory = self.home().join("llmlab/caching");
        let files =
            fs::read_dir(&directory).expect("the run's directory").map(|entry| entry.expect("a file").path());
        let mut found = files.filter(|path| path.to_string_lossy().ends_with(ending));
        let file = found.next().unwrap_or_else(|| panic!("no {ending} in {}", directory.display()));
        assert_eq!(found.next(), None, "one run writes one {ending}");
        fs::read_to_string(file).expect("text")
    }
}

/// A running `llmlab mock`, which ends with this value.
pub(crate) struct MockCommand {
    child: Child,
    url: String,
    greeting: String,
}

impl MockCommand {
    /// Starts it on a free port.
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = command("llmlab")
            .args(["mock", "--port", "0"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("llmlab starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut line = || lines.next().expect("a line").expect("text");
        let url = line();
        let mut greeting = String::new();
        while !greeting.contains("simulated:") {
            greeting += &line();
            greeting.push('\n');
        }
        Self { child, url, greeting }
    }

    /// The URL that its first line says.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The rest of what it says at its start.
    pub(crate) fn greeting(&self) -> &str {
        &self.greeting
    }

    /// Posts JSON and returns the whole response.
    pub(crate) fn post(&self, path: &str, json: &str) -> String {
        let host = self.url.strip_prefix("http://").expect("an http URL");
        let mut stream = TcpStream::connect(host).expect("it listens");
        let length = json.len();
        write!(stream, "POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{json}")
            .expect("it reads");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("it answers");
        response
    }

    /// Ends it with a signal, and returns its exit code and what it said on standard error.
    #[cfg(unix)]
    pub(crate) fn end(mut self, signal: &str) -> (Option<i32>, String) {
        let sent =
            Command::new("kill").args([signal, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
        let mut stderr = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut stderr).expect("text");
        (self.child.wait().expect("it ends").code(), stderr)
    }
}

impl Drop for MockCommand {
    fn drop(&mut self) {
        // Either may find it gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
