//! `llmlab record`, what replays it, and the recordings that ship.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use llmlab::cassette::{Cassette, Ending, Recording};
use llmlab::mock::{Mock, MockConfig};
use llmlab::recorder::check;
use llmlab::report::results::Comparison;
use llmlab::settings::{Environment, VARIABLES};
use llmlab::wire::Dialect;
use regex::Regex;
use tempfile::TempDir;

use crate::support::{Bench, Ran, SMALL};

/// A directory to work in.
struct Lab(TempDir);

impl Lab {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
        command.args(args).current_dir(self.0.path());
        for variable in VARIABLES.map(|variable| variable.name).iter().chain(&["ANTHROPIC_API_KEY"]) {
            command.env_remove(variable);
        }
        command.env("LLMLAB_SELFTEST", "off");
        command
    }

    fn run(&self, args: &[&str], environment: &[(&str, &str)]) -> Ran {
        let mut command = self.command(args);
        Ran::of(command.envs(environment.iter().copied()).output().expect("llmlab runs"))
    }

    #[track_caller]
    fn done(&self, args: &[&str], environment: &[(&str, &str)]) -> Ran {
        let ran = self.run(args, environment);
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
        ran
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn cassette(&self, name: &str) -> Cassette {
        Cassette::read(&self.path(name)).expect("a cassette")
    }

    /// The result of the newest run.
    fn result(&self) -> Comparison {
        let files = fs::read_dir(self.path("results")).expect("results").flatten().map(|file| file.path());
        let newest = files.filter(|path| path.extension().is_some_and(|end| end == "json")).max();
        Comparison::read(&newest.expect("a result")).expect("a result")
    }
}

/// `llmlab record --proxy`, waiting.
struct Proxy {
    child: Child,
    url: String,
}

