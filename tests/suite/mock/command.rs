//! `llmlab mock` as a process: its settings, its ways in, its end.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use llmlab::mock::MockFile;
use serde_json::json;
use tempfile::TempDir;

use crate::support::Ran;

fn mock(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmlab"));
    command.arg("mock").args(args).current_dir(folder);
    command
}

fn run(folder: &Path, args: &[&str]) -> Ran {
    Ran::of(mock(folder, args).output().expect("the command runs"))
}

/// A running mock, which ends with this value.
struct Running {
    child: Child,
    url: String,
    greeting: String,
}

impl Running {
    fn start(folder: &Path, args: &[&str]) -> Self {
        let mut command = mock(folder, &[&["--port", "0"], args].concat());
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let url = lines.next().expect("a first line");
        let mut greeting = String::new();
        while !greeting.contains("simulated:") {
            greeting += &(lines.next().expect("a line that says what is simulated") + "\n");
        }
        Self { child, url, greeting }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended before.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

#[test]
fn the_settings_that_it_prints_are_settings_that_it_takes() {
    let folder = TempDir::new().unwrap();
    let flags = [
        &["--profile", "claude-sonnet-4.6", "--slowdown", "1.3", "--seed", "7", "--keep-bodies"][..],
        &["--fault", "status=529,retry-after=2,share=5%", "--fault", "cut,share=1%", "--limit-rpm", "50"],
        &["--limit-output-tpm", "8000", "--rtt", "50ms", "--tls", "--cert-out", "ca.pem", "--port", "8443"],
        &["--max-batch-size", "4", "--cache-ttl", "0", "--single-flight"],
    ];
    // Given settings by flags, printed
    let printed = run(folder.path(), &[&flags.concat()[..], &["--print-config"]].concat());
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    fs::write(folder.path().join("mock.toml"), &printed.stdout).unwrap();
    // When they are read back, then they are the same, but for what a flag changes
    let again = run(folder.path(), &["--config", "mock.toml", "--print-config"]);
    assert_eq!(again.stdout, printed.stdout, "{}", again.stderr);
    let other = run(folder.path(), &["--config", "mock.toml", "--print-config", "--seed", "8"]);
    assert_eq!(other.stdout, printed.stdout.replace("seed = 7", "seed = 8"));
    let read = MockFile::parse(&printed.stdout).unwrap();
    assert_eq!((read.faults.len(), read.port, read.rtt.0.as_millis()), (2, 8443, 50));
}

#[test]
fn an_engine_of_ones_own_is_called_changed_and_goes_with_its_profile() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("mock.toml"), "[engine]\ndecode_ms_per_token = 12.5\nslots = 4\n").unwrap();
    let printed = run(folder.path(), &["--config", "mock.toml", "--print-config"]);
    let engine = MockFile::parse(&printed.stdout).unwrap().engine;
    assert_eq!(
        (engine.decode_ms_per_token, engine.slots, engine.overhead_ms),
        (Some(12.5), Some(4), Some(12.0))
    );
    let mock = Running::start(folder.path(), &["--config", "mock.toml"]);
    assert!(mock.greeting.contains("simulated: profile fast (changed), slowdown 1"), "{}", mock.greeting);
    // What is printed of a profile is that profile
    fs::write(folder.path().join("all.toml"), run(folder.path(), &["--print-config"]).stdout).unwrap();
    let mock = Running::start(folder.path(), &["--config", "all.toml"]);
    assert!(mock.greeting.contains("profile fast, slowdown 1"), "{}", mock.greeting);
    // And another profile has an engine of its own
    let other =
        run(folder.path(), &["--config", "mock.toml", "--profile", "claude-sonnet-4.6", "--print-config"]);
    assert_ne!(MockFile::parse(&other.stdout).unwrap().engine.decode_ms_per_token, Some(12.5));
}