impl Proxy {
    fn start(lab: &Lab, upstream: &str) -> Self {
        let args = ["record", "--proxy", "--upstream", upstream, "--port", "0", "--out", "tape"];
        let mut command = lab.command(&args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("llmlab runs");
        let mut url = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut url).expect("a line");
        Self { child, url: url.trim().into() }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_recorded_run_is_replayed_round_by_round_and_no_further() {
    let lab = Lab::new();
    let only = ["--filter", "^streaming/(on|off)/50$"];
    // Given three rounds and one that warms up, recorded
    let recorded =
        lab.done(&[&["run", "streaming", "--runs", "3"], &only[..]].concat(), &[("LLMLAB_RECORD", "tape")]);
    assert!(recorded.stderr.contains("8 exchanges recorded in tape"), "{}", recorded.stderr);
    assert_eq!(lab.cassette("tape").rounds(), Some(4));
    // When more rounds are asked of the recording
    let ran = lab.done(&["run", "streaming", "--runs", "50"], &[("LLMLAB_TARGET", "cassette:tape")]);
    // Then there are three, said to be replayed, and of the arms that were recorded
    let replayed = lab.result();
    assert_eq!(replayed.provenance.truth.to_string(), "replayed (tape, recorded simulated)");
    assert_eq!(replayed.provenance.target, "cassette:tape");
    assert!(
        replayed.summary.iter().flat_map(|group| &group.arms).all(|arm| arm.metrics["total"].summary.n == 3)
    );
    assert!(
        ran.stderr.contains("recorded: 3 and one that warms up")
            && ran.stderr.contains("not in the cassette tape"),
        "{}",
        ran.stderr
    );
    // And a slower replay says that it is one
    let slowed = [("LLMLAB_TARGET", "cassette:tape"), ("LLMLAB_MOCK_SLOWDOWN", "2")];
    lab.done(&["run", "streaming"], &slowed);
    assert!(lab.result().provenance.truth.to_string().contains("slowed 2x"));
}

#[test]
fn a_recorded_bench_is_replayed_under_criterion() {
    let bench = Bench::new();
    let tape = bench.home().join("tape");
    let tape = tape.to_str().unwrap();
    let args = ["--bench", "--sample-size", "10", "--nresamples", "1001", "--noplot", SMALL];
    bench.run_in(&args, &[("LLMLAB_RECORD", tape)]).assert_requests(22);
    let target = format!("cassette:{tape}");
    let replayed = bench.run_in(&args[..1], &[("LLMLAB_TARGET", &target), ("LLMLAB_RUNS", "12")]);
    replayed.assert_requests(22);
    assert!(replayed.stderr.contains("replayed (tape, recorded simulated)"), "{}", replayed.stderr);
    // Fewer rounds than Criterion takes
    let few = Cassette::read(Path::new(tape)).unwrap().rounds();
    assert_eq!(few, Some(11));
    for file in fs::read_dir(tape).unwrap().flatten() {
        let recording = Recording::read(&file.path()).unwrap();
        if recording.recorded.draw.is_some_and(|draw| draw.round > 8) {
            fs::remove_file(file.path()).unwrap();
        }
    }
    let refused = bench.run_in(&args[..1], &[("LLMLAB_TARGET", &target)]);
    assert!(
        refused.code == Some(2) && refused.stderr.contains("those of the cassette are 8"),
        "{}",
        refused.stderr
    );
}

#[test]
fn prompts_and_tasks_are_recorded_streamed_and_not_and_replayed_to_the_matrix() {
    let lab = Lab::new();
    let args = ["record", "--prompt", "What is it?", "--scenario", "simple_factual", "--repeat", "2"];
    let ran = lab.done(&[&args[..], &["--out", "tape", "--engine", "a mock"]].concat(), &[]);
    assert!(ran.stderr.contains("8 exchanges recorded in tape"), "{}", ran.stderr);
    let cassette = lab.cassette("tape");
    let of = |stream| cassette.recordings().iter().filter(|one| one.request.stream == stream).count();
    assert_eq!((of(true), of(false)), (4, 4));
    assert!(cassette.recordings().iter().all(|one| one.recorded.engine.as_deref() == Some("a mock")));
    let matrix = ["matrix", "--scenarios", "simple_factual", "--toggles", "streaming"];
    lab.done(&matrix, &[("LLMLAB_TARGET", "cassette:tape")]);
    assert_eq!(lab.result().provenance.truth.word(), "replayed");
}

#[test]
fn the_proxy_keeps_what_was_over_when_it_is_killed() {
    let mock = Mock::start(MockConfig::default()).unwrap();
    let lab = Lab::new();
    let mut proxy = Proxy::start(&lab, &mock.url());
    let body = r#"{"model":"m","max_tokens":4,"messages":[{"role":"user","content":"Hi"}]}"#;
    for number in 1..=2 {
        let answer = post(&proxy.url, body);
        assert!(answer.contains("200 OK"), "{answer}");
        // Each is written a moment after its end
        let written =
            || Cassette::read(&lab.path("tape")).is_ok_and(|tape| tape.recordings().len() == number);
        let waited = (0..1000).any(|_| {
            written() || {
                std::thread::sleep(std::time::Duration::from_millis(5));
                false
            }
        });
        assert!(waited, "recording {number} is not written");
    }
    proxy.child.kill().unwrap();
    proxy.child.wait().unwrap();
    assert!(lab.cassette("tape").recordings().iter().all(|one| one.response.ending == Ending::Complete));
}

/// Posts a chat completion and reads all that comes.
fn post(url: &str, body: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(url.trim_start_matches("http://")).expect("the proxy");
    let head = format!("content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    write!(stream, "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{head}").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[cfg(unix)]
#[test]
fn an_interrupted_proxy_says_what_it_recorded() {
    let mock = Mock::start(MockConfig::default()).unwrap();
    let lab = Lab::new();
    let mut proxy = Proxy::start(&lab, &mock.url());
    post(&proxy.url, r#"{"model":"m","max_tokens":4,"messages":[{"role":"user","content":"Hi"}]}"#);
    let pid = proxy.child.id().to_string();
    Command::new("kill").args(["-INT", &pid]).status().unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut proxy.child.stderr.take().unwrap(), &mut said).unwrap();
    assert_eq!(proxy.child.wait().unwrap().code(), Some(130), "{said}");
    assert!(said.contains("1 exchange recorded in tape"), "{said}");
}

#[test]
fn what_cannot_be_recorded_or_replayed_is_refused_by_the_flag_at_fault() {
    let lab = Lab::new();
    let refused = |args: &[&str], environment: &[(&str, &str)], reason: &str| {
        let ran = lab.run(args, environment);
        assert!(
            ran.code == Some(2) && ran.stderr.contains(reason),
            "{args:?}: {:?} {}",
            ran.code,
            ran.stderr
        );
    };
    lab.done(&["record", "--prompt", "x", "--max-tokens", "2", "--no-stream", "--out", "tape"], &[]);
    refused(&["record"], &[], "--prompt");
    refused(&["record", "--proxy"], &[], "--upstream");
    refused(&["record", "--proxy", "--upstream", "localhost:1"], &[], "--upstream: base URL");
    refused(&["record", "--scenario", "nothing"], &[], "--scenario: there is no task `nothing`");
    refused(&["record", "--prompt", "x", "--out", "tape"], &[], "tape holds recordings already");
    refused(&["record", "--prompt", "x", "--stream", "--no-stream"], &[], "cannot be used with");
    refused(&["mock", "--cassette", "nowhere"], &[], "--cassette: could not read nowhere");
    refused(&["mock", "--check"], &[], "--cassette");
    let run = ["run", "streaming", "--quick"];
    refused(&run, &[("LLMLAB_TARGET", "cassette:nowhere")], "LLMLAB_TARGET=`cassette:nowhere`");
    refused(&run, &[("LLMLAB_TARGET", "cassette:tape")], "it is not in the cassette tape");
    let model = [("LLMLAB_TARGET", "cassette:tape"), ("LLMLAB_MODEL", "other")];
    refused(&run, &model, "no recording asks for other");
    let slowed = [("LLMLAB_TARGET", "cassette:tape"), ("LLMLAB_MOCK_SLOWDOWN", "streaming=2")];
    refused(&run, &slowed, "LLMLAB_MOCK_SLOWDOWN");
}

/// The recordings that ship. A new one finds its place here.
const SHIPPED: [(&str, Dialect); 2] =
    [("smollm2-anthropic", Dialect::Anthropic), ("smollm2-openai", Dialect::OpenAi)];

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cassettes")
}

#[tokio::test]
async fn every_cassette_that_ships_is_a_real_engines_and_replays_byte_for_byte() {
    let found = fs::read_dir(shipped()).unwrap().flatten().map(|entry| entry.file_name());
    let mut found: Vec<_> = found.map(|name| name.into_string().unwrap()).collect();
    found.sort();
    assert_eq!(found, SHIPPED.map(|(name, _)| name), "none is orphaned");
    for (name, dialect) in SHIPPED {
        let cassette = Arc::new(Cassette::read(&shipped().join(name)).unwrap());
        let recordings = cassette.recordings();
        for stream in [true, false] {
            assert!(recordings.iter().any(|one| one.request.stream == stream), "{name}: stream {stream}");
        }
        for one in recordings {
            assert_eq!((one.request.dialect, one.recorded.mode.as_str()), (dialect, "live"));
            let engine = one.recorded.engine.as_deref().unwrap_or_default();
            assert!(engine.contains("llama-server") && engine.contains("SmolLM2"), "{name}: {engine}");
            assert_eq!(one.ttft_ns().is_some(), one.request.stream);
        }
        let strict = Environment::of_process().get("LLMLAB_TEST_STRICT") == Some("1");
        let fidelity = check(cassette, 1.0, if strict { 5 } else { 1 }).await.unwrap();
        // A busy machine is late; a wrong player would be wrong by whole answers.
        let right = if strict { fidelity.is_acceptable() } else { fidelity.runs[0].p50_ns < 1e9 };
        assert!(right, "{fidelity:?}");
    }
}

#[test]
fn no_cassette_that_ships_holds_a_secret_or_is_large() {
    let secrets = Regex::new(
        r"(?i)sk-[a-z0-9_-]{8}|bearer |x-api-key|authorization|organization|cookie|\borg-|akia[0-9a-z]{8}|/(home|root|tmp|work)/",
    );
    let secrets = secrets.unwrap();
    let mut bytes = 0;
    for (name, _) in SHIPPED {
        for file in fs::read_dir(shipped().join(name)).unwrap().flatten() {
            let text = fs::read_to_string(file.path()).unwrap();
            bytes += text.len();
            let secret = secrets.find(&text).map(|found| found.as_str());
            assert_eq!(secret, None, "{}", file.path().display());
        }
    }
    assert!((1..250_000).contains(&bytes), "{bytes} bytes");
}

#[test]
fn the_check_prints_its_figures_and_decides_by_them() {
    let lab = Lab::new();
    let tape = shipped().join("smollm2-openai");
    let ran = lab.run(&["mock", "--cassette", tape.to_str().unwrap(), "--check", "--runs", "1"], &[]);
    let within = ran.stdout.contains("\nwithin 2.00 ms at p99");
    assert_eq!(ran.code, Some(if within { 0 } else { 1 }), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("replayed (smollm2-openai, recorded live) · 8 recordings"), "{}", ran.stdout);
}