#[test]
fn a_setting_that_does_not_fit_is_named_with_its_file_or_flag() {
    let folder = TempDir::new().unwrap();
    let refused = |args: &[&str], sentence: &str| {
        let ran = run(folder.path(), args);
        assert!(
            ran.code == Some(2) && ran.stderr.contains(sentence),
            "{args:?}: {:?} {}",
            ran.code,
            ran.stderr
        );
    };
    for (text, sentence) in [
        ("prot = 1", "unknown field `prot`"),
        ("profile = \"slow\"", "no profile \"slow\""),
        ("host = \"0.0.0.0\"", "listens on this machine alone"),
        ("rtt = \"50\"", "no time with a unit"),
        ("faults = [\"cut,share=2\"]", "expected a share"),
        ("[engine]\noverhead_ms = -1", "overhead_ms: it must be a time of 0 or more"),
        ("[engine]\nthinking_share = 2", "thinking_share: it must be from 0 to 1"),
        ("[engine]\nslots = 0", "slots and burst_tokens must be at least 1"),
        ("cert_out = \"ca.pem\"", "there is a certificate only with tls"),
    ] {
        fs::write(folder.path().join("mock.toml"), text).unwrap();
        refused(&["--config", "mock.toml"], sentence);
    }
    refused(&["--config", "missing.toml"], "--config missing.toml");
    refused(&["--fault", "flood"], "'--fault <FAULT>': `flood` is no fault");
    refused(&["--rtt", "50"], "such as 50ms or 2s");
    refused(&["--port", "0", "--cert-out", "missing/ca.pem"], "--cert-out missing/ca.pem");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_with_its_own_exit_code_and_what_it_did() {
    let folder = TempDir::new().unwrap();
    for (signal, code) in [("-INT", 130), ("-TERM", 0)] {
        let mut running = Running::start(folder.path(), &["--fault", "status=529,share=5%"]);
        assert!(running.greeting.contains("fault: status=529,share=0.05"), "{}", running.greeting);
        assert!(
            Command::new("kill").args([signal, &running.child.id().to_string()]).status().unwrap().success()
        );
        let mut said = String::new();
        running.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(running.child.wait().unwrap().code(), Some(code), "{said}");
        assert_eq!(said, "[llmlab] 0 requests served\n");
    }
}

#[tokio::test]
async fn a_client_that_trusts_the_certificate_is_served_over_tls_from_afar() {
    // Given a mock with TLS, a tenth of a second away
    let folder = TempDir::new().unwrap();
    let mock = Running::start(folder.path(), &["--cert-out", "ca.pem", "--rtt", "100ms"]);
    assert!(mock.url.starts_with("https://127.0.0.1:"), "{}", mock.url);
    assert!(mock.greeting.contains("near, without TLS: http://127.0.0.1:"), "{}", mock.greeting);
    // When a client trusts what it wrote
    let _chosen = rustls::crypto::ring::default_provider().install_default();
    let pem = fs::read(folder.path().join("ca.pem")).unwrap();
    let certificate = reqwest::Certificate::from_pem(&pem).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([certificate]).build().unwrap();
    let started = std::time::Instant::now();
    let health = client.get(format!("{}/health", mock.url)).send().await.unwrap();
    // Then it is served, after the round trips of TCP, TLS and its request
    assert_eq!(health.json::<serde_json::Value>().await.unwrap(), json!({"status": "ok"}));
    assert!(started.elapsed().as_millis() >= 300, "{:?}", started.elapsed());
    // And one that does not is not
    assert!(reqwest::Client::new().get(&mock.url).send().await.is_err());
}

#[tokio::test]
async fn prompts_that_arrive_together_are_computed_once_in_single_flight() {
    // Given a mock that lets a prompt wait for the same one
    let folder = TempDir::new().unwrap();
    let mock = Running::start(folder.path(), &["--single-flight"]);
    let _chosen = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let ask =
        || client.post(format!("{}/generate", mock.url)).body(r#"{"prompt":"x","max_tokens":5}"#).send();
    // When four arrive at once
    for answer in futures::future::join_all((0..4).map(|_| ask())).await {
        assert_eq!(answer.unwrap().status(), 200);
    }
    // Then one is computed; the others wait for it, or find it in the cache if they are late
    let stats = client.get(format!("{}/stats", mock.url)).send().await.unwrap();
    let stats: serde_json::Value = stats.json().await.unwrap();
    let others = stats["cache_joined"].as_u64().zip(stats["cache_hits"].as_u64()).map(|(a, b)| a + b);
    assert_eq!((&stats["cache_misses"], others), (&json!(1), Some(3)), "{stats}");
    assert_eq!(stats["cache_hit_rate"], json!(0.75));
}
